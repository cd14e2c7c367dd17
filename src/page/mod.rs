//! The report of a job as one page, HTML or Markdown: what its tables say, how its latest run went, what came from what.
//!
//! ```text
//! rows of the charts' queries -> charts (SVG and a table each) ─┐
//! record of the run, job, catalog -> about_run, lineage ────────┴─► ReportPage -> page.html, page.md
//! ```
//!
//! Knows no disk, clock, network or engine. What comes from data is escaped by the templates and by `svg`.

mod about_run;
mod charts;
mod lineage;
mod rows;
mod scale;
mod svg;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error as TemplateError, Output, State, context};
use serde::Serialize;

use crate::catalog::Index;
use crate::error::{Error, Kind, Result};
use crate::job::Job;
use crate::report::InsightLines;
use crate::run::RunRecord;
use about_run::{AboutRun, PublishedTable};
pub use charts::Figure;
pub use rows::ChartRows;

const HTML: &str = include_str!("page.html");
const MARKDOWN: &str = include_str!("page.md");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a page is made from.
pub struct PageSource<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its latest run, if there is one.
    pub run: Option<&'a RunRecord>,
    /// What readers see now.
    pub index: &'a Index,
    /// Whether what the tables say is made up.
    pub made_up: bool,
    /// What the summary of a run says.
    pub insights: Vec<InsightLines>,
    /// The charts, in the order of the job file.
    pub figures: Vec<Figure>,
    /// When this is, UTC.
    pub now: Timestamp,
}

/// All that a page says.
#[derive(Serialize)]
pub struct ReportPage {
    job: String,
    title: String,
    made_up: bool,
    made_at: String,
    run: Option<AboutRun>,
    tiles: Vec<Figure>,
    insights: Vec<InsightLines>,
    figures: Vec<Figure>,
    tables: Vec<PublishedTable>,
    lineage: String,
    edges: Vec<(String, String, String)>,
}

impl ReportPage {
    /// Returns the page.
    pub fn new(source: PageSource<'_>) -> Self {
        let PageSource { job, run, index, made_up, insights, figures, now } = source;
        let (tiles, figures) = figures.into_iter().partition(Figure::is_tiles);
        let title = job.description.trim_end_matches('.');
        Self {
            job: job.name.clone(),
            title: if title.is_empty() { job.name.clone() } else { title.into() },
            made_up,
            made_at: about_run::moment(now),
            run: run.map(|record| AboutRun::new(record, job)),
            tiles,
            insights,
            figures,
            tables: about_run::tables(job, index),
            lineage: lineage::drawn(job, index),
            edges: lineage::edges(job),
        }
    }

    /// Returns the page as HTML that needs nothing else: no file, no network, no script for reading.
    ///
    /// # Errors
    /// `Internal` when the template is wrong.
    pub fn html(&self) -> Result<String> {
        self.render("page.html", HTML)
    }

    /// Returns the page as GitHub's Markdown, for the summary of a CI job: words and tables, no drawings.
    ///
    /// # Errors
    /// `Internal` when the template is wrong.
    pub fn markdown(&self) -> Result<String> {
        self.render("page.md", MARKDOWN)
    }

    fn render(&self, name: &'static str, template: &'static str) -> Result<String> {
        let wrong = |error| Error::new(Kind::Internal, "the template of the report is wrong").caused_by(error);
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(wrong)?);
        environment.set_auto_escape_callback(|name| match name {
            "page.md" => AutoEscape::Custom("markdown".into()),
            _ => AutoEscape::Html,
        });
        environment.set_formatter(escaped);
        environment.add_template(name, template).map_err(wrong)?;
        let page = environment.get_template(name).map_err(wrong)?;
        page.render(context! { style => STYLE, script => SCRIPT, ..Value::from(Serde(self)) }).map_err(wrong)
    }
}

/// Writes a value of a template, escaped for where it stands.
fn escaped(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), TemplateError> {
    if value.is_undefined() || value.is_none() {
        return Ok(());
    }
    let text = value.as_str().map_or_else(|| value.to_string(), String::from);
    let text = match state.auto_escape() {
        _ if value.is_safe() => text,
        AutoEscape::Custom(_) => for_markdown(&text),
        _ => svg::escape(&text),
    };
    out.write_str(&text).map_err(TemplateError::from)
}

/// Returns text that Markdown shows as it is, also in a cell of a table.
fn for_markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    // What looks like an address, or names a person, would become a link.
    let text = text.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.").replace('@', "@\u{200b}");
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => safe.extend(['\\', c]),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// Returns text of at most so many characters, with `…` where something was cut.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.into(),
    }
}
