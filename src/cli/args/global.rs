//! The options that every verb has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::report::ColorChoice;

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where to run: an entry under `targets:` in config/soflow.yaml
    #[arg(long, global = true, value_name = "NAME")]
    pub target: Option<String>,
    /// What stdout gets: text for people or one JSON document
    #[arg(long, global = true, value_enum, default_value_t = OutputForm::Text, value_name = "FORM")]
    pub output: OutputForm,
    /// What stderr gets: a live view (auto: on a terminal), plain lines, NDJSON events, or warnings only
    #[arg(long, global = true, value_enum, default_value_t = EventsForm::Auto, value_name = "FORM")]
    pub events: EventsForm,
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Start in this folder instead of the current one
    #[arg(short = 'C', long = "directory", global = true, value_name = "FOLDER")]
    pub directory: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventsForm {
    Auto,
    Plain,
    Ndjson,
    Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}
