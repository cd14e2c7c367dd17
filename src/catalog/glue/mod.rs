//! The catalog on AWS: the index in the lake is the truth, and Glue, which Athena, Hive, Trino, Spark and Redshift Spectrum
//! read, is made to follow.
//!
//! ```text
//! publish: compare-and-set of the index, which also takes the turn -> tables to Glue -> note what is shown, end the turn
//! ```
//!
//! What a crash leaves undone is in the index: a table whose current run is not the one noted as shown. Whoever publishes,
//! rolls back, collects garbage or queries next does it. See docs/decisions/013.

mod calls;
mod hive;
mod shapes;
mod show;
mod turn;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::object::ObjectCatalog;
use super::state::CatalogState;
use super::{Catalog, Index, Restored, VersionFile};
use crate::aws::Session;
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::Owner;
use crate::store::document::nonce;
use crate::store::lease::Claim;
use calls::Glue;
use show::Changes;
use turn::{GlueTurn, LENGTH};
use wanted::{RUN, ShownVersion};

/// Tables written at once: more would only be throttled.
const AT_ONCE: usize = 4;

/// How often is looked whether someone else has finished.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The tables of a lake in S3, shown in a Glue database.
pub struct GlueCatalog {
    objects: ObjectCatalog,
    glue: Glue,
    curated: Uri,
    owner: Owner,
    waits: watch::Sender<String>,
}

impl GlueCatalog {
    /// Returns the catalog `objects` of the tables at `curated`, shown in `database` by `owner`, this process.
    pub fn new(objects: ObjectCatalog, session: Session, database: &str, curated: &Uri, owner: Owner) -> Self {
        let waits = watch::Sender::new(String::new());
        Self { objects, glue: Glue::new(session, database), curated: curated.clone(), owner, waits }
    }

    fn wanted<'a>(&'a self, version: &'a Version, generation: u64) -> ShownVersion<'a> {
        ShownVersion { version, curated: &self.curated, generation }
    }

    /// Refuses tables that Glue has from someone else, before anything is published. Known tables are ours.
    async fn refuse_foreign(&self, seen: &Index, versions: &[Version]) -> Result<()> {
        let new = versions.iter().filter(|version| !seen.tables.contains_key(&version.table));
        let look = new.map(|version| async move {
            let found = self.glue.table(&version.table).await?;
            found.map_or(Ok(()), |found| show::must_be_ours(&found, self.wanted(version, 0), &self.glue))
        });
        try_join_all(look).await.map(drop)
    }

