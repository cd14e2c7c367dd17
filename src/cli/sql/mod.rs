//! SQL on the published tables: `soflow query` runs one statement, `soflow sql` those of a person, a pipe or a file.

mod advice;
mod engine;
mod input;
mod output;
mod said;
mod shell;

use std::path::PathBuf;

use clap::Args;

pub use said::{TablesSay, said};
pub use shell::sql;

use super::app::App;
use crate::error::Result;
use output::Destination;
use shell::Shell;

#[derive(Debug, Args)]
pub struct RowOptions {
    /// At most so many rows; 0: all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: u64,
    /// Print CSV instead of an aligned table
    #[arg(long, conflicts_with = "output")]
    pub csv: bool,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// A Spark SQL query on the published tables
    pub sql: String,
    #[command(flatten)]
    pub rows: RowOptions,
    /// Write the rows to a file instead: .csv, .json or .parquet
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    pub to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct SqlArgs {
    /// Run these statements, parted by semicolons, and leave
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    pub command: Option<String>,
    /// Run the statements of a file, and leave
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub rows: RowOptions,
}

/// Runs one statement and prints its rows.
pub async fn query(app: &App, args: &QueryArgs) -> Result<u8> {
    let destination = Destination { csv: args.rows.csv, file: args.to.clone() };
    destination.check()?;
    let work = app.workspace().await?;
    let mut shell = Shell::new(&work, &args.rows)?;
    shell.answer(args.sql.trim().trim_end_matches(';'), &destination).await?;
    Ok(0)
}
