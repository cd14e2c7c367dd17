//! From files of the dump to parts in raw: one thread unpacks and cuts rows into parts, some compress these side by side,
//! and they are stored in order.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{BufReader, Read, sink};
use std::ops::ControlFlow;

use flate2::Compression;
use fs_err as fs;
use jiff::{RoundMode, TimestampRound, Unit};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::{JoinHandle, spawn_blocking};

use super::find::{DumpFile, Packing};
use super::rows::RowReader;
use super::{DumpRequest, HeldDump, archive};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::ingest::manifest::Line;
use crate::ingest::page;
use crate::ingest::raw::{Folder, PageFormat, Writer};
use crate::ingest::summary::Written;
use crate::store::Store;

/// Rows of a part in bytes, before compression: a step reads a page of raw whole, and one of more than 64 MB not at all.
/// A quarter of that leaves room for what parsed rows take, and is still few objects: 12,000 for 200 GB.
pub const PART_BYTES: usize = 16 << 20;

/// Parts that are compressed at once, at most: one thread does not unpack faster than this many compress, and each holds
/// a part.
const COMPRESSED_AT_ONCE: usize = 8;

/// How hard gzip tries: at 3 it is 2.2 times as fast as at the usual 6, and posts are 6 % larger, both measured.
const LEVEL: Compression = Compression::new(3);

/// What is read from a file, or from a decoder, at a time.
const READ_AT_ONCE: usize = 1 << 18;

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
pub async fn write(
    store: &dyn Store,
    request: &DumpRequest,
    tables: &[Incoming],
    sink: &mut dyn Sink,
) -> Result<Vec<Written>> {
    // Of one part: what is read ahead is held in memory.
    let (say, mut hear) = mpsc::channel(1);
    let sources: Vec<DumpFile> = tables.iter().map(|incoming| incoming.source.clone()).collect();
    let part_bytes = request.part_bytes;
    let reading = spawn_blocking(move || read(&sources, part_bytes, &say).map(drop));
    let mut written = Vec::new();
    let mut left = tables.iter();
    let mut at_hand = None;
    while let Some(said) = hear.recv().await {
        if let Said::Passed(what, done, total) = said {
            sink.emit(Event::Reading { what, done, total, rows: 0 });
            continue;
        }
        let mut table = match (at_hand.take(), left.as_slice()) {
            (Some(table), _) => table,
            (None, [next, ..]) => WritingTable::begin(store, request, next, sink).await?,
            (None, []) => return Err(Error::new(Kind::Internal, "a table that was not asked for")),
        };
        if let Said::Part(part, read) = said {
            table.part(part, read, sink).await?;
            at_hand = Some(table);
        } else {
            written.push(table.end(store, request, sink).await?);
            left.next();
        }
    }
    let ended = reading.await;
    ended.map_err(|error| Error::new(Kind::Internal, "the reading thread ended").caused_by(error))??;
    Ok(written)
}

/// A part as it is stored, and its line in the manifest.
type PackedPart = (Vec<u8>, Line);

/// The table at hand.
struct WritingTable<'a> {
    incoming: &'a Incoming,
    writer: Writer<'a>,
    /// Parts being compressed, in order, each with the bytes of the source that are read with it.
    packing: VecDeque<(JoinHandle<Result<PackedPart>>, u64)>,
    at_once: usize,
    common: Line,
    rows: u64,
}

impl<'a> WritingTable<'a> {
    async fn begin(
        store: &'a dyn Store,
        request: &'a DumpRequest,
        incoming: &'a Incoming,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let Incoming { source, folder, held } = incoming;
        if held.begun {
            // Another version of soflow may have cut the parts elsewhere.
            store.remove(&folder.uri(&request.raw)).await?;
        }
        let second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
        // Never a time to come.
        let modified = source.modified.min(request.now);
        let questions_and_answers = vec!["questions".into(), "answers".into()];
        let common = Line {
            source: Some(source.name.clone()),
            holds: if source.table == "posts" { questions_and_answers } else { Vec::new() },
            fetched_at: Some(request.taken.unwrap_or_else(|| modified.round(second).unwrap_or(modified))),
            ..Line::default()
        };
        let writer = Writer::new(store, &request.raw, folder.clone(), PageFormat::Xml);
        let at_once = request.threads.clamp(1, COMPRESSED_AT_ONCE);
        let table = Self { incoming, writer, packing: VecDeque::new(), at_once, common, rows: 0 };
        table.tell(0, sink);
        Ok(table)
    }

    async fn part(&mut self, part: RowPart, read: u64, sink: &mut dyn Sink) -> Result<()> {
        if self.packing.len() >= self.at_once {
            self.store_next(sink).await?;
        }
        let common = self.common.clone();
        self.packing.push_back((spawn_blocking(move || part.pack(common)), read));
        Ok(())
    }

