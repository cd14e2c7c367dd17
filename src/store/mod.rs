//! Objects at a URI: the few operations soflow needs of a file system or of S3.

mod file;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::Result;
use crate::names::Uri;

pub use file::FileStore;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Where it is.
    pub uri: Uri,
    /// Its size in bytes.
    pub bytes: u64,
    /// Changes whenever the content is replaced: an `ETag`, or size and modification time.
    pub etag: String,
    /// When it was written last.
    pub modified: Timestamp,
}

/// Objects at a URI.
///
/// Names starting with `.` or with `_` (Spark's `_temporary`, `_SUCCESS`) never show up in listings.
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns all objects below `prefix`, sorted by URI; none when there is no such prefix.
    async fn list(&self, prefix: &Uri) -> Result<Vec<Object>>;

    /// Returns what writes cut short by a crash have left below `prefix`; no reader ever sees those.
    async fn unfinished(&self, prefix: &Uri) -> Result<Vec<Object>>;

    /// Returns the content, or `None` when there is no such object.
    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>>;

    /// Writes or replaces an object; a reader sees the old or the new content, never a part, also after a crash.
    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()>;

    /// Writes an object unless there is one already; returns whether it wrote. Of several callers exactly one writes.
    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<bool>;

    /// Removes everything at and below `prefix`; nothing there is no error.
    async fn remove(&self, prefix: &Uri) -> Result<()>;
}
