//! Takes the parts that are read, has them compressed side by side, and stores them in order.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::intake::{HeldDump, Request};
use super::parts::RowPart;
use super::read::{self, Said};
use super::source::DumpFile;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::manifest::Line;
use crate::ingest::raw::{Folder, PageFormat, Writer};
use crate::ingest::summary::Written;
use crate::store::Store;

/// Parts that are compressed at once, at most: one thread does not unpack faster than this many compress, and each holds
/// a part.
const COMPRESSED_AT_ONCE: usize = 8;

/// A table on its way into raw.
pub struct Incoming {
    /// Its file.
    pub source: DumpFile,
    /// The folder its rows go to.
    pub folder: Folder,
    /// What is there already.
    pub held: HeldDump,
}

/// Puts tables into raw, one after the other, and returns what was written of each.
///
/// # Errors
/// `Usage` when a file is damaged, `Machine` when reading or writing fails. The table at hand does not count then.
pub async fn all(
    store: &dyn Store,
    request: &Request,
    tables: Vec<Incoming>,
    sink: &mut dyn Sink,
) -> Result<Vec<Written>> {
    // Of one part: what is read ahead is held in memory.
    let (say, mut hear) = mpsc::channel(1);
    let sources: Vec<_> = tables.iter().map(|incoming| incoming.source.clone()).enumerate().collect();
    let part_bytes = request.part_bytes;
    let reading = spawn_blocking(move || read::read(&sources, part_bytes, &say));
    let mut written = Vec::new();
    let mut at_hand: Option<Filing> = None;
    while let Some(said) = hear.recv().await {
        let index = match &said {
            Said::Part(index, ..) | Said::End(index) => *index,
            Said::Passed(what, done, total) => {
                sink.emit(Event::Reading { what: what.clone(), done: *done, total: *total, rows: 0 });
                continue;
            }
        };
        let incoming = tables.get(index).ok_or_else(|| Error::new(Kind::Internal, "a table that was not asked for"))?;
        let mut filing = match at_hand.take() {
            Some(filing) => filing,
            None => Filing::begin(store, request, incoming, sink).await?,
        };
        match said {
            Said::Part(_, part, read) => {
                filing.part(part, read, sink).await?;
                at_hand = Some(filing);
            }
            _ => written.push(filing.end(store, request, sink).await?),
        }
    }
    let ended = reading.await;
    ended.map_err(|error| Error::new(Kind::Internal, "the reading thread ended").caused_by(error))??;
    Ok(written)
}

/// A part as it is stored, and its line in the manifest.
type PackedPart = Result<(Vec<u8>, Line)>;

/// The table at hand.
struct Filing<'a> {
    incoming: &'a Incoming,
    writer: Writer<'a>,
    /// Parts being compressed, in order, each with the bytes of the source that are read with it.
    packing: VecDeque<(JoinHandle<PackedPart>, u64)>,
    at_once: usize,
    common: Line,
    rows: u64,
}

impl<'a> Filing<'a> {
    async fn begin(
        store: &'a dyn Store,
        request: &'a Request,
        incoming: &'a Incoming,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let Incoming { source, folder, held } = incoming;
        if held.begun {
            // Another version of soflow may have cut the parts elsewhere.
            store.remove(&folder.uri(&request.raw)).await?;
        }
        let common = Line {
            source: Some(source.name.clone()),
            holds: source.table.holds(),
            fetched_at: Some(request.taken.unwrap_or_else(|| source.taken(request.now))),
            ..Line::default()
        };
        let writer = Writer::new(store, &request.raw, folder.clone(), PageFormat::Xml);
        let at_once = request.threads.clamp(1, COMPRESSED_AT_ONCE);
        let filing = Self { incoming, writer, packing: VecDeque::new(), at_once, common, rows: 0 };
        filing.tell(0, sink);
        Ok(filing)
    }

    async fn part(&mut self, part: RowPart, read: u64, sink: &mut dyn Sink) -> Result<()> {
        if self.packing.len() >= self.at_once {
            self.store_next(sink).await?;
        }
        self.packing.push_back((spawn_blocking(move || part.pack()), read));
        Ok(())
    }

    async fn store_next(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let Some((packed, read)) = self.packing.pop_front() else { return Ok(()) };
        let packed = packed.await;
        let (stored, line) =
            packed.map_err(|error| Error::new(Kind::Internal, "a compressing thread ended").caused_by(error))??;
        self.rows += line.n_items.unwrap_or_default();
        let Line { source, holds, fetched_at, .. } = self.common.clone();
        self.writer.page(&stored, Line { source, holds, fetched_at, ..line }).await?;
        // The last word is said when the table counts.
        if read < self.incoming.source.bytes {
            self.tell(read, sink);
        }
        Ok(())
    }

    /// Makes the table count. What it replaces stops counting just before: for a moment there is none of the two, and
    /// never both.
    async fn end(mut self, store: &dyn Store, request: &Request, sink: &mut dyn Sink) -> Result<Written> {
        while !self.packing.is_empty() {
            self.store_next(sink).await?;
        }
        let Incoming { source, folder, held } = self.incoming;
        let replaced = || held.others.iter().filter(|_| request.replace);
        for (other, _) in replaced().filter(|(_, complete)| *complete) {
            store.remove(&other.manifest(&request.raw)).await?;
        }
        let lines = self.writer.commit().await?;
        for (other, _) in replaced() {
            store.remove(&other.uri(&request.raw)).await?;
        }
        let (what, total) = (source.name.clone(), source.bytes);
        sink.emit(Event::Reading { what, done: total, total, rows: self.rows });
        Ok(Written::new(folder.endpoint.clone(), folder.run.clone(), &lines))
    }

    fn tell(&self, done: u64, sink: &mut dyn Sink) {
        let source = &self.incoming.source;
        sink.emit(Event::Reading { what: source.name.clone(), done, total: source.bytes, rows: self.rows });
    }
}
