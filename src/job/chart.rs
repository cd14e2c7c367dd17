//! The charts of a job's report: queries whose columns have the names that a kind of chart asks for.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::yaml::{Node, Problems};

/// A chart of the report, made by a query on the published tables.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "chart")]
pub struct Chart {
    /// A heading of a few words.
    pub title: String,
    /// What it looks like; decides which columns the query must have.
    pub kind: ChartKind,
    /// A sentence or two above it: what it shows.
    #[serde(default)]
    pub text: String,
    /// A sentence or two below it: how to read it, and what it is not.
    #[serde(default)]
    pub note: String,
    /// How its values are written.
    #[serde(default)]
    pub show_as: ShowAs,
    /// A query whose columns have the names that the kind asks for.
    #[schemars(extend("format" = "query"))]
    pub sql: String,
}

/// What a chart looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChartKind {
    /// Large numbers at the head of the page.
    Tiles,
    /// A small line chart for each label, and one in which labels are compared.
    Trends,
    /// Lines in one chart.
    Lines,
    /// A dot a label with its interval.
    Intervals,
    /// Columns along time.
    Columns,
    /// A bar a label.
    Bars,
    /// What stands together: nodes and edges.
    Network,
}

/// How values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ShowAs {
    /// As numbers.
    #[default]
    Number,
    /// Shares from 0 to 1, as percentages.
    Percent,
    /// As numbers with their sign: differences.
    Signed,
}

impl ChartKind {
    /// Returns the columns that a query must have.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Tiles | Self::Intervals | Self::Bars => &["label", "value"],
            Self::Trends | Self::Lines => &["label", "x", "value"],
            Self::Columns => &["x", "value"],
            Self::Network => &["a", "b", "value"],
        }
    }
}

/// Notes columns that the query of a chart cannot have, since their names are nowhere in it.
pub(super) fn check(node: &Node, chart: &Chart, problems: &mut Problems) {
    let words: Vec<String> =
        chart.sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_lowercase).collect();
    // All columns of something: nobody knows here which ones those are.
    let is_open = chart.sql.split_whitespace().any(|word| word.trim_end_matches(',').ends_with(".*"))
        || chart
            .sql
            .split_whitespace()
            .zip(chart.sql.split_whitespace().skip(1))
            .any(|(word, next)| word.eq_ignore_ascii_case("select") && next.trim_end_matches(',') == "*");
    let missing: Vec<String> = chart
        .kind
        .columns()
        .iter()
        .filter(|name| !words.iter().any(|word| word == *name))
        .map(|name| format!("`{name}`"))
        .collect();
    if let (Some(sql), false, false) = (node.get("sql"), is_open, missing.is_empty()) {
        let kind = node.get("kind").map_or_else(String::new, |kind| kind.read::<String>().unwrap_or_default());
        let message = format!("the query of a chart of kind `{kind}` has no column {}", missing.join(" and no "));
        problems.error(&sql.place, message).hint("name the columns of the result: `SELECT tag AS label, n AS value`");
    }
}
