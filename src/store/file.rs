//! Objects as files. Every write goes to a hidden file beside its place, is synced, and appears under its name at once.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use fs_err as fs;
use jiff::Timestamp;

use super::{Inventory, Object, Store, Tag};
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
        // Whoever moves a part of a lake to another disk leaves a link behind.
        Ok(walk(&path_of(prefix)?, true)?.objects)
    }

    async fn inventory(&self, prefix: &Uri) -> Result<Inventory> {
        walk(&path_of(prefix)?, false)
    }

    async fn sync(&self, root: &Uri, objects: &[Object]) -> Result<()> {
        let (root, mut places) = (path_of(root)?, BTreeSet::new());
        for object in objects {
            let path = path_of(&object.uri)?;
            places.extend(path.ancestors().take_while(|folder| folder.starts_with(&root)).map(Path::to_path_buf));
        }
        places.extend(root.parent().filter(|_| !places.is_empty()).map(Path::to_path_buf));
        places.iter().try_for_each(|place| sync(place))
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        if_there(fs::read(path_of(uri)?))
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        let path = path_of(uri)?;
        let file = write_beside(&path, body)?;
        file.persist(&path).map_err(|error| Error::from(error.error))?;
        sync(folder_of(&path))
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        let path = path_of(uri)?;
        let file = write_beside(&path, body)?;
        match file.persist_noclobber(&path) {
            Ok(_) => sync(folder_of(&path)).map(|()| Some(tag(body))),
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
        // Many parts are read, and long ones: what waits on the runtime's thread goes on meanwhile.
        let object = object.clone();
        let read = tokio::task::spawn_blocking(move || part(&object, range)).await;
        read.map_err(|error| Error::new(Kind::Internal, "a reading thread panicked").caused_by(error))?
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        let about = if_there(fs::metadata(path_of(uri)?))?;
        Ok(about.filter(Metadata::is_file).map(|about| about.len()))
    }

    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        let path = path_of(uri)?;
        let mut beside = beside(&path)?;
        let copied = std::io::copy(&mut fs::File::open(file)?, beside.as_file_mut());
        let copied = copied.map_err(|error| named(&path, &error))?;
        sync(beside.path())?;
        progress(copied);
        beside.persist(&path).map_err(|error| Error::from(error.error))?;
        sync(folder_of(&path))
    }

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        let path = path_of(prefix)?;
        if_there(if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) })?;
        remove_empty_above(&path);
        Ok(())
    }
}

/// Returns whether an object is what a write cut short by a crash has left: no reader ever sees it. In S3 an object appears
/// whole or not at all; parts of unfinished uploads are for the bucket's lifecycle rule to remove.
pub fn is_unfinished(object: &Object) -> bool {
    object.uri.to_path().and_then(|path| Some(path.file_name()?.to_str()?.starts_with(UNFINISHED))).unwrap_or(false)
}

/// Opens a file that a listing showed; `None` when it has been removed or replaced since then.
///
/// # Errors
/// `Machine` when it cannot be opened, `Usage` when it is not on this machine.
fn open_listed(object: &Object) -> Result<Option<fs::File>> {
    let Some(file) = if_there(fs::File::open(path_of(&object.uri)?))? else { return Ok(None) };
    let same = etag(&file.metadata()?)? == object.etag;
    Ok(same.then_some(file))
}

fn part(object: &Object, range: Range<u64>) -> Result<Option<Bytes>> {
    let Some(mut file) = open_listed(object)? else { return Ok(None) };
    file.seek(SeekFrom::Start(range.start))?;
    let wanted = range.end.saturating_sub(range.start);
    let mut part = Vec::with_capacity(wanted.min(object.bytes) as usize);
    file.take(wanted).read_to_end(&mut part)?;
    if part.len() as u64 != wanted {
        return Err(Error::new(Kind::Machine, format!("`{}` could not be read to its end", object.uri)));
    }
    Ok(Some(part.into()))
}

/// Removes the folders of a run above `path` that have become empty: an object store has no such thing.
fn remove_empty_above(path: &Path) {
    let is_run = |folder: &&Path| {
        folder
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("run=") || name.starts_with("run-"))
    };
    let Some(run) = path.ancestors().skip(1).find(is_run) else { return };
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(run)) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
}

/// Returns what came of an operation on a file; `None` when there is no such file.
fn if_there<T>(done: std::io::Result<T>) -> Result<Option<T>> {
    match done {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        done => Ok(Some(done?)),
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
    file.write_all(body).map_err(|error| named(path, &error))?;
    sync(file.path())?;
    Ok(file)
}

/// Returns a new hidden file in the folder of `path`, for everyone that the umask lets read it: lakes are shared.
fn beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let everyone = std::fs::Permissions::from_mode(0o666);
    Ok(tempfile::Builder::new().prefix(UNFINISHED).permissions(everyone).tempfile_in(folder)?)
}

/// Makes a folder and those above it; all of them survive a power cut.
///
/// # Errors
/// `Machine` when it cannot be made.
pub fn make_folder(folder: &Path) -> Result<()> {
    let new: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    new.into_iter().try_for_each(|folder| sync(folder_of(folder)))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn named(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Makes a file's content, or the names in a folder, survive a power cut.
fn sync(path: &Path) -> Result<()> {
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(path.to_path_buf()));
    Ok(fs::File::open(path)?.sync_all()?)
}

/// Returns all files below `folder`; `follow`: also what links lead to, in their place.
fn walk(folder: &Path, follow: bool) -> Result<Inventory> {
    let mut found = Inventory::default();
    walk_into(folder, follow, &mut found)?;
    found.objects.sort_by(|a, b| a.uri.cmp(&b.uri));
    found.links.sort();
    Ok(found)
}

fn walk_into(folder: &Path, follow: bool, found: &mut Inventory) -> Result<()> {
    // A folder may also vanish while it is walked: a step's temporary one, when the step commits.
    for entry in if_there(fs::read_dir(folder))?.into_iter().flatten() {
        let path = entry?.path();
        let about = if_there(if follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) })?;
        let Some(about) = about else { continue };
        if about.is_symlink() {
            found.links.push(Uri::from_path(&path));
        } else if about.is_dir() {
            walk_into(&path, follow, found)?;
        } else {
            let (etag, modified) = (etag(&about)?, modified(&about)?);
            found.objects.push(Object { uri: Uri::from_path(&path), bytes: about.len(), etag, modified });
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
mod tests;
