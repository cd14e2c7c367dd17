//! Reading from threads that may block, while the runtime's own thread goes on: leases are renewed there.
//!
//! ```text
//! async caller ── awaits ── blocking thread ── up to 16 threads, each: a part of an object -> decode -> look
//!      └ drives the network for ────────────────────────┘
//! ```

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::parallel;
use crate::error::{Error, Kind, Result};
use crate::names::Uri;
use crate::store::{Object, Store};

/// Requests going on at once, whatever the cores: they wait for S3 and not for us, which begins to answer after 100 to
/// 200 ms and takes 5500 reads a second for each prefix. Source: AWS, "Best practices design patterns: optimizing Amazon
/// S3 performance".
const REQUESTS: usize = 16;

/// Stored bytes of columns in memory at once, over all threads. A row group whose columns take more is read alone.
const IN_MEMORY: u64 = 256 << 20;

/// Stored bytes of small files that are kept, since reading their footers has read all of them.
const KEPT: u64 = 64 << 20;

/// The unit of [`IN_MEMORY`]: semaphores count to 2^32 at a time.
const UNIT: u64 = 1 << 10;

/// A way to the objects of a lake from threads that may block. All of a run's are read with one: it bounds their memory.
pub struct Reader {
    store: Arc<dyn Store>,
    runtime: Handle,
    local: bool,
    abandoned: watch::Sender<bool>,
    in_memory: Arc<Semaphore>,
    kept: AtomicU64,
}

/// Allows to hold some bytes in memory, until dropped.
pub(super) type Room = OwnedSemaphorePermit;

impl Reader {
    /// Returns a reader of the lake at `prefix`. Must be called from within the runtime that reaches the store.
    pub fn new(store: Arc<dyn Store>, prefix: &Uri) -> Arc<Self> {
        Arc::new(Self {
            store,
            runtime: Handle::current(),
            local: prefix.to_path().is_some(),
            abandoned: watch::Sender::new(false),
            in_memory: Arc::new(Semaphore::new((IN_MEMORY / UNIT) as usize)),
            kept: AtomicU64::new(0),
        })
    }

    /// Does `work` on a thread that may block. When the returned future is dropped, the work ends at its next step.
    pub(super) async fn work<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let mut abandon = Abandon { reader: self, done: false };
        let reader = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&reader)).await;
        abandon.done = true;
        done.map_err(|error| Error::new(Kind::Internal, "a reading thread panicked").caused_by(error))?
    }

    /// Returns `work` of every item in their order: spread over the cores for files, over 16 threads for objects.
    pub(super) fn map<I: Sync, R: Send>(&self, items: &[I], work: impl Fn(&I) -> Result<R> + Sync) -> Result<Vec<R>> {
        if self.local { parallel::map(items, work) } else { parallel::map_on(REQUESTS, items, work) }
    }

    /// Fails once nobody waits for the work any more.
    pub(super) fn go_on(&self) -> Result<()> {
        if *self.abandoned.borrow() { Err(abandoned()) } else { Ok(()) }
    }

    /// Returns a part of an object. Blocks.
    ///
    /// # Errors
    /// `Audit` when the object has been removed or replaced since it was listed; `Machine` from the store.
    pub(super) fn part(&self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        self.wait(self.store.get_part(object, range))??.ok_or_else(|| changed(&object.uri))
    }

    /// Waits until so many more bytes may be held in memory. Whoever holds some must not ask for more.
    pub(super) fn room(&self, bytes: u64) -> Result<Room> {
        let units = bytes.min(IN_MEMORY).div_ceil(UNIT);
        let room = self.wait(self.in_memory.clone().acquire_many_owned(u32::try_from(units).unwrap_or(u32::MAX)))?;
        room.map_err(|error| Error::new(Kind::Internal, "the memory of an audit is closed").caused_by(error))
    }

    /// Returns whether a small file may stay in memory for as long as the reader.
    pub(super) fn may_keep(&self, bytes: u64) -> bool {
        let more = |kept: u64| Some(kept + bytes).filter(|kept| *kept <= KEPT);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Sound on a runtime of one thread as well: that one awaits [`Self::work`] and drives network and timers meanwhile.
    fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T> {
        let mut told = self.abandoned.subscribe();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = told.wait_for(|abandoned| *abandoned) => Err(abandoned()),
                done = future => Ok(done),
            }
        })
    }
}

/// Tells the threads when the future that waits for them is dropped: a runtime waits for them when it ends.
struct Abandon<'a> {
    reader: &'a Reader,
    done: bool,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.reader.abandoned.send_replace(true);
        }
    }
}

fn abandoned() -> Error {
    Error::new(Kind::Interrupted, "the audit was given up")
}

/// Returns the failure of an object that is not what a listing has shown.
pub(super) fn changed(uri: &Uri) -> Error {
    Error::new(Kind::Audit, format!("`{uri}` was removed or replaced while it was audited"))
        .hint("find what else writes there, then run the step again")
}

#[cfg(test)]
mod tests;
