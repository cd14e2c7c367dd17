//! The tables on AWS: the index in the lake is the truth, and Glue, which Athena, Hive, Trino, Spark and Redshift Spectrum
//! read, is made to follow.
//!
//! ```text
//! publish: compare-and-set of the index, which also takes the turn -> tables to Glue -> note what is shown, end the turn
//! ```
//!
//! What a crash leaves undone is in the index: a table whose current run is not the one noted as shown. Whoever publishes,
//! rolls back, collects garbage or queries next does it. See docs/decisions/013.

mod calls;
mod show;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use tokio::sync::watch;

use super::state::CatalogState;
use super::{Catalog, Index};
use crate::aws::Session;
use crate::error::{Error, Kind, Result};
use crate::names::{RunId, Uri};
use crate::plan::Version;
use crate::store::Owner;
use crate::store::document::nonce;
use show::GlueTurn;
use table::ShownVersion;

/// How long the lease of a writer that was killed keeps others on other machines waiting; on its own it is seen to be gone.
/// A writer lengthens its lease as it goes.
const LENGTH: SignedDuration = SignedDuration::from_secs(60);

/// Tables written at once: more would only be throttled.
const AT_ONCE: usize = 4;

/// How often is looked whether someone else has finished.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The Glue database in which the tables of a lake in S3 are shown.
pub struct GlueTables {
    session: Session,
    database: String,
    curated: Uri,
    owner: Owner,
    waits: watch::Sender<String>,
}

impl GlueTables {
    /// Returns the tables at `curated` as `database` shows them, written by `owner`, this process.
    pub fn new(session: Session, database: &str, curated: &Uri, owner: Owner) -> Self {
        let waits = watch::Sender::new(String::new());
        Self { session, database: database.into(), curated: curated.clone(), owner, waits }
    }

    /// Returns a channel on which a call that is going on says, in a sentence, what it waits for.
    pub(super) fn waits(&self) -> watch::Receiver<String> {
        self.waits.subscribe()
    }

    fn wanted<'a>(&'a self, version: &'a Version, generation: u64) -> ShownVersion<'a> {
        ShownVersion { version, curated: &self.curated, generation }
    }

    /// Refuses tables that Glue has from someone else, before anything is published. Known tables are ours.
    ///
    /// # Errors
    /// `Usage` for such a table; those of Glue.
    pub(super) async fn refuse_foreign(&self, seen: &Index, versions: &[Version]) -> Result<()> {
        let new = versions.iter().filter(|version| !seen.tables.contains_key(&version.table));
        let look = new.map(|version| async move {
            let found = self.table(&version.table).await?;
            found.map_or(Ok(()), |found| self.must_be_ours(&found, &version.table))
        });
        try_join_all(look).await.map(drop)
    }

    /// Says once for whom we wait.
    fn tell_wait(&self, state: &CatalogState) {
        let Some(lease) = &state.lease else { return };
        let who = format!("Waiting for {}, which shows the tables in Glue: until", lease.claim.owner);
        self.waits.send_if_modified(|told| {
            let new = !told.starts_with(&who);
            if new {
                *told = format!("{who} {:.0} at the latest.", lease.claim.until);
            }
            new
        });
    }
}

impl Catalog {
    /// Makes Glue say what the index says; does what a crash or a failure left undone. Before files are removed nobody may
    /// point at them any more, so this comes first. Nothing where the tables are not shown in Glue.
    ///
    /// # Errors
    /// Those of Glue and of the store.
    pub async fn settle(&self) -> Result<()> {
        match &self.glue {
            Some(_) => self.follow(&nonce(), self.state().await?).await,
            None => Ok(()),
        }
    }

    /// Takes the turn to write to Glue, if there is any and nobody else has it.
    pub(super) fn take_turn(&self, state: &mut CatalogState, by: &str) {
        if let Some(glue) = &self.glue {
            state.lend(by, &glue.owner, self.store.now(), LENGTH);
        }
    }

    /// Shows in Glue what is not shown yet; waits while someone else is at it, who may show ours as well.
    pub(super) async fn follow(&self, by: &str, mut state: CatalogState) -> Result<()> {
        let Some(glue) = &self.glue else { return Ok(()) };
        loop {
            let pending = state.pending();
            if pending.is_empty() && !state.is_lent_to(by) {
                return Ok(());
            }
            let lease = state.lease.as_ref().filter(|lease| lease.by == by);
            let Some(until) = lease.map(|lease| lease.claim.until) else {
                let mut taken = false;
                let take = |state: &mut CatalogState| {
                    taken = !state.pending().is_empty() && state.lend(by, &glue.owner, self.store.now(), LENGTH);
                    Ok(taken)
                };
                state = self.change(take).await?;
                if !taken && !state.pending().is_empty() {
                    glue.tell_wait(&state);
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                continue;
            };
            let turn = GlueTurn::new(self, glue, by, until);
            let (shown, failed) = self.show_all(&pending, &state, &turn).await;
            // Someone may have published meanwhile and be waiting for this turn to end: then it goes on.
            let note = |state: &mut CatalogState| {
                state.note_shown(by, &pending, shown.clone());
                if failed.is_some() || state.pending().is_empty() {
                    state.end_lease(by);
                }
                Ok(true)
            };
            state = self.change(note).await?;
            // Whoever has taken the turn meanwhile shows what was ours too.
            if let Some(error) = failed.filter(|error| error.kind != Kind::Held) {
                return Err(
                    error.hint("the lake has it: `soflow tables`; the next command that publishes shows it in Glue")
                );
            }
        }
    }

    /// Returns the tables that are shown now, and what went wrong first.
    async fn show_all(
        &self,
        pending: &BTreeMap<String, RunId>,
        state: &CatalogState,
        turn: &GlueTurn<'_>,
    ) -> (BTreeMap<String, RunId>, Option<Error>) {
        let one = async |(table, run): (&String, &RunId)| {
            let done = async {
                let version = match state.versions.get(table).filter(|version| version.run == *run) {
                    Some(version) => version.clone(),
                    None => self.expected(table, run).await?,
                };
                show::show(turn, turn.glue.wanted(&version, state.generation)).await
            };
            done.await.map(|()| (table.clone(), run.clone()))
        };
        let ended = futures_util::stream::iter(pending.iter().map(one)).buffer_unordered(AT_ONCE);
        let (mut shown, mut failed) = (BTreeMap::new(), None);
        for done in ended.collect::<Vec<_>>().await {
            match done {
                Ok(one) => shown.extend([one]),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        (shown, failed)
    }

    async fn expected(&self, table: &str, run: &RunId) -> Result<Version> {
        self.version(table, run).await?.ok_or_else(|| {
            Error::new(Kind::Machine, format!("the catalog's file about `{table}` of `{run}` is gone"))
                .hint(format!("go back to another version: `soflow rollback {table}`"))
        })
    }
}
