//! One table: what differs between a version and Glue, and the calls that make it the same.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::GlueTables;
use super::calls::{DELETE_AT_ONCE, EXISTS, GluePartition, GlueTable, NOT_FOUND, WRITE_AT_ONCE};
use super::table::{LAKE, RUN, ShownVersion, same};
use crate::aws::CallError;
use crate::catalog::Catalog;
use crate::catalog::follow::LENGTH;
use crate::catalog::state::CatalogState;
use crate::error::{Error, Kind, Result};

/// How often a table is looked at anew when something else changes it at the same time.
const TRIES: u32 = 6;

/// First pause between two tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Refusals that a new look may resolve: the table or a partition is not what it was a moment ago, or Glue is busy.
const PASSING: [&str; 6] = [
    EXISTS,
    NOT_FOUND,
    "ConcurrentModificationException",
    "InternalServiceException",
    "OperationTimeoutException",
    "ResourceNotReadyException",
];

/// Which partitions to write and which to remove.
#[derive(Default)]
struct Changes {
    /// Those that Glue does not have.
    add: Vec<GluePartition>,
    /// Those that Glue has somewhere else, or with other columns.
    update: Vec<GluePartition>,
    /// The values of those that are no more.
    drop: Vec<Vec<String>>,
}

impl Changes {
    /// Returns what leads from `found` to `wanted`.
    fn between(found: &[GluePartition], wanted: Vec<GluePartition>) -> Self {
        let mut left: BTreeMap<&[String], &GluePartition> =
            found.iter().map(|partition| (partition.values.as_slice(), partition)).collect();
        let mut changes = Self::default();
        for partition in wanted {
            match left.remove(partition.values.as_slice()) {
                None => changes.add.push(partition),
                Some(there) if !same(&there.storage_descriptor, &partition.storage_descriptor) => {
                    changes.update.push(partition);
                }
                Some(_) => {}
            }
        }
        changes.drop = left.into_keys().map(<[String]>::to_vec).collect();
        changes
    }
}

/// Makes Glue show a version. May be repeated, also after having been cut short anywhere.
///
/// # Errors
/// `Usage` when the table is not ours; `Held` when the turn is over; `Machine` with what Glue refuses.
pub async fn show(turn: &GlueTurn<'_>, wanted: ShownVersion<'_>) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match once(turn, wanted).await {
            Err(error) if attempt < TRIES && is_passing(&error) => {
                tokio::time::sleep(FIRST_PAUSE * (1 << attempt)).await;
            }
            ended => return ended,
        }
    }
}

fn is_passing(error: &Error) -> bool {
    let refusal = error.source().and_then(|cause| cause.downcast_ref::<CallError>());
    refusal.is_some_and(|refusal| PASSING.contains(&refusal.code.as_str()))
}

async fn once(turn: &GlueTurn<'_>, wanted: ShownVersion<'_>) -> Result<()> {
    let (glue, name) = (turn.glue, &wanted.version.table);
    // Nothing was ever written to it: there are no columns to tell.
    if wanted.version.schema.is_empty() {
        return Ok(());
    }
    let mut found = glue.table(name).await?;
    if let Some(table) = &found {
        glue.must_be_ours(table, name)?;
        // Glue cannot change the keys of a table that has partitions.
        if !wanted.has_keys_of(table) {
            turn.keep().await?;
            glue.delete_table(name).await?;
            found = None;
        }
    }
    let Some(table) = found else {
        turn.keep().await?;
        let partitions = wanted.partitions();
        if partitions.is_empty() {
            return Ok(glue.create_table(&wanted.table(None)).await?);
        }
        // Glue takes partitions of a table that is there only: readers must not find it empty meanwhile, or for good.
        glue.create_table(&wanted.unfinished()).await?;
        write(turn, name, Changes { add: partitions, ..Changes::default() }).await?;
        turn.keep().await?;
        return Ok(glue.update_table(&wanted.table(None)).await?);
    };
    if !wanted.version.partition_by.is_empty() {
        let changes = Changes::between(&glue.partitions(name).await?, wanted.partitions());
        write(turn, name, changes).await?;
    }
    // Last, because it says which run is shown.
    if !wanted.is_shown_by(&table) {
        turn.keep().await?;
        glue.update_table(&wanted.table(Some(&table))).await?;
    }
    Ok(())
}

/// Adds before it removes: a reader in between finds rows twice rarely, and misses none.
async fn write(turn: &GlueTurn<'_>, table: &str, changes: Changes) -> Result<()> {
    let glue = turn.glue;
    for batch in changes.add.chunks(WRITE_AT_ONCE) {
        turn.keep().await?;
        glue.create_partitions(table, batch).await?;
    }
    for batch in changes.update.chunks(WRITE_AT_ONCE) {
        turn.keep().await?;
        glue.update_partitions(table, batch).await?;
    }
    for batch in changes.drop.chunks(DELETE_AT_ONCE) {
        turn.keep().await?;
        glue.delete_partitions(table, batch).await?;
    }
    Ok(())
}

impl GlueTables {
    /// Refuses a table that someone else made, or soflow for another lake.
    pub(super) fn must_be_ours(&self, found: &GlueTable, name: &str) -> Result<()> {
        let database = &self.database;
        let message = match (found.parameters.get(RUN), found.parameters.get(LAKE)) {
            (None, None) => format!("Glue has a table `{database}.{name}` that soflow did not make"),
            (_, Some(lake)) if lake != self.curated.as_str() => {
                format!("the Glue table `{database}.{name}` shows another lake: `{lake}`")
            }
            _ => return Ok(()),
        };
        Err(Error::new(Kind::Usage, message)
            .hint("name a database of its own: `database:` of the target in config/soflow.yaml")
            .hint(format!("or remove that table: `aws glue delete-table --database-name {database} --name {name}`")))
    }
}

/// What must be left of a lease before a call is made: longer than a call may take, see `aws::session`.
const ENOUGH: SignedDuration = SignedDuration::from_secs(40);

/// The right to write to Glue while it lasts: two writers at once would leave a mixture of two generations.
pub struct GlueTurn<'a> {
    catalog: &'a Catalog,
    /// What is written to.
    pub glue: &'a GlueTables,
    by: &'a str,
    until: Mutex<Timestamp>,
}

impl<'a> GlueTurn<'a> {
    /// Returns the lease that `by` has, as far as is known until `until`.
    pub fn new(catalog: &'a Catalog, glue: &'a GlueTables, by: &'a str, until: Timestamp) -> Self {
        Self { catalog, glue, by, until: Mutex::new(until) }
    }

    /// Returns once it is certain that nobody else may write for as long as a call takes.
    ///
    /// # Errors
    /// `Held` when someone else has taken the lease: this process was asleep for longer than it.
    async fn keep(&self) -> Result<()> {
        let mut until = self.until.lock().await;
        let now = self.catalog.store.now();
        if until.duration_since(now) >= ENOUGH {
            return Ok(());
        }
        let lengthen = |state: &mut CatalogState| {
            Ok(state.is_lent_to(self.by) && state.lend(self.by, &self.glue.owner, self.catalog.store.now(), LENGTH))
        };
        let state = self.catalog.change(lengthen).await?;
        let lease = state.lease.filter(|lease| lease.by == self.by).ok_or_else(|| {
            Error::new(Kind::Held, "another soflow has taken over showing the tables in Glue")
                .hint("run the same command again")
        })?;
        *until = lease.claim.until;
        Ok(())
    }
}
