//! The reading thread: unpacks the files one after the other and hands over their rows in parts.

use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use tokio::sync::mpsc::Sender;

use super::archive::{self, Next, Visitor};
use super::parts::{PartCutter, RowPart};
use super::rows::RowReader;
use super::source::{DumpFile, Packing};
use crate::error::Result;

/// What is read from a file, or from a decoder, at a time.
const READ_AT_ONCE: usize = 1 << 18;

/// What the reading thread says, of the source at an index.
#[derive(Debug)]
pub enum Said {
    /// The next rows, and how many bytes of the source are read.
    Part(usize, RowPart, u64),
    /// A file that nobody asked for had to be unpacked so far: its name, bytes read and in all.
    Passed(String, u64, u64),
    /// All rows of the source were handed over, and it is whole.
    End(usize),
}

/// Reads `sources`, which have indices, and says what is in them. Blocks while nobody takes what is said; ends early when
/// nobody ever will.
///
/// # Errors
/// Those of the files.
pub fn read(sources: &[(usize, DumpFile)], part_bytes: usize, say: &Sender<Said>) -> Result<()> {
    for together in sources.chunk_by(|(_, a), (_, b)| a.path == b.path) {
        let next = match together {
            [(_, first), ..] if matches!(first.packed, Packing::Member { .. }) => members(together, part_bytes, say)?,
            files => file(files, part_bytes, say)?,
        };
        if next == Next::Stop {
            break;
        }
    }
    Ok(())
}

fn file(files: &[(usize, DumpFile)], part_bytes: usize, say: &Sender<Said>) -> Result<Next> {
    for (index, source) in files {
        let read = Arc::new(AtomicU64::new(0));
        let input = Counted { inner: fs::File::open(&source.path)?, read: Arc::clone(&read) };
        let mut input: Box<dyn Read> = match source.packed {
            Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_AT_ONCE, input))),
            _ => Box::new(input),
        };
        if rows(&mut input, &read, (*index, source), part_bytes, say)? == Next::Stop {
            return Ok(Next::Stop);
        }
    }
    Ok(Next::GoOn)
}

/// Reads the members of one archive, in its own order: packed together, they can only be unpacked in that.
fn members(sources: &[(usize, DumpFile)], part_bytes: usize, say: &Sender<Said>) -> Result<Next> {
    let Some((_, first)) = sources.first() else { return Ok(Next::GoOn) };
    let archive = first.name.strip_suffix(&format!("/{}", member(first))).unwrap_or(&first.name);
    let wanted: Vec<String> = sources.iter().map(|(_, source)| member(source).into()).collect();
    let mut members = Members { sources, archive, part_bytes, say, heard: 0, next: Next::GoOn };
    archive::read(&first.path, archive, &wanted, &mut members)?;
    Ok(members.next)
}

/// Returns the path in its archive.
fn member(source: &DumpFile) -> &str {
    match &source.packed {
        Packing::Member { member, .. } => member,
        Packing::Plain | Packing::Gzip => "",
    }
}

/// Hands over the rows of an archive's members.
struct Members<'a> {
    sources: &'a [(usize, DumpFile)],
    archive: &'a str,
    part_bytes: usize,
    say: &'a Sender<Said>,
    /// Parts of the member that were passed over.
    heard: u64,
    next: Next,
}

impl Visitor for Members<'_> {
    fn take(&mut self, name: &str, content: &mut dyn Read) -> Result<Next> {
        if let Some((index, source)) = self.sources.iter().find(|(_, source)| member(source) == name) {
            let read = Arc::new(AtomicU64::new(0));
            let mut content = Counted { inner: content, read: Arc::clone(&read) };
            self.next = rows(&mut content, &read, (*index, source), self.part_bytes, self.say)?;
        }
        Ok(self.next)
    }

    fn pass(&mut self, name: &str, done: u64, total: u64) -> Next {
        // As often as a part of rows would be heard of.
        if done == total || done / self.part_bytes as u64 != self.heard {
            self.heard = done / self.part_bytes as u64;
            let what = format!("{}/{name} to pass it over", self.archive);
            if self.say.blocking_send(Said::Passed(what, done, total)).is_err() {
                self.next = Next::Stop;
            }
        }
        self.next
    }
}

fn rows(
    input: &mut dyn Read,
    read: &AtomicU64,
    (index, source): (usize, &DumpFile),
    part_bytes: usize,
    say: &Sender<Said>,
) -> Result<Next> {
    let input = BufReader::with_capacity(READ_AT_ONCE, input);
    let mut parts = PartCutter::new(RowReader::new(input, source.table, &source.name), source.table, part_bytes);
    while let Some(part) = parts.next_part()? {
        if say.blocking_send(Said::Part(index, part, read.load(Ordering::Relaxed))).is_err() {
            return Ok(Next::Stop);
        }
    }
    source.check_unchanged()?;
    Ok(if say.blocking_send(Said::End(index)).is_err() { Next::Stop } else { Next::GoOn })
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
