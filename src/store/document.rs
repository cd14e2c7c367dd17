//! JSON objects that several processes change: what was read is compared before it is replaced.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use serde::Serialize;

use super::{Store, Tag};
use crate::error::{Error, Kind, Result};
use crate::names::Uri;

/// How often a write is tried: others win a few times in a row, never so often.
const TRIES: u32 = 40;

/// Longest pause between two tries; all of them together take about seven seconds.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A JSON object that several processes change.
pub trait StoredDocument: Serialize + Sized + Send + Sync {
    /// Returns what the content of the object at `uri` says.
    ///
    /// # Errors
    /// `Machine` when it is damaged, with what to do about that.
    fn parse(uri: &Uri, body: &[u8]) -> Result<Self>;

    /// Makes the content unlike any other before it is written, so that a lost answer can be told from a lost race.
    fn stamp(&mut self) {}
}

/// A document after a change.
pub struct Changed<T, A> {
    /// What the change answered.
    pub answer: A,
    /// What is there now.
    pub document: Option<T>,
    /// Its tag.
    pub tag: Option<Tag>,
}

/// Returns a document and its tag, or `None` when there is none.
///
/// # Errors
/// Those of the store and of [`StoredDocument::parse`].
pub async fn read<T: StoredDocument>(store: &dyn Store, uri: &Uri) -> Result<Option<(T, Tag)>> {
    let Some((body, tag)) = store.get_tagged(uri).await? else { return Ok(None) };
    Ok(Some((T::parse(uri, &body)?, tag)))
}

/// Writes a document in place of the one with `tag`, or where there is none. Returns its tag, or `None` when someone else
/// was faster.
///
/// # Errors
/// Those of the store.
pub async fn replace<T: StoredDocument>(
    store: &dyn Store,
    uri: &Uri,
    document: &mut T,
    tag: Option<&Tag>,
) -> Result<Option<Tag>> {
    document.stamp();
    let body = json(document)?;
    match tag {
        Some(tag) => store.put_if_match(uri, &body, tag).await,
        None => store.put_if_absent(uri, &body).await,
    }
}

/// Reads a document, lets `apply` change it, and writes it back, until nobody has changed it in between. `apply` answers, and
/// says whether it has changed anything; a document of which it left nothing is removed.
///
/// # Errors
/// Those of `apply` and of the store; `Held` when others change the document all the time.
pub async fn change<T: StoredDocument, A>(
    store: &dyn Store,
    uri: &Uri,
    mut apply: impl FnMut(&mut Option<T>) -> Result<(A, bool)>,
) -> Result<Changed<T, A>> {
    let mut contention = Contention::on(uri);
    loop {
        let (mut document, tag) = read(store, uri).await?.unzip();
        let (answer, altered) = apply(&mut document)?;
        let written = match (&mut document, &tag) {
            _ if !altered => return Ok(Changed { answer, document, tag }),
            (Some(document), tag) => replace(store, uri, document, tag.as_ref()).await?.map(Some),
            (None, Some(tag)) => store.remove_if_match(uri, tag).await?.then_some(None),
            (None, None) => Some(None),
        };
        if let Some(tag) = written {
            return Ok(Changed { answer, document, tag });
        }
        contention.lost().await?;
    }
}

/// Returns what is written of a value.
///
/// # Errors
/// `Internal` when it cannot be JSON.
pub fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value)
        .map_err(|error| Error::new(Kind::Internal, "a document cannot be written as JSON").caused_by(error))
}

/// Returns 16 characters unlike any drawn before.
pub fn nonce() -> String {
    // The standard library seeds its hashers at random; equal names would need 2^32 writers.
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// The tries of one write.
pub struct Contention<'a> {
    uri: &'a Uri,
    lost: u32,
}

impl<'a> Contention<'a> {
    /// Returns the tries of a write of `uri`, none of them made.
    pub const fn on(uri: &'a Uri) -> Self {
        Self { uri, lost: 0 }
    }

    /// Waits a moment after a try that was lost.
    ///
    /// # Errors
    /// `Held` after 40 of them.
    pub async fn lost(&mut self) -> Result<()> {
        self.lost += 1;
        if self.lost == TRIES {
            let what = format!("`{}` cannot be written: {TRIES} times someone else's write came first", self.uri);
            return Err(Error::new(Kind::Held, what).hint("run the same command again"));
        }
        tokio::time::sleep((Duration::from_millis(5) * self.lost).min(LONGEST_PAUSE)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::store::FileStore;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Counter {
        count: u32,
    }

    impl StoredDocument for Counter {
        fn parse(uri: &Uri, body: &[u8]) -> Result<Self> {
            serde_json::from_slice(body).map_err(|_| Error::new(Kind::Machine, format!("`{uri}` is damaged")))
        }
    }

    fn add(found: &mut Option<Counter>) -> Result<(u32, bool)> {
        let counter = found.get_or_insert_default();
        counter.count += 1;
        Ok((counter.count, true))
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_others_come_before_is_made_on_top_of_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(folder.path()).join("counter.json");
        let mut others = 0;
        let changed = change(&FileStore, &uri, |found: &mut Option<Counter>| {
            let answer = add(found)?;
            // Someone else writes after it was read, twice.
            if others < 2 {
                others += 1;
                fs_err::write(uri.to_path().unwrap(), format!("{{\"count\":{}}}", others * 10)).unwrap();
            }
            Ok(answer)
        });
        assert_eq!(changed.await.unwrap().answer, 21);
        assert_eq!(read::<Counter>(&FileStore, &uri).await.unwrap().unwrap().0, Counter { count: 21 });
    }

    #[tokio::test]
    async fn a_document_of_which_nothing_is_left_is_removed_and_a_damaged_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let uri = Uri::from_path(folder.path()).join("counter.json");
        change(&FileStore, &uri, add).await.unwrap();
        let nothing = |found: &mut Option<Counter>| Ok((found.take(), true));
        assert_eq!(change(&FileStore, &uri, nothing).await.unwrap().answer, Some(Counter { count: 1 }));
        assert_eq!(FileStore.get(&uri).await.unwrap(), None);
        FileStore.put(&uri, b"{}").await.unwrap();
        assert_eq!(change(&FileStore, &uri, add).await.err().unwrap().kind, Kind::Machine);
    }
}
