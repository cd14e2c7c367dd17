//! The command line of `soflow ingest`. The comments here are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;

#[derive(Debug, Subcommand)]
pub enum IngestCommand {
    /// Put already-downloaded API pages, plain or gzip, into raw, untouched
    Pages(PagesArgs),
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
pub struct SampleArgs {
    /// Multiplies the number of rows
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub scale: u32,
}
