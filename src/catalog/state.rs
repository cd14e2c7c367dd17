//! What `catalog.json` holds, and the only ways in which it changes. Pure: who writes it, and how often, is elsewhere.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::delta::DeltaHead;
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::Owner;
use crate::store::document::{StoredDocument, nonce};
use crate::store::lease::Claim;

/// A version of more partitions than this, some 300 bytes each, is read from its own file: the index is written several
/// times a publication.
const MOST_PARTITIONS: usize = 1000;

/// Which version of each table readers see, and which ones they could go back to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// Counts publications, rollbacks and collections.
    pub generation: u64,
    /// By table name.
    pub tables: BTreeMap<String, TableHistory>,
    /// Current versions by table, as far as the index holds them: see [`super::Catalog::current`].
    pub versions: BTreeMap<String, Version>,
    /// Whether what follows the index, such as Glue on AWS, is known to say the same.
    pub shown: bool,
}

impl Index {
    /// Returns the run whose version of `table` readers see.
    pub fn current(&self, table: &str) -> Option<&RunId> {
        self.tables.get(table).map(|entry| &entry.current)
    }

    /// Returns those of `tables` whose readers see another version now than they did in `seen`.
    pub fn moved<'a>(&self, seen: &Self, tables: impl IntoIterator<Item = &'a String>) -> Vec<&'a String> {
        tables.into_iter().filter(|table| self.current(table) != seen.current(table)).collect()
    }

    /// Returns the tables that `run` has published.
    pub fn published_by<'a>(&'a self, run: &RunId) -> impl Iterator<Item = &'a String> {
        self.tables.iter().filter(move |(_, entry)| entry.keeps(run)).map(|(table, _)| table)
    }

    /// Returns whether the version of `table` that `run` published is kept.
    pub fn keeps(&self, table: &str, run: &RunId) -> bool {
        self.tables.get(table).is_some_and(|entry| entry.keeps(run))
    }
}

/// The versions of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableHistory {
    /// The run whose version readers see.
    pub current: RunId,
    /// All versions kept, oldest first.
    pub history: Vec<Published>,
}

/// A version in a table's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// The run that published it.
    pub run: RunId,
    /// When, UTC.
    pub at: Timestamp,
    /// Rows in all its partitions.
    pub rows: u64,
    /// Bytes in all its partitions.
    pub bytes: u64,
    /// When readers were last pointed elsewhere, UTC; `None` while they see it, and where an older soflow pointed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl TableHistory {
    /// Returns the version before the current one: the one to go back to.
    pub fn before(&self) -> Option<&Published> {
        let at = self.history.iter().position(|known| known.run == self.current)?;
        self.history.get(at.checked_sub(1)?)
    }

    /// Returns whether the version of `run` is kept.
    pub fn keeps(&self, run: &RunId) -> bool {
        self.history.iter().any(|known| known.run == *run)
    }

    /// Points readers at the version of `run`.
    fn show(&mut self, run: &RunId, now: Timestamp) {
        let before = std::mem::replace(&mut self.current, run.clone());
        for known in &mut self.history {
            if known.run == *run {
                known.until = None;
            } else if known.run == before {
                known.until = Some(now);
            }
        }
    }
}

/// The content of `catalog.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CatalogState {
    /// As in [`Index`].
    pub generation: u64,
    /// As in [`Index`].
    pub tables: BTreeMap<String, TableHistory>,
    /// Unlike any other writer's: tells our own object after a lost answer from someone else's.
    #[serde(default)]
    pub by: String,
    /// Versions that are not kept any more, as table and run, until the files about them are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<(String, RunId)>,
    /// The version of each table that Glue, on AWS, shows completely.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<String, RunId>,
    /// How far the Delta log of each table is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub delta: BTreeMap<String, DeltaHead>,
    /// Who is writing to Glue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<GlueLease>,
    /// What the files of current versions say, so that a plan reads one object and not one a table. Not all are here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, Version>,
}

/// The lease of whoever writes to Glue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlueLease {
    /// Unlike any other holder's: one process may publish several times at once.
    pub by: String,
    /// Its claim.
    #[serde(flatten)]
    pub claim: Claim,
}

impl StoredDocument for CatalogState {
    fn parse(uri: &Uri, body: &[u8]) -> Result<Self> {
        super::parse(uri, body)
    }

    fn stamp(&mut self) {
        self.by = nonce();
    }
}

