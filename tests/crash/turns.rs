//! Everybody takes turns at the store, one call at a time, in an order drawn from a seed.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use soflow::error::Result;
use soflow::names::Uri;
use soflow::store::{Inventory, Object, Store, Tag};

use super::process::{DyingStore, Process};
use super::steps::path_of;

thread_local! {
    /// Counts the turns that were taken.
    static TURNS: Cell<u64> = const { Cell::new(0) };
}

/// Lets others have their turn.
pub async fn turn() {
    let mut taken = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut taken, true) {
            return Poll::Ready(());
        }
        TURNS.set(TURNS.get() + 1);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Numbers drawn from a seed: Marsaglia's xorshift64*.
pub struct Dice(RefCell<u64>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(RefCell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    pub fn below(&self, end: usize) -> usize {
        let mut state = self.0.borrow_mut();
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end
    }
}

/// Files of this machine, under their own names or as objects of a bucket; each call is a turn.
pub struct InTurns(pub Arc<Process>);

fn file(uri: &Uri) -> Uri {
    Uri::from_path(&path_of(&uri.as_str().into()))
}

/// Returns the URI of a file in the place that was asked about.
pub fn like(asked: &Uri, found: &Uri) -> Uri {
    let path = found.to_path().unwrap();
    match asked.bucket_and_key() {
        None => found.clone(),
        Some((bucket, _)) => Uri::in_bucket(bucket, path.to_str().unwrap().trim_start_matches('/')),
    }
}

fn all_like(asked: &Uri, found: Vec<Object>) -> Vec<Object> {
    found.into_iter().map(|object| Object { uri: like(asked, &object.uri), ..object }).collect()
}

impl InTurns {
    fn inner(&self) -> DyingStore {
        DyingStore(self.0.clone())
    }
}

#[async_trait]
impl Store for InTurns {
    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>> {
        turn().await;
        Ok(all_like(prefix, self.inner().list_all(&file(prefix)).await?))
    }

    async fn inventory(&self, prefix: &Uri) -> Result<Inventory> {
        turn().await;
        let Inventory { objects, links } = self.inner().inventory(&file(prefix)).await?;
        Ok(Inventory { objects: all_like(prefix, objects), links })
    }

    async fn sync(&self, root: &Uri, objects: &[Object]) -> Result<()> {
        let files: Vec<Object> = objects.iter().map(|o| Object { uri: file(&o.uri), ..o.clone() }).collect();
        self.inner().sync(&file(root), &files).await
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        turn().await;
        self.inner().get(&file(uri)).await
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        turn().await;
        self.inner().put(&file(uri), body).await
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        turn().await;
        self.inner().put_if_absent(&file(uri), body).await
    }

    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        turn().await;
        self.inner().get_tagged(&file(uri)).await
    }

    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>> {
        turn().await;
        self.inner().put_if_match(&file(uri), body, tag).await
    }

    /// No turn: these are read by threads of their own, which nobody orders.
    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<bytes::Bytes>> {
        self.inner().get_part(&Object { uri: file(&object.uri), ..object.clone() }, range).await
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        turn().await;
        self.inner().size(&file(uri)).await
    }

    async fn put_file(&self, uri: &Uri, from: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        turn().await;
        self.inner().put_file(&file(uri), from, progress).await
    }

    fn now(&self) -> Timestamp {
        self.inner().now()
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        turn().await;
        self.inner().remove(&file(prefix)).await
    }
}

/// Gives everybody their turns, in an order drawn from the seed, until all have ended.
pub async fn in_turns(dice: &Dice, mut actors: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>) {
    while !actors.is_empty() {
        let at = dice.below(actors.len());
        let before = TURNS.get();
        loop {
            let ended = std::future::poll_fn(|context| Poll::Ready(actors[at].as_mut().poll(context).is_ready())).await;
            if ended {
                drop(actors.swap_remove(at));
                break;
            }
            if TURNS.get() != before {
                break;
            }
            // It waits for a thread, a step or the time, and not for its turn.
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    }
}
