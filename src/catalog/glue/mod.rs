//! The tables on AWS, as Glue shows them: Athena, Hive, Trino, Spark and Redshift Spectrum read it. See docs/decisions/013.

mod calls;
mod show;
mod table;

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::Index;
use super::state::CatalogState;
use crate::aws::Session;
use crate::error::Result;
use crate::names::Uri;
use crate::plan::Version;
use crate::store::Owner;
pub use show::{GlueTurn, show};
pub use table::ShownVersion;

/// The Glue database in which the tables of a lake in S3 are shown.
pub struct GlueTables {
    session: Session,
    database: String,
    curated: Uri,
    pub(super) owner: Owner,
    /// On it a call that is going on says, in a sentence, what it waits for.
    pub(super) waits: watch::Sender<String>,
}

impl GlueTables {
    /// Returns the tables at `curated` as `database` shows them, written by `owner`, this process.
    pub fn new(session: Session, database: &str, curated: &Uri, owner: Owner) -> Self {
        let waits = watch::Sender::new(String::new());
        Self { session, database: database.into(), curated: curated.clone(), owner, waits }
    }

    /// Returns a version as Glue is to show it.
    pub(super) fn wanted<'a>(&'a self, version: &'a Version, generation: u64) -> ShownVersion<'a> {
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
    pub(super) fn tell_wait(&self, state: &CatalogState) {
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
