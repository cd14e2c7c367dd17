//! The command line of `soflow ingest`. The comments here are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::config::Auth;

#[derive(Debug, Subcommand)]
pub enum IngestCommand {
    /// Read what was created or changed in a span of time from the API
    Api(ApiArgs),
    /// Show how far the API has been read
    Status,
    /// Put already-downloaded API pages, plain or gzip, into raw, untouched
    Pages(PagesArgs),
    /// Put the Stack Exchange data dump, `.7z`, `.xml` or `.xml.gz`, into raw, row for row
    Dump(DumpArgs),
    /// Write the made-up sample into raw
    Sample,
}

#[derive(Debug, Default, Args)]
pub struct ApiArgs {
    /// What to read: questions, answers, comments, posts, tags, synonyms, users [default: as the settings say]
    #[arg(value_name = "ENDPOINT")]
    pub endpoints: Vec<String>,
    /// The site's API name [default: as the settings say]
    #[arg(long, value_name = "SITE")]
    pub site: Option<String>,
    /// A day, UTC, and the logical date its pages are for [default: yesterday]
    #[arg(long, value_name = "YYYY-MM-DD", conflicts_with_all = ["since", "follow_watermark"])]
    pub date: Option<Date>,
    /// From this day or time on
    #[arg(long, value_name = "TIME", value_parser = super::api::moment)]
    pub since: Option<Timestamp>,
    /// Before this day or time; pages are filed under the last day [default: the start of today, UTC]
    #[arg(long, value_name = "TIME", value_parser = super::api::moment, requires = "since")]
    pub until: Option<Timestamp>,
    /// From where reading ended last to now, filed under yesterday
    #[arg(long, conflicts_with = "since")]
    pub follow_watermark: bool,
    /// Read also what has been read before
    #[arg(long)]
    pub again: bool,
    /// Show how many requests it will take, and read nothing; asks for the number of items
    #[arg(long)]
    pub plan: bool,
    /// How key and token are sent [default: as the settings say]
    #[arg(long, value_name = "MANNER", value_parser = super::api::manner)]
    pub auth: Option<Auth>,
    /// Take the right to read from whoever has it
    #[arg(long)]
    pub force_lease: bool,
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
    #[arg(long, value_name = "TABLES", value_delimiter = ',', value_parser = crate::ingest::dump::table)]
    pub only: Vec<&'static str>,
    /// When the dump was taken [default: when its files were written]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub taken: Option<Date>,
    /// Take the place of another dump's tables under the same date
    #[arg(long)]
    pub replace: bool,
}