    async fn store_next(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let Some((packed, read)) = self.packing.pop_front() else { return Ok(()) };
        let packed = packed.await;
        let (stored, line) =
            packed.map_err(|error| Error::new(Kind::Internal, "a compressing thread ended").caused_by(error))??;
        self.rows += line.n_items.unwrap_or_default();
        self.writer.page(&stored, line).await?;
        // The last word is said when the table counts.
        if read < self.incoming.source.bytes {
            self.tell(read, sink);
        }
        Ok(())
    }

    /// Makes the table count. What it replaces stops counting just before: for a moment there is none of the two, and
    /// never both.
    async fn end(mut self, store: &dyn Store, request: &DumpRequest, sink: &mut dyn Sink) -> Result<Written> {
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

/// What the reading thread says, of one source after the other.
enum Said {
    /// The next rows, and how many bytes of the source are read.
    Part(RowPart, u64),
    /// A file that nobody asked for had to be unpacked so far: its name, bytes read and in all.
    Passed(String, u64, u64),
    /// All rows of the source were handed over, and it is whole.
    End,
}

/// Reads `sources` and says what is in them. Blocks while nobody takes what is said; ends early when nobody ever will.
fn read(sources: &[DumpFile], part_bytes: usize, say: &Sender<Said>) -> Result<ControlFlow<()>> {
    for together in sources.chunk_by(|a, b| a.path == b.path) {
        let [first, ..] = together else { continue };
        let next = if let Packing::Member { member, .. } = &first.packed {
            let archive = first.name.strip_suffix(&format!("/{member}")).unwrap_or(&first.name);
            members(together, archive, part_bytes, say)?
        } else {
            let read = Cell::new(0);
            let input = Counted { inner: fs::File::open(&first.path)?, read: &read };
            rows(&mut first.open(input), &read, first, part_bytes, say)?
        };
        if next.is_break() {
            return Ok(next);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads the members of one archive, in its own order: packed together, they can only be unpacked in that.
fn members(sources: &[DumpFile], archive: &str, part_bytes: usize, say: &Sender<Said>) -> Result<ControlFlow<()>> {
    let member = |source: &'_ DumpFile| match &source.packed {
        Packing::Member { member, .. } => member.clone(),
        Packing::Plain | Packing::Gzip => String::new(),
    };
    let names: Vec<String> = sources.iter().map(member).collect();
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    archive::read(&sources[0].path, archive, &wanted, &mut |name, size, content| {
        let read = Cell::new(0);
        let mut content = Counted { inner: content, read: &read };
        if let Some(at) = wanted.iter().position(|wanted| *wanted == name) {
            return rows(&mut content, &read, &sources[at], part_bytes, say);
        }
        // As often as a part of rows would be heard of.
        while std::io::copy(&mut content.by_ref().take(part_bytes as u64), &mut sink())
            .map_err(|error| archive::while_reading(archive, 0, error))?
            > 0
        {
            let what = format!("{archive}/{name} to pass it over");
            if sent(say, Said::Passed(what, read.get(), size)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn rows(
    input: &mut dyn Read,
    read: &Cell<u64>,
    source: &DumpFile,
    part_bytes: usize,
    say: &Sender<Said>,
) -> Result<ControlFlow<()>> {
    let mut rows = RowReader::new(BufReader::with_capacity(READ_AT_ONCE, input), source.table, &source.name);
    let mut more = rows.advance()?;
    while more {
        // All of it at once: growing by doubling would hold up to three times as much.
        let mut part = RowPart { text: Vec::with_capacity(part_bytes), rows: 0 };
        while more && (part.rows == 0 || part.text.len() + rows.row().len() < part_bytes) {
            part.text.extend_from_slice(rows.row());
            part.text.push(b'\n');
            part.rows += 1;
            more = rows.advance()?;
        }
        if sent(say, Said::Part(part, read.get())).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    source.check_unchanged()?;
    Ok(sent(say, Said::End))
}

/// Says something; `Break` when nobody will ever hear it.
fn sent(say: &Sender<Said>, said: Said) -> ControlFlow<()> {
    if say.blocking_send(said).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Consecutive rows of one table, one a line.
struct RowPart {
    /// The rows, each followed by a line feed.
    text: Vec<u8>,
    /// How many.
    rows: u64,
}

impl RowPart {
    /// Returns the part as it is stored, and what the manifest says of it besides `common`.
    fn pack(self, common: Line) -> Result<PackedPart> {
        let line = Line {
            sha256: Some(page::sha256(&self.text)),
            bytes: Some(self.text.len() as u64),
            n_items: Some(self.rows),
            ..common
        };
        Ok((page::compress_with(&self.text, LEVEL)?, line))
    }
}

/// Counts what is read.
struct Counted<'a, R> {
    inner: R,
    read: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}
