//! Where logs are printed: text as it comes, or one JSON document in the end.

use std::collections::BTreeMap;

use crate::cli::app::App;
use crate::cli::args;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::mask;
use crate::targets::emr::LogStream;

/// The two outputs of a step, in the order in which they are shown.
pub const STREAMS: [(LogStream, &str); 2] = [(LogStream::Stdout, "stdout"), (LogStream::Stderr, "stderr")];

/// What has been printed.
pub struct LogPrinter<'a> {
    app: &'a App,
    sink: Box<dyn Sink>,
    /// Those that are wanted.
    pub streams: Vec<(LogStream, &'static str)>,
    place: String,
    texts: BTreeMap<LogStream, Vec<u8>>,
    lines: BTreeMap<LogStream, mask::Pieces>,
    /// Whether whoever read what is printed has gone away.
    pub gone: bool,
}

impl<'a> LogPrinter<'a> {
    /// Returns an empty page.
    pub fn new(app: &'a App, wanted: args::StreamChoice) -> Self {
        let fits = |(stream, _): &(LogStream, &str)| match wanted {
            args::StreamChoice::Stdout => *stream == LogStream::Stdout,
            args::StreamChoice::Stderr => *stream == LogStream::Stderr,
            args::StreamChoice::Both => true,
        };
        let streams = STREAMS.into_iter().filter(fits).collect();
        Self {
            app,
            sink: app.sink(),
            streams,
            place: String::new(),
            texts: BTreeMap::new(),
            lines: BTreeMap::new(),
            gone: false,
        }
    }

    /// Prints a piece of a log under a heading that says where it is from, unless that is where the last one was from.
    pub fn print(&mut self, stream: LogStream, place: &str, text: &[u8]) -> Result<()> {
        if self.place != place && !self.app.json {
            self.finish()?;
            self.place = place.to_string();
            self.tell(Event::Note { text: format!("==> {place} <==") });
        }
        self.print_plain(stream, text)
    }

    /// Prints a piece of a log without a heading: the lines that it ends, without the secrets in them.
    pub fn print_plain(&mut self, stream: LogStream, text: &[u8]) -> Result<()> {
        if self.app.json {
            self.texts.entry(stream).or_default().extend(text);
            return Ok(());
        }
        let lines = self.lines.entry(stream).or_default().next(text);
        self.put(&lines)
    }

    /// Prints what is left of lines that have not ended.
    pub fn finish(&mut self) -> Result<()> {
        let left: Vec<u8> = self.lines.values_mut().flat_map(mask::Pieces::rest).collect();
        self.put(&left)
    }

    fn put(&mut self, text: &[u8]) -> Result<()> {
        self.gone = self.gone || !self.app.print_bytes(text)?;
        Ok(())
    }

    /// Tells something besides what was printed.
    pub fn tell(&mut self, event: Event) {
        self.sink.emit(event);
    }

    /// Returns the texts by the name of their stream, without secrets, and with replacement characters where they are not
    /// UTF-8.
    pub fn into_texts(self) -> serde_json::Map<String, serde_json::Value> {
        let text = |(stream, name): &(LogStream, &str)| {
            let text = mask::bytes(self.texts.get(stream)?);
            Some(((*name).to_string(), String::from_utf8_lossy(&text).into()))
        };
        self.streams.iter().filter_map(text).collect()
    }
}
