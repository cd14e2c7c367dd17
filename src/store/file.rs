//! Objects as files. Every write goes to a hidden file beside its place, is synced, and appears under its name at once.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use fs_err as fs;
use jiff::Timestamp;

use super::{Object, Store};
use crate::error::{Error, Kind, Result};
use crate::names::Uri;

/// Start of the names of files being written. Listings pass them over; `gc` removes those a crash left.
const UNFINISHED: &str = ".soflow-unfinished-";

/// The store of `file:` locations.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileStore;

#[async_trait]
impl Store for FileStore {
    async fn list(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        walk(&path_of(prefix)?, &|name| !name.starts_with(['.', '_']), &|_| true, &mut found)?;
        found.sort_by(|a, b| a.uri.cmp(&b.uri));
        Ok(found)
    }

    async fn unfinished(&self, prefix: &Uri) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        walk(&path_of(prefix)?, &|_| true, &|name| name.starts_with(UNFINISHED), &mut found)?;
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

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<bool> {
        let path = path_of(uri)?;
        let file = write_beside(&path, body)?;
        match file.persist_noclobber(&path) {
            Ok(_) => sync_folder(&path).map(|()| true),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error.into()),
        }
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

fn write_beside(path: &Path, body: &[u8]) -> Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    let write = |file: &mut tempfile::NamedTempFile| file.write_all(body).and_then(|()| file.as_file().sync_all());
    write(&mut file).map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok(file)
}

/// Makes the new name itself survive a power cut, not only the content.
fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    Ok(fs::File::open(folder)?.sync_all()?)
}

/// Adds all files below `folder` whose own name and whose folders' names are wanted.
fn walk(
    folder: &Path,
    enter: &dyn Fn(&str) -> bool,
    want: &dyn Fn(&str) -> bool,
    found: &mut Vec<Object>,
) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // A folder may also vanish while it is walked: a step's temporary one, when the step commits.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !enter(&name) {
            continue;
        }
        let path = entry.path();
        let about = match fs::metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if about.is_dir() {
            walk(&path, enter, want, found)?;
        } else if want(&name) {
            let modified = Timestamp::try_from(about.modified()?).unwrap_or(Timestamp::UNIX_EPOCH);
            let etag = format!("{}-{}", about.len(), modified.as_nanosecond());
            found.push(Object { uri: Uri::from_path(&path), bytes: about.len(), etag, modified });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_first_of_two_claims_wins() {
        let folder = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(folder.path()).join("runs/1/run.json");
        assert!(FileStore.put_if_absent(&uri, b"mine").await.unwrap());
        assert!(!FileStore.put_if_absent(&uri, b"theirs").await.unwrap());
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
