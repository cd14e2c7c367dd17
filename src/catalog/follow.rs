//! What follows the index, which is the truth: Glue on AWS, a Delta log beside the data of each table, and views for DuckDB.
//!
//! ```text
//! publish: compare-and-set of the index, which also takes the turn -> show each table -> note what is shown, end the turn
//! ```
//!
//! What a crash leaves undone is in the index: a table whose current run is not the one noted as shown. Whoever publishes,
//! rolls back, collects garbage or queries Athena next does it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use jiff::SignedDuration;

use super::delta::{DeltaHead, DeltaLog};
use super::glue::{self, GlueTables, GlueTurn};
use super::state::CatalogState;
use super::{Catalog, Index, duckdb};
use crate::error::{Error, Kind, Result};
use crate::names::RunId;
use crate::plan::Version;
use crate::store::document::nonce;

/// How long the lease of a writer that was killed keeps others on other machines waiting; on its own it is seen to be gone.
/// A writer lengthens its lease as it goes.
pub const LENGTH: SignedDuration = SignedDuration::from_secs(60);

/// Tables shown at once: of more calls Glue would only throttle some.
const TABLES_AT_ONCE: usize = 4;

/// How often a Delta log is read anew because someone else has written to it.
const TRIES: u32 = 5;

/// What is said when other readers cannot be shown what is published.
const LATER: &str = "the lake has it: `soflow tables`; the next command that publishes shows it to other readers";

/// How often is looked whether someone else has finished.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Catalog {
    /// Makes everything that follows the index say what it says; does what a crash or a failure left undone. Before files
    /// are removed nobody may point at them any more, so this comes first.
    ///
    /// # Errors
    /// Those of Glue and of the store.
    pub async fn settle(&self) -> Result<()> {
        self.follow(&nonce(), self.state().await?, &Index::default()).await
    }

    /// Takes the turn to write to Glue, if there is any and nobody else has it.
    pub(super) fn take_turn(&self, state: &mut CatalogState, by: &str) {
        if let Some(glue) = &self.glue {
            state.lend(by, &glue.owner, self.store.now(), LENGTH);
        }
    }

    /// Shows what is not shown yet; `seen` has versions that were current before.
    pub(super) async fn follow(&self, by: &str, state: CatalogState, seen: &Index) -> Result<()> {
        match &self.glue {
            Some(glue) => self.follow_in_turn(by, state, seen, glue).await,
            None => self.follow_alone(state, seen).await,
        }
    }

    /// Shows what is not shown yet where no Glue is: others may do so at the same time.
    async fn follow_alone(&self, mut state: CatalogState, seen: &Index) -> Result<()> {
        loop {
            let pending = state.pending();
            if pending.is_empty() {
                return Ok(());
            }
            let (shown, failed) = self.show_everywhere(&pending, &state, seen, None).await;
            let note = |state: &mut CatalogState| {
                state.note_shown(&shown);
                Ok(true)
            };
            state = self.change(note).await?;
            if let Some(error) = failed.filter(|error| error.kind != Kind::Held) {
                return Err(error.hint(LATER));
            }
        }
    }

    /// Shows what is not shown yet; waits while someone else is at it, who may show ours as well.
    async fn follow_in_turn(&self, by: &str, mut state: CatalogState, seen: &Index, glue: &GlueTables) -> Result<()> {
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
            let (shown, failed) = self.show_everywhere(&pending, &state, seen, Some(&turn)).await;
            // Someone may have published meanwhile and be waiting for this turn to end: then it goes on.
            let note = |state: &mut CatalogState| {
                if state.is_lent_to(by) {
                    state.note_shown(&shown);
                } else {
                    state.doubt(&pending);
                }
                if failed.is_some() || state.pending().is_empty() {
                    state.end_lease(by);
                }
                Ok(true)
            };
            state = self.change(note).await?;
            // Whoever has taken the turn meanwhile shows what was ours too.
            if let Some(error) = failed.filter(|error| error.kind != Kind::Held) {
                return Err(error.hint(LATER));
            }
        }
    }

    /// Returns the tables that are shown now, and what went wrong first.
    async fn show_everywhere(
        &self,
        pending: &BTreeMap<String, RunId>,
        state: &CatalogState,
        seen: &Index,
        turn: Option<&GlueTurn<'_>>,
    ) -> (BTreeMap<String, DeltaHead>, Option<Error>) {
        let mut tables = Vec::new();
        for (table, run) in pending {
            tables.push(self.show((table.as_str(), run), state, seen, turn).boxed());
        }
        let ended = futures_util::stream::iter(tables).buffer_unordered(TABLES_AT_ONCE);
        let (mut shown, mut failed) = (BTreeMap::new(), None);
        for done in ended.collect::<Vec<_>>().await {
            match done {
                Ok(one) => shown.extend([one]),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if failed.is_none() {
            failed = self.write_views(state).await.err();
        }
        (shown, failed)
    }

    /// Shows one table; returns its name, and how far its Delta log is.
    async fn show(
        &self,
        (table, run): (&str, &RunId),
        state: &CatalogState,
        seen: &Index,
        turn: Option<&GlueTurn<'_>>,
    ) -> Result<(String, DeltaHead)> {
        let version = self.of_state(state, table, run).await?;
        let head = self.show_in_delta(state.delta.get(table), seen, &version).await?;
        if let Some(turn) = turn.filter(|_| state.shown.get(table) != Some(run)) {
            glue::show(turn, turn.glue.wanted(&version, state.generation)).await?;
        }
        Ok((table.into(), head))
    }

    async fn show_in_delta(&self, head: Option<&DeltaHead>, seen: &Index, version: &Version) -> Result<DeltaHead> {
        if let Some(head) = head.filter(|head| head.run == version.run) {
            return Ok(head.clone());
        }
        let known = match head {
            Some(head) => match seen.versions.get(&version.table).filter(|before| before.run == head.run) {
                Some(before) => Some((head, before.clone())),
                None => self.version(&version.table, &head.run).await?.map(|before| (head, before)),
            },
            None => None,
        };
        let log = DeltaLog { store: self.store.as_ref(), curated: &self.curated, table: &version.table };
        if let Some(head) = log.extend(known, version).await? {
            return Ok(head);
        }
        // A crash came before it was noted how far the log is, or others write to it.
        for _ in 0..TRIES {
            let replayed = log.replay().await?;
            let (now, _) = self.read().await?;
            if now.tables.get(&version.table).is_none_or(|entry| entry.current != version.run) {
                return Err(Error::new(Kind::Held, format!("`{}` was published again meanwhile", version.table)));
            }
            if let Some(head) = log.correct(replayed, version).await? {
                return Ok(head);
            }
        }
        Err(Error::new(Kind::Machine, format!("others write to the Delta log of `{}` all the time", version.table)))
    }

    async fn write_views(&self, state: &CatalogState) -> Result<()> {
        let mut versions = Vec::new();
        for (table, entry) in &state.tables {
            versions.push(self.of_state(state, table, &entry.current).await?);
        }
        let text = duckdb::views(&self.curated, &versions);
        self.store.put(&self.root.join(duckdb::FILE), text.as_bytes()).await
    }

    async fn of_state(&self, state: &CatalogState, table: &str, run: &RunId) -> Result<Version> {
        match state.versions.get(table).filter(|version| version.run == *run) {
            Some(version) => Ok(version.clone()),
            None => self.version(table, run).await?.ok_or_else(|| {
                Error::new(Kind::Machine, format!("the catalog's file about `{table}` of `{run}` is gone"))
                    .hint(format!("go back to another version: `soflow rollback {table}`"))
            }),
        }
    }
}
