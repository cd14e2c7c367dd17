//! Work spread over a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Kind, Result};

/// More threads than this do not read one disk faster, and each holds a batch in memory.
const MOST_THREADS: usize = 8;

/// Returns `work` of every item in the order of the items, done by as many threads as there are cores, at most 8.
///
/// # Errors
/// Those of [`map_on`].
pub fn map<I: Sync, R: Send>(items: &[I], work: impl Fn(&I) -> Result<R> + Sync) -> Result<Vec<R>> {
    map_on(thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS), items, work)
}

/// Returns `work` of every item in the order of the items, done by at most so many threads.
///
/// # Errors
/// The failure of the first failing item, by order and not by time. Items after it may or may not have been worked on.
pub fn map_on<I: Sync, R: Send>(threads: usize, items: &[I], work: impl Fn(&I) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            let result = work(item);
            let failed = result.is_err();
            done.push((at, result));
            if failed {
                // Whoever holds an earlier item still finishes it, so the first failure by order is always seen.
                next.store(items.len(), Ordering::Relaxed);
            }
        }
    };
    let mut done = Vec::with_capacity(items.len());
    thread::scope(|scope| -> Result<()> {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        for worker in workers {
            done.extend(worker.join().map_err(|_| Error::new(Kind::Internal, "a reading thread panicked"))?);
        }
        Ok(())
    })?;
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(map(&items, |item| Ok(item * 2)).unwrap(), (0..1000).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(map(&[] as &[usize], |item| Ok(*item)).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn the_first_failure_by_order_is_reported() {
        let items: Vec<usize> = (0..100).collect();
        let fail = |item: &usize| {
            if *item >= 7 { Err(Error::new(Kind::Audit, format!("item {item}"))) } else { Ok(*item) }
        };
        for _ in 0..20 {
            assert_eq!(map(&items, fail).unwrap_err().message, "item 7");
        }
    }
}
