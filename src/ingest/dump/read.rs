//! The reading thread: unpacks the files one after the other and hands over their rows in parts.

use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use fs_err as fs;
use tokio::sync::mpsc::Sender;

use super::archive::{self, Unpacked};
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
        if next.is_break() {
            break;
        }
    }
    Ok(())
}

fn file(files: &[(usize, DumpFile)], part_bytes: usize, say: &Sender<Said>) -> Result<ControlFlow<()>> {
    for (index, source) in files {
        let read = Arc::new(AtomicU64::new(0));
        let input = Counted { inner: fs::File::open(&source.path)?, read: Arc::clone(&read) };
        let mut input: Box<dyn Read> = match source.packed {
            Packing::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ_AT_ONCE, input))),
            _ => Box::new(input),
        };
        if rows(&mut input, &read, (*index, source), part_bytes, say)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reads the members of one archive, in its own order: packed together, they can only be unpacked in that.
fn members(sources: &[(usize, DumpFile)], part_bytes: usize, say: &Sender<Said>) -> Result<ControlFlow<()>> {
    let Some((_, first)) = sources.first() else { return Ok(ControlFlow::Continue(())) };
    let archive = first.name.strip_suffix(&format!("/{}", member(first))).unwrap_or(&first.name);
    let wanted: Vec<String> = sources.iter().map(|(_, source)| member(source).into()).collect();
    let (mut heard, mut next) = (0, ControlFlow::Continue(()));
    archive::read(&first.path, archive, &wanted, &mut |met| {
        match met {
            Unpacked::Wanted(name, content) => {
                if let Some((index, source)) = sources.iter().find(|(_, source)| member(source) == name) {
                    let read = Arc::new(AtomicU64::new(0));
                    let mut content = Counted { inner: content, read: Arc::clone(&read) };
                    next = rows(&mut content, &read, (*index, source), part_bytes, say)?;
                }
            }
            // As often as a part of rows would be heard of.
            Unpacked::Passed(name, done, total) if done == total || done / part_bytes as u64 != heard => {
                heard = done / part_bytes as u64;
                let what = format!("{archive}/{name} to pass it over");
                next = sent(say, Said::Passed(what, done, total));
            }
            Unpacked::Passed(..) => {}
        }
        Ok(next)
    })?;
    Ok(next)
}

/// Says something; `Break` when nobody will ever hear it.
fn sent(say: &Sender<Said>, said: Said) -> ControlFlow<()> {
    if say.blocking_send(said).is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Returns the path in its archive.
fn member(source: &DumpFile) -> &str {
    match &source.packed {
        Packing::Member { member, .. } => member,
        Packing::Plain | Packing::Gzip => "",
    }
}

fn rows(
    input: &mut dyn Read,
    read: &AtomicU64,
    (index, source): (usize, &DumpFile),
    part_bytes: usize,
    say: &Sender<Said>,
) -> Result<ControlFlow<()>> {
    let input = BufReader::with_capacity(READ_AT_ONCE, input);
    let mut parts = PartCutter::new(RowReader::new(input, source.table, &source.name), source.table, part_bytes);
    while let Some(part) = parts.next_part()? {
        if sent(say, Said::Part(index, part, read.load(Ordering::Relaxed))).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    source.check_unchanged()?;
    Ok(sent(say, Said::End(index)))
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
