//! Objects at a URI: the few operations soflow needs of a file system or of S3.

pub mod document;
mod file;
pub mod lease;
mod owner;
mod s3;
mod upload;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::error::Result;
use crate::names::Uri;

pub use file::{FileStore, is_unfinished, make_folder};
pub use owner::Owner;
pub use s3::S3Store;
#[cfg(test)]
pub(crate) use s3::testing;

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

/// What is really below a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Its objects, those with hidden names too, sorted by URI.
    pub objects: Vec<Object>,
    /// Its symbolic links. What they lead to is not below the prefix.
    pub links: Vec<Uri>,
}

/// Stands for one content of an object: changes whenever it is replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// Returns whether readers of tables pass over what is below a relative path: whether a name on it starts with `.` or `_`.
pub fn is_hidden(below: &str) -> bool {
    below.split('/').any(|name| name.starts_with(['.', '_']))
}

/// Objects at a URI.
///
/// Names starting with `.` or with `_` (Spark's `_temporary`, `_SUCCESS`) show up in no listing but [`Store::list_all`].
#[async_trait]
pub trait Store: Send + Sync {
    /// Returns all objects below `prefix` that readers of tables see, sorted by URI; none when there is no such prefix.
    async fn list(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let mut found = self.list_all(prefix).await?;
        found.retain(|object| !is_hidden(object.uri.below(prefix).unwrap_or_default()));
        Ok(found)
    }

    /// Returns what [`Self::list`] does, and what has a hidden name or is below one.
    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>>;

    /// Returns the names of the folders directly below `prefix`, sorted; none when there is no such prefix.
    async fn folders(&self, prefix: &Uri) -> Result<Vec<String>> {
        let found = self.list(prefix).await?;
        let names = found.iter().filter_map(|object| Some(object.uri.below(prefix)?.split_once('/')?.0.to_string()));
        Ok(names.collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Returns all that is really below `prefix`: what may be removed is chosen from this.
    async fn inventory(&self, prefix: &Uri) -> Result<Inventory> {
        Ok(Inventory { objects: self.list_all(prefix).await?, links: Vec::new() })
    }

    /// Makes objects below `root` that another program wrote survive a power cut, as those written by [`Store::put`] do.
    async fn sync(&self, root: &Uri, objects: &[Object]) -> Result<()>;

    /// Returns the content, or `None` when there is no such object.
    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        Ok(self.get_tagged(uri).await?.map(|(body, _)| body))
    }

    /// Writes or replaces an object; a reader sees the old or the new content, never a part, also after a crash.
    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()>;

    /// Writes an object unless there is one already; returns its tag, or `None` when there was one. Of several callers
    /// exactly one writes. The body must be unlike anyone else's, so that a lost answer can be told from a lost race.
    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>>;

    /// Returns the content and its tag, or `None` when there is no such object.
    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>>;

    /// Replaces an object whose tag is still `tag`; returns its new tag, or `None` when someone else has changed it.
    /// Of several callers with the same tag exactly one writes. The body must be unlike anyone else's, as above.
    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>>;

    /// Returns a part of an object as a listing showed it; `None` when it has been removed or replaced since then.
    ///
    /// # Errors
    /// `Machine` also when the part is shorter than asked for: nothing is ever returned cut short.
    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<Bytes>>;

    /// Returns the size in bytes, or `None` when there is no such object.
    async fn size(&self, uri: &Uri) -> Result<Option<u64>>;

    /// Writes the content of a file of this machine, in parts when it is large; `progress` is given the bytes written so
    /// far. After a failure the same call goes on where it stopped, as far as the store can tell.
    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()>;

    /// Removes objects; one that is not there is no error.
    async fn remove_all(&self, objects: &[Uri]) -> Result<()> {
        for object in objects {
            self.remove(object).await?;
        }
        Ok(())
    }

    /// Removes an object whose tag is still `tag`; returns whether it did.
    async fn remove_if_match(&self, uri: &Uri, tag: &Tag) -> Result<bool> {
        match self.get_tagged(uri).await? {
            Some((_, found)) if found == *tag => self.remove(uri).await.map(|()| true),
            _ => Ok(false),
        }
    }

    /// Returns the time by the store's clock: leases of several machines must agree on it.
    fn now(&self) -> Timestamp;

    /// Removes everything at and below `prefix`; nothing there is no error.
    async fn remove(&self, prefix: &Uri) -> Result<()>;
}
