//! Where logs are printed: text as it comes, or one JSON document in the end.

use std::collections::BTreeMap;

use crate::cli::app::App;
use crate::cli::args;
use crate::diagnose::logs::Stream;
use crate::error::Result;
use crate::event::{Event, Sink};

/// The two outputs of a step, in the order in which they are shown.
pub const STREAMS: [(Stream, &str); 2] = [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")];

/// What has been printed.
pub struct Page<'a> {
    app: &'a App,
    sink: Box<dyn Sink>,
    /// Those that are wanted.
    pub streams: Vec<(Stream, &'static str)>,
    place: String,
    texts: BTreeMap<Stream, Vec<u8>>,
}

impl<'a> Page<'a> {
    /// Returns an empty page.
    pub fn new(app: &'a App, wanted: args::Stream) -> Self {
        let fits = |(stream, _): &(Stream, &str)| match wanted {
            args::Stream::Stdout => *stream == Stream::Stdout,
            args::Stream::Stderr => *stream == Stream::Stderr,
            args::Stream::Both => true,
        };
        let streams = STREAMS.into_iter().filter(fits).collect();
        Self { app, sink: app.sink(), streams, place: String::new(), texts: BTreeMap::new() }
    }

    /// Prints a piece of a log under a heading that says where it is from, unless that is where the last one was from.
    pub fn print(&mut self, stream: Stream, place: &str, text: &[u8]) -> Result<()> {
        if self.app.json {
            self.texts.entry(stream).or_default().extend(text);
            return Ok(());
        }
        if self.place != place {
            self.place = place.to_string();
            self.tell(Event::Note { text: format!("==> {place} <==") });
        }
        self.print_plain(stream, text)
    }

    /// Prints a piece of a log without a heading.
    pub fn print_plain(&mut self, stream: Stream, text: &[u8]) -> Result<()> {
        if self.app.json {
            self.texts.entry(stream).or_default().extend(text);
            return Ok(());
        }
        self.app.print_bytes(text)
    }

    /// Tells something besides what was printed.
    pub fn tell(&mut self, event: Event) {
        self.sink.emit(event);
    }

    /// Returns the texts by the name of their stream, those that are not UTF-8 with replacement characters.
    pub fn into_texts(self) -> serde_json::Map<String, serde_json::Value> {
        let text = |(stream, name): &(Stream, &str)| {
            Some(((*name).to_string(), String::from_utf8_lossy(self.texts.get(stream)?).into()))
        };
        self.streams.iter().filter_map(text).collect()
    }
}
