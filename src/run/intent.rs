//! What a run set out to do, kept in its record: any client, anywhere, can finish it from there, whatever code it has itself.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::gather::{Gathered, table_facts};
use crate::catalog::Catalog;
use crate::config::Lake;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::names::RunId;
use crate::plan::{Facts, Plan, Select};

/// What a run set out to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// The job as it was read.
    pub job: Job,
    /// The plan, without what its tasks name already.
    pub plan: Plan,
    /// The version of each table that readers saw when the plan was made.
    pub tables: BTreeMap<String, RunId>,
    /// The catalog's generation then: a publication since is found out by it.
    pub generation: u64,
}

impl Intent {
    /// Returns the intent of a run about to be claimed.
    pub fn of(gathered: &Gathered<'_>, plan: &Plan) -> Self {
        let facts = &gathered.facts;
        let current = |(name, table): (&String, &crate::plan::TableFacts)| Some((name.clone(), table.current.clone()?));
        Self {
            job: facts.job.clone(),
            plan: plan.to_finish(),
            tables: facts.tables.iter().filter_map(current).collect(),
            generation: gathered.index.generation,
        }
    }

    /// Returns the facts that finishing the run needs.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn gathered<'a>(
        &'a self,
        run: &RunId,
        engine: &str,
        lake: &'a Lake,
        catalog: &dyn Catalog,
    ) -> Result<Gathered<'a>> {
        let mut index = catalog.index().await?;
        // As it was: publishing over what someone published meanwhile must fail.
        index.generation = self.generation;
        let read = self.tables.iter().map(|(name, seen)| async {
            let mut facts = table_facts(name, catalog.version(name, seen), &self.job, run.date, catalog).await?;
            facts.current = Some(seen.clone());
            Ok::<_, Error>((name.clone(), facts))
        });
        let tables = try_join_all(read).await?.into_iter().collect();
        let facts = Facts {
            job: &self.job,
            date: run.date,
            lake,
            engine: engine.into(),
            code: BTreeMap::new(),
            raw: BTreeMap::new(),
            tables,
            results: BTreeMap::new(),
            select: Select::default(),
        };
        Ok(Gathered { facts, index })
    }
}