impl CatalogState {
    /// Returns what readers of the catalog see.
    pub fn index(self) -> Index {
        let shown = self.pending().is_empty();
        Index { generation: self.generation, tables: self.tables, versions: self.versions, shown }
    }

    /// Makes all versions current. Returns whether anything changed: not when an earlier attempt had already done it.
    ///
    /// # Errors
    /// `Held` when one of the tables has moved since the index was `seen`.
    pub fn publish(&mut self, seen: &Index, versions: &[Version]) -> Result<bool> {
        let now = self.clone().index();
        let there = |version: &Version| now.keeps(&version.table, &version.run);
        // The answer to an attempt may be lost, and others may have published since: a run publishes only once.
        if let Err(moved) = must_stand(&now, seen, versions.iter().map(|version| &version.table)) {
            return if versions.iter().all(there) { Ok(false) } else { Err(moved) };
        }
        // A collection may have taken away what a version would stand on.
        let stands = |version: &&Version| version.base.as_ref().is_none_or(|base| now.keeps(&version.table, base));
        if let Some(version) = versions.iter().find(|version| !stands(version)) {
            return Err(held(format!("what `{}` was to be put on top of is not kept any more", version.table)));
        }
        self.generation += 1;
        for version in versions {
            let new = || TableHistory { current: version.run.clone(), history: Vec::new() };
            let entry = self.tables.entry(version.table.clone()).or_insert_with(new);
            entry.history.retain(|known| known.run != version.run);
            entry.history.push(published(version));
            entry.show(&version.run, version.published_at);
            self.shown.remove(&version.table);
            self.versions.remove(&version.table);
            if version.partitions.len() <= MOST_PARTITIONS {
                self.versions.insert(version.table.clone(), version.clone());
            }
        }
        Ok(true)
    }

    /// Points tables at versions of their history; those are shown anew also when nothing changes.
    ///
    /// # Errors
    /// `Held` as in `publish`; `Usage` when a version is not kept.
    pub fn point(&mut self, seen: &Index, to: &BTreeMap<String, RunId>, now: Timestamp) -> Result<()> {
        must_stand(&self.clone().index(), seen, to.keys())?;
        self.generation += 1;
        for (table, run) in to {
            let kept = self.tables.get_mut(table).filter(|entry| entry.keeps(run));
            let entry = kept.ok_or_else(|| {
                Error::new(Kind::Usage, format!("table `{table}` has no version of run `{run}`"))
                    .hint(format!("`soflow tables show {table}` lists its versions"))
            })?;
            entry.show(run, now);
            self.shown.remove(table);
            self.versions.remove(table);
        }
        Ok(())
    }

    /// Drops versions from the history; current ones stay.
    ///
    /// # Errors
    /// `Held` when anything was published since the index was `seen`.
    pub fn forget(&mut self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        if self.generation != seen.generation {
            return Err(held("someone else published while this was going on".into()));
        }
        self.generation += 1;
        for (table, run) in versions {
            if let Some(entry) = self.tables.get_mut(table).filter(|entry| entry.current != *run) {
                entry.history.retain(|known| known.run != *run);
                self.forgotten.push((table.clone(), run.clone()));
            }
        }
        Ok(())
    }

    /// Returns the tables whose current version is not shown everywhere yet, with that version's run.
    pub fn pending(&self) -> BTreeMap<String, RunId> {
        let current = self.tables.iter().map(|(table, entry)| (table.clone(), entry.current.clone()));
        let is_shown = |table: &String, run: &RunId| {
            self.shown.get(table) == Some(run) && self.delta.get(table).is_some_and(|head| head.run == *run)
        };
        current.filter(|(table, run)| !is_shown(table, run)).collect()
    }

    /// Returns whether `by` holds the lease.
    pub fn is_lent_to(&self, by: &str) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.by == by)
    }

    /// Lends the lease to `by` of the process `owner`, or lengthens it, unless another process holds it and may still be
    /// there. Returns whether `by` has it now.
    pub fn lend(&mut self, by: &str, owner: &Owner, now: Timestamp, length: SignedDuration) -> bool {
        if self.lease.as_ref().is_some_and(|lease| lease.by != by && lease.claim.is_live(now, owner)) {
            return false;
        }
        let until = now.checked_add(length).unwrap_or(now);
        self.lease = Some(GlueLease { by: by.into(), claim: Claim { until, ..Claim::new("", owner, now) } });
        true
    }

    /// Notes which tables are shown, and how far their logs are.
    pub fn note_shown(&mut self, shown: &BTreeMap<String, DeltaHead>) {
        for (table, head) in shown {
            self.shown.insert(table.clone(), head.run.clone());
            self.delta.insert(table.clone(), head.clone());
        }
    }

    /// Forgets that tables are shown in Glue: without the lease someone else may have written at the same time.
    pub fn doubt(&mut self, tables: &BTreeMap<String, RunId>) {
        self.shown.retain(|table, _| !tables.contains_key(table));
    }

    /// Takes the lease back from `by`.
    pub fn end_lease(&mut self, by: &str) {
        self.lease.take_if(|lease| lease.by == by);
    }
}

