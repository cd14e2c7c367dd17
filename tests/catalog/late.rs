//! S3 some time later: the leases of the dead have run out.

use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use soflow::error::Result;
use soflow::names::Uri;
use soflow::store::{Object, S3Store, Store, Tag};

/// A store whose clock is ahead.
pub struct Late(pub S3Store, pub SignedDuration);

#[async_trait]
impl Store for Late {
    fn now(&self) -> Timestamp {
        self.0.now() + self.1
    }

    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>> {
        self.0.list_all(prefix).await
    }

    async fn sync(&self, root: &Uri, objects: &[Object]) -> Result<()> {
        self.0.sync(root, objects).await
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        self.0.get(uri).await
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        self.0.put(uri, body).await
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        self.0.put_if_absent(uri, body).await
    }

    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        self.0.get_tagged(uri).await
    }

    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>> {
        self.0.put_if_match(uri, body, tag).await
    }

    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<bytes::Bytes>> {
        self.0.get_part(object, range).await
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        self.0.size(uri).await
    }

    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        self.0.put_file(uri, file, progress).await
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        self.0.remove(prefix).await
    }
}
