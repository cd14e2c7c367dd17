//! What the tests of this folder share.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::error::{Error, Kind, Result};
use crate::names::Uri;
use crate::store::{FileStore, Inventory, Object, Store, Tag};

/// A file store whose disk is full after some writes.
pub(super) struct Failing {
    puts_left: AtomicUsize,
}

impl Failing {
    pub(super) fn after(puts: usize) -> Self {
        Self { puts_left: AtomicUsize::new(puts) }
    }
}

#[async_trait]
impl Store for Failing {
    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>> {
        FileStore.list_all(prefix).await
    }
    async fn inventory(&self, prefix: &Uri) -> Result<Inventory> {
        FileStore.inventory(prefix).await
    }
    async fn sync(&self, root: &Uri, objects: &[Object]) -> Result<()> {
        FileStore.sync(root, objects).await
    }
    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        FileStore.get(uri).await
    }
    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        let left = self.puts_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => FileStore.put(uri, body).await,
            Err(_) => Err(Error::new(Kind::Machine, "the disk is full")),
        }
    }
    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        FileStore.put_if_absent(uri, body).await
    }
    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        FileStore.get_tagged(uri).await
    }
    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>> {
        FileStore.put_if_match(uri, body, tag).await
    }
    async fn get_part(&self, object: &Object, range: std::ops::Range<u64>) -> Result<Option<bytes::Bytes>> {
        FileStore.get_part(object, range).await
    }
    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        FileStore.size(uri).await
    }
    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        FileStore.put_file(uri, file, progress).await
    }
    fn now(&self) -> jiff::Timestamp {
        FileStore.now()
    }
    async fn remove(&self, prefix: &Uri) -> Result<()> {
        FileStore.remove(prefix).await
    }
}