/// Returns a version as a table's history has it.
pub fn published(version: &Version) -> Published {
    let (rows, bytes) = (version.rows(), version.bytes());
    Published { run: version.run.clone(), at: version.published_at, rows, bytes, until: None }
}

/// Refuses to build on tables that others have published since they were seen.
fn must_stand<'a>(now: &Index, seen: &Index, tables: impl Iterator<Item = &'a String>) -> Result<()> {
    let moved = now.moved(seen, tables);
    let Some(first) = moved.first() else { return Ok(()) };
    let by = now.current(first).map_or_else(String::new, |run| format!(" by `{run}`"));
    let names = moved.iter().map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ");
    Err(held(format!("{names} was published{by} while this was going on")))
}

fn held(what: String) -> Error {
    Error::new(Kind::Held, what).hint("run the same command again: it starts from what is published now")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(table: &str, run: &str) -> Version {
        Version {
            table: table.into(),
            run: run.parse().unwrap(),
            published_at: Timestamp::UNIX_EPOCH,
            published_with: [].into(),
            content: crate::names::Digest::of([table, run]),
            base: None,
            made_by: BTreeMap::new(),
            applied: [].into(),
            brought: BTreeMap::new(),
            schema: Vec::new(),
            partition_by: Vec::new(),
            partitions: Vec::new(),
        }
    }

    #[test]
    fn the_lease_on_glue_of_an_earlier_version_is_kept_to() {
        let text = r#"{"generation":1,"tables":{},"by":"x","lease":{"by":"1","owner":{"who":"anna@laptop","host":"laptop",
            "process":7,"started":5,"space":"boot pid"},"until":"2026-11-22T03:00:00Z"}}"#;
        let mut state: CatalogState = serde_json::from_str(text).unwrap();
        let me = Owner::me("ben@server", "server");
        let [before, after] = ["2026-11-22T02:59:59Z", "2026-11-22T03:00:00Z"].map(|at| at.parse().unwrap());
        assert!(!state.lend("2", &me, before, SignedDuration::from_secs(60)));
        assert_eq!(state.lease.as_ref().unwrap().claim.owner.who, "anna@laptop");
        assert!(state.lend("2", &me, after, SignedDuration::from_secs(60)));
        let text = serde_json::to_value(&state.lease).unwrap();
        assert_eq!((text["by"].as_str(), text["until"].as_str()), (Some("2"), Some("2026-11-22T03:01:00Z")));
    }

    #[test]
    fn only_the_tables_that_are_written_must_be_as_they_were_seen() {
        let mut state = CatalogState::default();
        let seen = Index::default();
        let mine = [version("questions", "daily.2026-11-22.1")];
        assert!(state.publish(&seen, &[version("other", "single.2026-11-22.1")]).unwrap());
        assert!(state.publish(&seen, &mine).unwrap(), "nobody has touched its table");
        assert!(!state.publish(&seen, &mine).unwrap(), "it is published once");
        let behind = state.publish(&seen, &[version("questions", "daily.2026-11-21.1")]).unwrap_err();
        let said = "`questions` was published by `daily.2026-11-22.1` while this was going on";
        assert_eq!((behind.kind, behind.message.as_str()), (Kind::Held, said));
        let now = state.clone().index();
        assert!(state.publish(&now, &[version("questions", "daily.2026-11-21.1")]).unwrap());
        let back: BTreeMap<String, RunId> = [("other".to_string(), "single.2026-11-22.1".parse().unwrap())].into();
        state.point(&now, &back, Timestamp::UNIX_EPOCH).unwrap();
        let questions = [("questions".to_string(), "daily.2026-11-22.1".parse().unwrap())].into();
        assert_eq!(state.point(&now, &questions, Timestamp::UNIX_EPOCH).unwrap_err().kind, Kind::Held);
    }
}
