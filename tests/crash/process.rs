//! A process that dies at a write, and the store through which it writes.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fs_err as fs;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use soflow::error::{Error, Kind, Result};
use soflow::names::Uri;
use soflow::store::{FileStore, Inventory, Object, Store, Tag};

/// How the end comes at the fatal write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Death {
    /// Nothing of it is on disk.
    Before,
    /// Half of it is: an unfinished file, half a folder removed.
    Halfway,
    /// All of it is, and nobody was told.
    After,
}

pub const DEATHS: [Death; 3] = [Death::Before, Death::Halfway, Death::After];

/// What others do right before the catalog's index is written.
pub type Meanwhile = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The process of a run, which dies at its write number `at`, by a power cut; every call after that fails as well.
pub struct Process {
    pub at: u64,
    pub death: Death,
    pub writes: AtomicU64,
    pub dead: AtomicBool,
    pub last: Mutex<String>,
    /// Files that steps wrote and nobody has made survive a power cut.
    pub unsynced: Mutex<BTreeSet<PathBuf>>,
    pub meanwhile: Mutex<Option<Meanwhile>>,
    /// Whether the answer to the next writing of the catalog's index is lost.
    pub loses_answer: AtomicBool,
}

impl Process {
    pub fn dying(at: u64, death: Death) -> Arc<Self> {
        let (writes, dead) = (AtomicU64::new(0), AtomicBool::new(false));
        let (last, unsynced, meanwhile) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { at, death, writes, dead, last, unsynced, meanwhile, loses_answer: AtomicBool::new(false) })
    }

    pub fn healthy() -> Arc<Self> {
        Self::dying(u64::MAX, Death::Before)
    }

    pub fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Machine, "the process is dead"));
        }
        Ok(())
    }

    /// Counts a write; returns how to die with it, if this is the one.
    pub fn write(&self, what: &str) -> Result<Option<Death>> {
        self.alive()?;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number != self.at {
            return Ok(None);
        }
        self.dead.store(true, Ordering::SeqCst);
        *self.last.lock().unwrap() = what.to_string();
        // The machine goes down with it.
        for path in std::mem::take(&mut *self.unsynced.lock().unwrap()) {
            let body = fs::read(&path).unwrap();
            fs::write(&path, &body[..body.len() / 2]).unwrap();
        }
        Ok(Some(self.death))
    }
}

pub struct DyingStore(pub Arc<Process>);

impl DyingStore {
    async fn before(&self, uri: &Uri) {
        let meanwhile = if is_index(uri) { self.0.meanwhile.lock().unwrap().take() } else { None };
        if let Some(meanwhile) = meanwhile {
            meanwhile().await;
        }
    }

    fn answer<T>(&self, uri: &Uri, answer: T) -> Result<T> {
        if is_index(uri) && self.0.loses_answer.swap(false, Ordering::SeqCst) {
            return Err(Error::new(Kind::Machine, "S3 did not answer `PutObject`"));
        }
        Ok(answer)
    }
}

fn is_index(uri: &Uri) -> bool {
    uri.as_str().ends_with("/_catalog/catalog.json")
}

#[async_trait]
impl Store for DyingStore {
    async fn list_all(&self, prefix: &Uri) -> Result<Vec<Object>> {
        self.0.alive()?;
        FileStore.list_all(prefix).await
    }

    async fn inventory(&self, prefix: &Uri) -> Result<Inventory> {
        self.0.alive()?;
        FileStore.inventory(prefix).await
    }

    async fn sync(&self, root: &Uri, objects: &[Object]) -> Result<()> {
        self.0.alive()?;
        for object in objects {
            self.0.unsynced.lock().unwrap().remove(&object.uri.to_path().unwrap());
        }
        FileStore.sync(root, objects).await
    }

    async fn get(&self, uri: &Uri) -> Result<Option<Vec<u8>>> {
        self.0.alive()?;
        FileStore.get(uri).await
    }

    async fn put(&self, uri: &Uri, body: &[u8]) -> Result<()> {
        match self.0.write(&format!("put {uri}"))? {
            None => return FileStore.put(uri, body).await,
            Some(Death::Before) => {}
            Some(Death::Halfway) => leave_half(uri, body),
            Some(Death::After) => FileStore.put(uri, body).await?,
        }
        self.0.alive()
    }

    async fn put_if_absent(&self, uri: &Uri, body: &[u8]) -> Result<Option<Tag>> {
        self.before(uri).await;
        match self.0.write(&format!("claim {uri}"))? {
            None => return self.answer(uri, FileStore.put_if_absent(uri, body).await?),
            Some(Death::Before) => {}
            Some(Death::Halfway) => leave_half(uri, body),
            Some(Death::After) => _ = FileStore.put_if_absent(uri, body).await?,
        }
        self.0.alive().map(|()| None)
    }

    async fn get_tagged(&self, uri: &Uri) -> Result<Option<(Vec<u8>, Tag)>> {
        self.0.alive()?;
        FileStore.get_tagged(uri).await
    }

    async fn put_if_match(&self, uri: &Uri, body: &[u8], tag: &Tag) -> Result<Option<Tag>> {
        self.before(uri).await;
        match self.0.write(&format!("replace {uri}"))? {
            None => return self.answer(uri, FileStore.put_if_match(uri, body, tag).await?),
            Some(Death::Before) => {}
            Some(Death::Halfway) => leave_half(uri, body),
            Some(Death::After) => _ = FileStore.put_if_match(uri, body, tag).await?,
        }
        self.0.alive().map(|()| None)
    }

    async fn get_part(&self, object: &Object, range: Range<u64>) -> Result<Option<bytes::Bytes>> {
        self.0.alive()?;
        FileStore.get_part(object, range).await
    }

    async fn size(&self, uri: &Uri) -> Result<Option<u64>> {
        self.0.alive()?;
        FileStore.size(uri).await
    }

    async fn put_file(&self, uri: &Uri, file: &Path, progress: &(dyn Fn(u64) + Sync)) -> Result<()> {
        self.0.alive()?;
        FileStore.put_file(uri, file, progress).await
    }

    fn now(&self) -> Timestamp {
        FileStore.now()
    }

    async fn remove(&self, prefix: &Uri) -> Result<()> {
        match self.0.write(&format!("remove {prefix}"))? {
            None => return FileStore.remove(prefix).await,
            Some(Death::Before) => {}
            Some(Death::Halfway) => {
                if let Some(first) = FileStore.list(prefix).await?.first() {
                    FileStore.remove(&first.uri).await?;
                }
            }
            Some(Death::After) => FileStore.remove(prefix).await?,
        }
        self.0.alive()
    }
}

/// What a write cut short leaves: a hidden file beside the place.
pub fn leave_half(uri: &Uri, body: &[u8]) {
    let folder = uri.to_path().unwrap().parent().unwrap().to_path_buf();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".soflow-unfinished-x"), &body[..body.len() / 2]).unwrap();
}