    /// Shows what is not shown yet; waits while someone else is at it, who may show ours as well.
    async fn follow(&self, by: &str, mut state: CatalogState) -> Result<()> {
        loop {
            let pending = state.pending();
            if pending.is_empty() && !state.is_lent_to(by) {
                return Ok(());
            }
            let lease = state.lease.as_ref().filter(|lease| lease.by == by);
            let Some(until) = lease.map(|lease| lease.claim.until) else {
                let mut taken = false;
                state = self
                    .objects
                    .change(|state| {
                        taken = !state.pending().is_empty() && state.lend(by, &self.owner, self.objects.now(), LENGTH);
                        Ok(taken)
                    })
                    .await?;
                if !taken && !state.pending().is_empty() {
                    self.tell_wait(&state);
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                continue;
            };
            let turn = GlueTurn::new(&self.objects, by, &self.owner, until);
            let (shown, failed) = self.show_all(&pending, &state, &turn).await;
            // Someone may have published meanwhile and be waiting for this turn to end: then it goes on.
            state = self
                .objects
                .change(|state| {
                    state.note_shown(by, &pending, shown.clone());
                    if failed.is_some() || state.pending().is_empty() {
                        state.end_lease(by);
                    }
                    Ok(true)
                })
                .await?;
            // Whoever has taken the turn meanwhile shows what was ours too.
            if let Some(error) = failed.filter(|error| error.kind != Kind::Held) {
                return Err(
                    error.hint("the lake has it: `soflow tables`; the next command that publishes shows it in Glue")
                );
            }
        }
    }

    /// Says once for whom we wait.
    fn tell_wait(&self, state: &CatalogState) {
        let Some(lease) = &state.lease else { return };
        let Claim { owner: who, until, .. } = &lease.claim;
        let text = format!("Waiting for {who}, which shows the tables in Glue: until {until:.0} at the latest.");
        self.waits.send_if_modified(|told| {
            let new = !told.starts_with(&format!("Waiting for {who},"));
            if new {
                *told = text;
            }
            new
        });
    }

    /// Returns the tables that are shown now, and what went wrong first.
    async fn show_all(
        &self,
        pending: &BTreeMap<String, RunId>,
        state: &CatalogState,
        turn: &GlueTurn<'_>,
    ) -> (BTreeMap<String, RunId>, Option<Error>) {
        let one = |(table, run): (&String, &RunId)| {
            let (table, run) = (table.clone(), run.clone());
            async move {
                let done = self.show_one(&table, &run, state, turn).await;
                (table, run, done)
            }
        };
        let ended: Vec<_> =
            futures_util::stream::iter(pending.iter().map(one)).buffer_unordered(AT_ONCE).collect().await;
        let mut shown = BTreeMap::new();
        let mut failed = None;
        for (table, run, done) in ended {
            match done {
                Ok(()) => drop(shown.insert(table, run)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        (shown, failed)
    }

    async fn show_one(&self, table: &str, run: &RunId, state: &CatalogState, turn: &GlueTurn<'_>) -> Result<()> {
        let version = match state.versions.get(table).filter(|version| version.run == *run) {
            Some(version) => version.clone(),
            None => self.kept(table, run).await?,
        };
        show::show(&self.glue, self.wanted(&version, state.generation), turn).await
    }

    async fn kept(&self, table: &str, run: &RunId) -> Result<Version> {
        self.objects.version(table, run).await?.ok_or_else(|| {
            Error::new(Kind::Machine, format!("the catalog's file about `{table}` of `{run}` is gone"))
                .hint(format!("go back to another version: `soflow rollback {table}`"))
        })
    }

    /// Returns how Glue differs from a version.
    async fn differences(&self, table: &str, run: &RunId) -> Result<Vec<String>> {
        let version = self.kept(table, run).await?;
        let name = format!("{}.{table}", self.glue.database);
        if version.schema.is_empty() {
            return Ok(Vec::new());
        }
        let Some(found) = self.glue.table(table).await? else { return Ok(vec![format!("Glue has no table `{name}`")]) };
        let wanted = self.wanted(&version, 0);
        if let Err(error) = show::must_be_ours(&found, wanted, &self.glue) {
            return Ok(vec![error.message]);
        }
        let mut differences = Vec::new();
        match found.parameters.get(RUN) {
            Some(shown) if *shown != run.to_string() => {
                differences.push(format!("the Glue table `{name}` shows version `{shown}` instead of `{run}`"));
            }
            _ if !wanted.is_shown_by(&found) => differences.push(format!("the Glue table `{name}` was changed")),
            _ => {}
        }
        if !version.partition_by.is_empty() {
            let changes = Changes::between(&self.glue.partitions(table).await?, wanted.partitions());
            if changes.count() > 0 {
                differences.push(format!("partitions of the Glue table `{name}` differ: {}", changes.count()));
            }
        }
        Ok(differences)
    }
}

#[async_trait]
impl Catalog for GlueCatalog {
    async fn index(&self) -> Result<Index> {
        self.objects.index().await
    }

    async fn version(&self, table: &str, run: &RunId) -> Result<Option<Version>> {
        self.objects.version(table, run).await
    }

    async fn publish(&self, seen: &Index, versions: &[Version]) -> Result<Option<Error>> {
        self.refuse_foreign(seen, versions).await?;
        let by = nonce();
        let publish = |state: &mut CatalogState| {
            let changed = state.publish(seen, versions)?;
            if changed {
                state.lend(&by, &self.owner, self.objects.now(), LENGTH);
            }
            Ok(changed)
        };
        let state = self.objects.publish_index(versions, publish).await?;
        Ok(self.follow(&by, state).await.err())
    }

    async fn point(&self, seen: &Index, to: &BTreeMap<String, RunId>) -> Result<Option<Error>> {
        let by = nonce();
        let point = |state: &mut CatalogState| {
            state.point(seen, to, self.objects.now())?;
            state.lend(&by, &self.owner, self.objects.now(), LENGTH);
            Ok(true)
        };
        let state = self.objects.change(point).await?;
        Ok(self.follow(&by, state).await.err())
    }

    async fn forget(&self, seen: &Index, versions: &[(String, RunId)]) -> Result<()> {
        self.settle().await?;
        self.objects.forget(seen, versions).await
    }

    async fn version_files(&self) -> Result<Vec<VersionFile>> {
        self.objects.version_files().await
    }

    async fn restore(&self, published: &BTreeSet<RunId>, write: bool) -> Result<Restored> {
        let restored = self.objects.restore(published, write).await?;
        if write {
            self.settle().await?;
        }
        Ok(restored)
    }

    fn waits(&self) -> watch::Receiver<String> {
        self.waits.subscribe()
    }

    async fn settle(&self) -> Result<()> {
        let state = self.objects.state().await?;
        if state.pending().is_empty() { Ok(()) } else { self.follow(&nonce(), state).await }
    }

    async fn check(&self) -> Result<Vec<String>> {
        let index = self.objects.index().await?;
        let look = index.tables.iter().map(|(table, entry)| self.differences(table, &entry.current));
        Ok(try_join_all(look).await?.into_iter().flatten().collect())
    }
}
