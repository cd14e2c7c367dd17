//! What people were told of runs that nobody watched: one object a job and date, so that each failure is told once, and that
//! it is over once too.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::names::{RunKey, Uri};
use crate::store::Store;
use crate::store::document::{self, StoredDocument};

/// How long whoever wants to tell something has to do so, before another one may: longer than a function may take.
const TELLING: Duration = Duration::from_secs(150);

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// It failed.
    Failed,
    /// It is published after a failure that was told.
    Recovered,
}

/// What someone wants to tell.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// Of which job and date.
    pub key: &'a RunKey,
    /// What.
    pub news: News,
    /// What it is about: a run, or an execution that has none.
    pub about: &'a str,
}

/// What was told last about a job and date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What.
    pub news: News,
    /// What it is about: a run, or an execution that has none.
    pub about: String,
    /// When someone set about telling it, UTC by the store's clock.
    pub since: Timestamp,
    /// Whether it was told.
    pub told: bool,
}

impl StoredDocument for Alert {
    fn parse(uri: &Uri, body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|error| {
            Error::new(Kind::Machine, format!("`{uri}`, what people were told, is damaged"))
                .caused_by(error)
                .hint("remove the file: what it was about is told again then")
        })
    }
}

fn alert_uri(artifacts: &Uri, key: &RunKey) -> Uri {
    artifacts.join(&format!("alerts/{}/{}.json", key.job, key.date))
}

/// Tells by `tell` what there is to tell about a job and date, unless that was done. Returns whether it was told now.
/// What was not told because its process ended is told by the next one: twice at worst, never not at all.
///
/// # Errors
/// Those of `tell` and of the store; `Held` while another process is at it.
pub async fn tell_once(
    store: &dyn Store,
    artifacts: &Uri,
    Telling { key, news, about }: Telling<'_>,
    tell: impl AsyncFnOnce() -> Result<()>,
) -> Result<bool> {
    let (uri, now) = (alert_uri(artifacts, key), store.now());
    let begin = |found: &mut Option<Alert>| match found {
        // Nobody was told that anything was wrong.
        None if news == News::Recovered => Ok((false, false)),
        Some(last) if last.news == news && (last.told || last.about == about) => {
            if last.told {
                // A later success is no news, another failure is.
                if news == News::Recovered || last.about == about {
                    return Ok((false, false));
                }
            } else if now.duration_since(last.since).unsigned_abs() < TELLING {
                return Err(Error::new(Kind::Held, format!("`{}` for {} is being told of", key.job, key.date))
                    .hint("it is told in a moment"));
            }
            *last = Alert { news, about: about.into(), since: now, told: false };
            Ok((true, true))
        }
        found => {
            *found = Some(Alert { news, about: about.into(), since: now, told: false });
            Ok((true, true))
        }
    };
    if !document::change(store, &uri, begin).await?.answer {
        return Ok(false);
    }
    tell().await?;
    let end = |found: &mut Option<Alert>| match found {
        Some(last) if last.news == news && last.about == about => {
            last.told = true;
            Ok(((), true))
        }
        // Something newer is being told.
        _ => Ok(((), false)),
    };
    document::change(store, &uri, end).await?;
    Ok(true)
}

/// Returns the jobs and dates of which a failure was the last thing that was told.
///
/// # Errors
/// Those of the store.
pub async fn failures_told(store: &dyn Store, artifacts: &Uri) -> Result<Vec<RunKey>> {
    let root = artifacts.join("alerts");
    let mut keys = Vec::new();
    for object in store.list(&root).await? {
        let name = object.uri.below(&root).and_then(|name| name.strip_suffix(".json")?.split_once('/'));
        let Some((job, date)) = name else { continue };
        let Ok(date) = date.parse() else { continue };
        let found = document::read::<Alert>(store, &object.uri).await?;
        if found.is_some_and(|(alert, _)| alert.news == News::Failed && alert.told) {
            keys.push(RunKey { job: job.into(), date });
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::store::FileStore;

    fn key() -> RunKey {
        RunKey { job: "daily".into(), date: "2026-11-22".parse().unwrap() }
    }

    async fn tells(artifacts: &Uri, news: News, about: &str, result: Result<()>) -> Result<bool> {
        let asked = Cell::new(false);
        let told = tell_once(&FileStore, artifacts, Telling { key: &key(), news, about }, async || {
            asked.set(true);
            result
        })
        .await;
        if let Ok(told) = &told {
            assert_eq!(*told, asked.get());
        }
        told
    }

    #[tokio::test]
    async fn each_failure_is_told_once_and_so_is_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Uri::from_path(folder.path());
        assert!(!tells(&lake, News::Recovered, "daily.2026-11-22.1", Ok(())).await.unwrap(), "nothing had failed");
        for (news, run, expected) in [
            (News::Failed, "1", true),
            (News::Failed, "1", false),
            (News::Failed, "2", true),
            (News::Recovered, "3", true),
            (News::Recovered, "3", false),
            (News::Recovered, "4", false),
            (News::Failed, "5", true),
        ] {
            assert_eq!(tells(&lake, news, run, Ok(())).await.unwrap(), expected, "{news:?} {run}");
        }
        assert_eq!(failures_told(&FileStore, &lake).await.unwrap(), [key()]);
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_told_later() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Uri::from_path(folder.path());
        let lost = Err(Error::new(Kind::Machine, "no answer"));
        assert_eq!(tells(&lake, News::Failed, "1", lost).await.unwrap_err().kind, Kind::Machine);
        // Whoever was at it may still be.
        assert_eq!(tells(&lake, News::Failed, "1", Ok(())).await.unwrap_err().kind, Kind::Held);
        let uri = alert_uri(&lake, &key());
        let (mut alert, _) = document::read::<Alert>(&FileStore, &uri).await.unwrap().unwrap();
        alert.since = Timestamp::UNIX_EPOCH;
        FileStore.put(&uri, &document::json(&alert).unwrap()).await.unwrap();
        assert!(tells(&lake, News::Failed, "1", Ok(())).await.unwrap());
    }
}
