//! The bytes of Parquet files, wherever they are: by ranges of the store, as a listing showed them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::error::{Error, Kind, Result};
use crate::names::Uri;
use crate::store::{Object, Store};

/// Requests going on at once: they wait for S3 and not for us, which begins to answer after 100 to 200 ms and takes 5500
/// reads a second for each prefix. Source: AWS, "Best practices design patterns: optimizing Amazon S3 performance".
pub(super) const REQUESTS: usize = 16;

/// Stored bytes of columns in memory at once. A row group whose columns take more is read alone.
const IN_MEMORY: u64 = 256 << 20;

/// Stored bytes of small files that are kept, since reading their footers has read all of them.
const KEPT: u64 = 64 << 20;

/// The unit of both: semaphores count to 2^32 at a time.
const UNIT: u64 = 1 << 10;

/// Read from the end for the footer. A footer takes about 100 bytes for each column of each row group.
pub(super) const TAIL: u64 = 64 << 10;

/// Chunks closer than this are read together: 1 MiB arrives in the time that another request would take to begin.
const GAP: u64 = 1 << 20;

/// The way to the files of a lake. All of a run's are read with one: it bounds their memory.
pub struct Reader {
    store: Arc<dyn Store>,
    in_memory: Semaphore,
    kept: Arc<Semaphore>,
}

impl Reader {
    /// Returns a reader of what is in `store`.
    pub fn new(store: Arc<dyn Store>) -> Arc<Self> {
        let units = |bytes: u64| Semaphore::new((bytes / UNIT) as usize);
        Arc::new(Self { store, in_memory: units(IN_MEMORY), kept: Arc::new(units(KEPT)) })
    }

    /// Waits until so many more bytes may be held in memory. Whoever holds some must not ask for more.
    pub(super) async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        let room = self.in_memory.acquire_many(units(bytes.min(IN_MEMORY))).await;
        room.map_err(|error| Error::new(Kind::Internal, "the memory of an audit is closed").caused_by(error))
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// Returns `work` of every item in their order, 16 at a time.
///
/// # Errors
/// The failure of the first failing item, by order and not by time.
pub(super) fn each<'a, I, R: Send + 'a>(
    items: impl Iterator<Item = I> + Send + 'a,
    work: impl FnMut(I) -> BoxFuture<'a, Result<R>> + Send + 'a,
) -> BoxFuture<'a, Result<Vec<R>>> {
    stream::iter(items.map(work)).buffered(REQUESTS).try_collect().boxed()
}

/// The bytes of a file as a listing showed it.
#[derive(Clone)]
pub(super) struct FileBytes {
    pub reader: Arc<Reader>,
    pub object: Object,
    /// The end of the file while its footer is read, and all of a small file afterwards.
    tail: Bytes,
    /// Allows to keep `tail`.
    kept: Option<Arc<OwnedSemaphorePermit>>,
}

impl FileBytes {
    pub fn new(object: &Object, reader: &Arc<Reader>) -> Self {
        Self { reader: reader.clone(), object: object.clone(), tail: Bytes::new(), kept: None }
    }

    /// Reads the footer: one request, two when it is longer than 64 KiB.
    pub async fn footer(&mut self) -> ParquetResult<ParquetMetaData> {
        let size = self.object.bytes;
        self.tail = self.part(size.saturating_sub(TAIL)..size).await?;
        let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(TAIL as usize));
        let footer = reader.load_and_finish(&mut *self, size).await;
        let keep = || self.reader.kept.clone().try_acquire_many_owned(units(size)).ok();
        self.kept = (size <= TAIL).then(keep).flatten().map(Arc::new);
        if self.kept.is_none() {
            self.tail = Bytes::new();
        }
        footer
    }

    async fn part(&self, range: Range<u64>) -> ParquetResult<Bytes> {
        if let Some(start) = range.start.checked_sub(self.object.bytes - self.tail.len() as u64) {
            return Ok(self.tail.slice(start as usize..(start + range.end - range.start) as usize));
        }
        let part = self.reader.store.get_part(&self.object, range).await;
        part.and_then(|part| part.ok_or_else(|| changed(&self.object.uri)))
            .map_err(|error| ParquetError::External(Box::new(error)))
    }
}

impl AsyncFileReader for FileBytes {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        Box::pin(self.part(range))
    }

    /// Reads the ranges in as few pieces as is worth it.
    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        Box::pin(async move {
            let pieces = coalesced(&ranges);
            let mut read = Vec::with_capacity(pieces.len());
            for piece in &pieces {
                read.push(self.part(piece.clone()).await?);
            }
            let of = |range: &Range<u64>| {
                let at = pieces.partition_point(|piece| piece.end < range.end);
                let start = pieces[at].start;
                read[at].slice((range.start - start) as usize..(range.end - start) as usize)
            };
            Ok(ranges.iter().map(of).collect())
        })
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        Box::pin(async { self.footer().await.map(Arc::new) })
    }
}

/// Returns sorted ranges that together cover `wanted`, those closer than 1 MiB as one.
pub(super) fn coalesced(wanted: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = wanted.to_vec();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut pieces: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match pieces.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP) => last.end = last.end.max(range.end),
            _ => pieces.push(range),
        }
    }
    pieces
}

/// Returns the failure of an object that is not what a listing has shown.
fn changed(uri: &Uri) -> Error {
    Error::new(Kind::Audit, format!("`{uri}` was removed or replaced while it was audited"))
        .hint("find what else writes there, then run the step again")
}

#[cfg(test)]
mod tests;
