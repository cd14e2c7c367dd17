//! The command line of `soflow ingest`. The comments here are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;

use crate::ingest::dump::Table;

#[derive(Debug, Subcommand)]
pub enum IngestCommand {
    /// Put already-downloaded API pages, plain or gzip, into raw, untouched
    Pages(PagesArgs),
    /// Put the Stack Exchange data dump, `.7z`, `.xml` or `.xml.gz`, into raw, row for row
    Dump(DumpArgs),
    /// Write the made-up sample into raw
    Sample(SampleArgs),
}

#[derive(Debug, Args)]
pub struct PagesArgs {
    /// A folder of pages, or one page
    pub folder: PathBuf,
    /// The logical date they are for [default: yesterday, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<Date>,
    /// The endpoint of pages that do not tell it: questions, answers or comments
    #[arg(long, value_name = "NAME")]
    pub endpoint: Option<String>,
    /// The site they are from
    #[arg(long, value_name = "SITE", default_value = "stackoverflow")]
    pub site: String,
}

#[derive(Debug, Args)]
pub struct DumpArgs {
    /// An archive, one table's file, or a folder of those
    pub input: PathBuf,
    /// The site it is of [default: what the file or folder is named after]
    #[arg(long, value_name = "SITE")]
    pub site: Option<String>,
    /// The logical date its rows are filed under [default: yesterday, UTC]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<Date>,
    /// The tables to take, such as posts,comments [default: all]
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub only: Vec<Table>,
    /// When the dump was taken [default: when its files were written]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub taken: Option<Date>,
    /// Take the place of another dump's tables under the same date
    #[arg(long)]
    pub replace: bool,
}

#[derive(Debug, Args)]
pub struct SampleArgs {
    /// Multiplies the number of rows
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub scale: u32,
}
