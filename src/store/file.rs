//! Objects as files. Every write goes to a hidden file beside its place, is synced, and appears under its name at once.

use std::fs::Metadata;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use fs_err as fs;
use jiff::Timestamp;

use super::{Object, Store, Tag};
use crate::error::{Error, Kind, Result};
use crate::names::{Digest, Uri};

/// Start of the names of files being written. Listings pass them over; `gc` removes those a crash left.
const UNFINISHED: &str = ".soflow-unfinished-";

/// The store of `file:` locations.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileStore;

#[async_trait]
impl Store for FileStore {
    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        walk(&path_of(prefix)?, &|_| true, &mut found)?;
        found.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(found)
    }

    async fn unfinished(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        walk(&path_of(prefix)?, &|name| name.starts_with(UNFINISHED), &mut found)?;
        Ok(found)
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        match fs::read(path_of(uri)?) {
            Ok(body) => Ok(Some(body)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        let path = path_of(uri)?;
        let file = write_beside(&path, body)?;
        file.persist(&path).map_err(|error| Error::from(error.error))?;
        sync_folder(&path)
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        let path = path_of(uri)?;
        let file = write_beside(&path, body)?;
        match file.persist_noclobber(&path) {
            Ok(_) => sync_folder(&path).map(|()| Some(tag(body))),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error.error.into()),
        }
    }

    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        let body = self.get(uri).await?;
        Ok(body.map(|body| {
            let tag = tag(&body);
            (body, tag)
        }))
    }

    /// A file system cannot compare and replace in one step: callers hold the lake's lock.
    async fn put_if_match(&self, uri: &Uri, body: &[u8], expected: &Tag) -> Result<Option<Tag>> {
        match self.get_tagged(uri).await? {
            Some((_, found)) if found == *expected => self.put(uri, body).await.map(|()| Some(tag(body))),
            _ => Ok(None),
        }
    }

    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<Bytes>> {
        let Some(mut file) = open_listed(object)? else { return Ok(None) };
        file.seek(SeekFrom::Start(range.start))?;
        let wanted = range.end.saturating_sub(range.start);
        let mut part = Vec::new();
        file.take(wanted).read_to_end(&mut part)?;
        if part.len() as u64 != wanted {
            return Err(Error::new(Kind::Machine, format!("`{}` could not be read to its end", object.uri)));
        }
        Ok(Some(part.into()))
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        match fs::metadata(path_of(uri)?) {
            Ok(about) => Ok(about.is_file().then_some(about.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let path = path_of(uri)?;
        let mut beside = beside(&path)?;
        let copied = std::io::copy(&mut fs::File::open(file)?, beside.as_file_mut());
        let copied = copied.and_then(|bytes| beside.as_file().sync_all().map(|()| bytes));
        progress(copied.map_err(|error| named(&path, &error))?);
        beside.persist(&path).map_err(|error| Error::from(error.error))?;
        sync_folder(&path)
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        let path = path_of(prefix)?;
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => {
                remove_empty_above(&path);
                Ok(())
            }
        }
    }
}

/// Opens a file that a listing showed; `None` when it has been removed or replaced since then.
///
/// # Errors
/// `Machine` when it cannot be opened, `Usage` when it is not on this machine.
pub fn open_listed(object: &Object) -> Result<Option<fs::File>> {
    let file = match fs::File::open(path_of(&object.uri)?) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let same = etag(&file.metadata()?)? == object.etag;
    Ok(same.then_some(file))
}

/// Removes the partition and run folders above `path` that have become empty: an object store has no such thing.
fn remove_empty_above(path: &Path) {
    let ours = |folder: &&Path| folder.file_name().is_some_and(|name| name.to_string_lossy().contains('='));
    for folder in path.ancestors().skip(1).take_while(ours) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

fn path_of(uri: &Uri) -> Result<PathBuf> {
    uri.to_path().ok_or_else(|| Error::new(Kind::Usage, format!("`{uri}` is not on this machine")))
}

fn tag(body: &[u8]) -> Tag {
    Tag(Digest::of([body]).as_str().into())
}

fn write_beside(path: &Path, body: &[u8]) -> Result<tempfile::NamedTempFile> {
    let mut file = beside(path)?;
    let write = |file: &mut tempfile::NamedTempFile| file.write_all(body).and_then(|()| file.as_file().sync_all());
    write(&mut file).map_err(|error| named(path, &error))?;
    Ok(file)
}

/// Returns a new hidden file in the folder of `path`.
fn beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    Ok(tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?)
}

fn named(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Makes the new name itself survive a power cut, not only the content.
fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    Ok(fs::File::open(folder)?.sync_all()?)
}

/// Adds all files below `folder` whose names are wanted.
fn walk(folder: &Path, want: &dyn Fn(&str) -> bool, found: &mut Vec<Object>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder may also vanish while it is walked: a step's temporary one, when the step commits.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if about.is_dir() {
            walk(&path, want, found)?;
        } else if want(&name) {
            let (etag, modified) = (etag(&about)?, modified(&about)?);
            found.push(Object { uri: Uri::from_path(&path), bytes: about.len(), etag, modified });
        }
    }
    Ok(())
}

fn etag(about: &Metadata) -> Result<String> {
    Ok(format!("{}-{}", about.len(), modified(about)?.as_nanosecond()))
}

fn modified(about: &Metadata) -> Result<Timestamp> {
    Ok(Timestamp::try_from(about.modified()?).unwrap_or(Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_first_of_two_claims_wins() {
        let folder = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(folder.path()).join("runs/1/run.json");
        assert!(FileStore.put_if_absent(&uri, b"mine").await.unwrap().is_some());
        assert!(FileStore.put_if_absent(&uri, b"theirs").await.unwrap().is_none());
        assert_eq!(FileStore.get(&uri).await.unwrap().as_deref(), Some(&b"mine"[..]));
    }

    #[tokio::test]
    async fn listings_pass_over_hidden_names_and_missing_prefixes() {
        let folder = tempfile::tempdir().unwrap();
        let root = Uri::from_path(folder.path());
        for name in ["b/2.json", "a/1.json", "_temporary/x", "a/.crc", "a/_SUCCESS"] {
            FileStore.put(&root.join(name), b"x").await.unwrap();
        }
        let names: Vec<_> =
            FileStore.list(&root).await.unwrap().iter().map(|o| o.uri.below(&root).unwrap().to_string()).collect();
        assert_eq!(names, ["a/1.json", "b/2.json"]);
        assert_eq!(FileStore.list(&root.join("missing")).await.unwrap(), []);
    }

    #[tokio::test]
    async fn removing_is_idempotent() {
        let folder = tempfile::tempdir().unwrap();
        let root = Uri::from_path(folder.path());
        FileStore.put(&root.join("x/y"), b"1").await.unwrap();
        FileStore.remove(&root.join("x")).await.unwrap();
        FileStore.remove(&root.join("x")).await.unwrap();
        assert_eq!(FileStore.get(&root.join("x/y")).await.unwrap(), None);
        FileStore.put(&root.join("table/run=1/month=1/a"), b"1").await.unwrap();
        FileStore.put(&root.join("table/run=1/month=2/a"), b"1").await.unwrap();
        FileStore.remove(&root.join("table/run=1/month=1/a")).await.unwrap();
        assert!(
            !folder.path().join("table/run=1/month=1").exists() && folder.path().join("table/run=1/month=2").exists()
        );
        FileStore.remove(&root.join("table/run=1/month=2/a")).await.unwrap();
        assert!(!folder.path().join("table/run=1").exists() && folder.path().join("table").exists());
    }
}
