//! What an ingest did, for the person and for `--output json`.

use serde::Serialize;

use super::manifest::Line;
use crate::event::{Event, Sink};
use crate::names::Uri;

/// What was done for one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// `questions`, `answers`, `comments`, …
    pub endpoint: String,
    /// The run folder the pages are in, `pages-0123456789ab`; `None` when every page was there already.
    pub run: Option<String>,
    /// Pages written now.
    pub pages: u64,
    /// Items in those pages, as far as they could be read.
    pub items: u64,
    /// Bytes stored now, compressed.
    pub bytes: u64,
    /// Pages that raw held already for this date.
    pub already: u64,
}

impl Written {
    /// Returns what was done when a run folder of these pages was written.
    pub(super) fn new(endpoint: String, run: String, lines: &[Line]) -> Self {
        let sum = |of: fn(&Line) -> Option<u64>| lines.iter().filter_map(of).sum();
        let (items, bytes) = (sum(|line| line.n_items), sum(|line| line.stored_bytes));
        Self { endpoint, run: Some(run), pages: lines.len() as u64, items, bytes, already: 0 }
    }
}

/// A file that was not taken, or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file, relative to the folder that was ingested.
    pub path: String,
    /// A fragment such as ``not a `.json` or `.json.gz` file``.
    pub reason: String,
}

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The site it is from, `stackoverflow`.
    pub site: String,
    /// One entry an endpoint, sorted by its name.
    pub endpoints: Vec<Written>,
    /// The files that were not taken, in the order of their paths.
    pub skipped: Vec<Skipped>,
    /// The files that were taken as they are and are no readable pages, in the order of their paths.
    pub unreadable: Vec<Skipped>,
}

impl Summary {
    /// Returns how many pages were written.
    pub fn pages(&self) -> u64 {
        self.endpoints.iter().map(|written| written.pages).sum()
    }

    /// Returns how many pages raw held already.
    pub fn already(&self) -> u64 {
        self.endpoints.iter().map(|written| written.already).sum()
    }

    /// Tells `sink` what is new in raw, or that nothing is.
    pub(super) fn emit(&self, raw: &Uri, sink: &mut dyn Sink) {
        if self.pages() == 0 {
            let text = match self.already() {
                1 => "The page is in raw already: nothing to write.".into(),
                pages => format!("All {pages} pages are in raw already: nothing to write."),
            };
            return sink.emit(Event::Note { text });
        }
        let new = self.endpoints.iter().filter(|written| written.pages > 0);
        let pages = new.map(|written| (written.endpoint.clone(), written.pages)).collect();
        sink.emit(Event::Ingested { pages, location: raw.to_string() });
    }
}

/// Returns `1 page`, `2 pages`.
pub(super) fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
