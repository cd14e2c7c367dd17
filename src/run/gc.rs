//! Garbage: what no reader, no run that goes on and no later run needs any more.
//!
//! On a lake in S3 others plan, run and publish meanwhile. Nothing they refer to is ever removed, because of the order:
//!
//! ```text
//! list what is there -> read records, catalog -> forget versions, remove results -> read records, results, catalog again
//!   -> of what was listed first, remove what nothing refers to
//! ```
//!
//! A run that is claimed before the second look is seen there. One that is claimed later looks, once it is claimed, whether
//! what it was planned from has been forgotten meanwhile: [`is_kept`].

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::gather::{Gathered, read_result, result_uri};
use super::live::{LiveSet, Liveness, OpenRuns, folders_of, prefixes_of};
use super::records::{Runs, must_be_whole};
use crate::catalog::{Catalog, Index, TableHistory, VersionFile};
use crate::config::Lake;
use crate::error::Result;
use crate::names::{Digest, RunId, Uri};
use crate::plan::{Plan, StepResult, TableFacts};
use crate::store::{Object, Store, is_unfinished};

/// What can be removed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Garbage {
    /// Table versions past their age, as table and run.
    pub versions: Vec<(String, RunId)>,
    /// Files of ours that no kept version, no waiting result and no run refers to.
    pub files: Vec<Uri>,
    /// Results that waited too long to be published, and what crashes left.
    pub leftovers: Vec<Uri>,
    /// Bytes of all of it.
    pub bytes: u64,
    /// What nothing of ours names: left alone.
    pub unknown: Vec<Uri>,
    /// Runs that go on: what they refer to stays.
    pub going_on: Vec<RunId>,
}

/// Where to collect what.
pub struct Collection<'a> {
    /// The lake.
    pub lake: &'a Lake,
    /// Its objects.
    pub store: &'a dyn Store,
    /// Its tables.
    pub catalog: &'a Catalog,
    /// By the store's clock.
    pub now: Timestamp,
    /// How long what was replaced, or never published, is kept.
    pub keep: SignedDuration,
    /// Whether only to look.
    pub dry_run: bool,
}

/// How long a file that is being written is left alone: not all who write hold the lake's lock, and none takes that long.
const WRITING: SignedDuration = SignedDuration::from_hours(1);

/// A result that waits to be published; nothing is known of one that cannot be read.
type Waiting = (Object, Option<StepResult>);

/// What was there before anything else was looked at.
struct Listing {
    curated: Vec<Object>,
    results: Vec<Object>,
    scratch: Vec<Object>,
    versions: Vec<VersionFile>,
    unfinished: Vec<Object>,
    links: Vec<Uri>,
}

impl Collection<'_> {
    /// Removes garbage, or only finds it: versions replaced longer than `keep` ago, except each table's current one, the
    /// one before it and the one that readers saw last, so that a rollback is always possible; results that waited longer;
    /// and files that nothing refers to.
    ///
    /// On a lake that others write to at the same time files younger than `keep` stay in any case.
    ///
    /// # Errors
    /// `Machine` when the catalog is not whole; `Held` when someone publishes at the same time; those of the store.
    pub async fn collect(&self) -> Result<Garbage> {
        let Self { lake, store, catalog, .. } = *self;
        let there = self.there().await?;
        let mut garbage = Garbage { unknown: there.links.clone(), ..Garbage::default() };
        let mut runs = Runs::default();
        runs.look(store, &lake.artifacts).await?;
        must_be_whole(store, catalog, &lake.artifacts).await?;
        let index = catalog.index().await?;
        let going = OpenRuns::of(&runs, lake, catalog).await?;
        garbage.versions = self.old_versions(&index, &going);
        let old = self.old_results(&there, &going, &mut garbage).await?;
        if !self.dry_run {
            if !garbage.versions.is_empty() {
                catalog.forget(&index, &garbage.versions).await?;
            }
            store.remove_all(&uris(old.iter().map(|(object, _)| object))).await?;
            runs.look(store, &lake.artifacts).await?;
        }
        let going = OpenRuns::of(&runs, lake, catalog).await?;
        let mut live = LiveSet::by_runs(&going);
        self.waiting_results(&old, &going).await?.iter().for_each(|result| live.add_result(result));
        let index = self.index_without(&garbage.versions).await?;
        live.add_index(&index, catalog).await?;
        let about = self.unnamed(&there.versions, &index, &going);
        for file in &about {
            live.name(catalog.version(&file.table, &file.run).await.ok().flatten().iter().flat_map(prefixes_of));
            live.name(folders_of(&file.table, &file.run));
        }
        old.iter().filter_map(|(_, result)| result.as_ref()).for_each(|result| live.name(result.prefixes()));
        let is_told = |file: &&&VersionFile| garbage.versions.contains(&(file.table.clone(), file.run.clone()));
        let untold: Vec<Object> = about.iter().filter(|file| !is_told(file)).map(|file| file.object.clone()).collect();
        let about: Vec<Object> = about.into_iter().map(|file| file.object.clone()).collect();
        let is_over = |object: &&Object| self.now.duration_since(object.modified) > WRITING && !self.is_young(object);
        let mut left: Vec<Object> = there.unfinished.iter().filter(is_over).cloned().collect();
        left.extend(self.old_scratch(&there.scratch, &runs, &mut garbage));
        let files = self.unneeded(&there, &mut live, &runs, &mut garbage).await?;
        let old: Vec<Object> = old.into_iter().map(|(object, _)| object).collect();
        garbage.bytes = [&files, &old, &untold, &left].into_iter().flatten().map(|object| object.bytes).sum();
        garbage.files = uris(&files);
        garbage.leftovers = uris([&old, &untold, &left].into_iter().flatten());
        garbage.going_on = going.runs.into_iter().collect();
        garbage.unknown.sort();
        if !self.dry_run {
            // What is known of a version goes before its data: whatever is described is there.
            store.remove_all(&uris(&about)).await?;
            store.remove_all(&uris(files.iter().chain(&left))).await?;
        }
        Ok(garbage)
    }

    async fn there(&self) -> Result<Listing> {
        let Self { lake, store, catalog, .. } = *self;
        let [results, scratch] = ["results", "scratch"].map(|name| lake.artifacts.join(name));
        let (curated, results, scratch) =
            tokio::try_join!(store.inventory(&lake.curated), store.inventory(&results), store.inventory(&scratch))?;
        let mut unfinished = Vec::new();
        for location in [&lake.curated, &lake.artifacts, &lake.raw].into_iter().filter(|at| at.to_path().is_some()) {
            unfinished.extend(store.inventory(location).await?.objects.into_iter().filter(is_unfinished));
        }
        Ok(Listing {
            curated: curated.objects,
            results: results.objects,
            scratch: scratch.objects,
            versions: catalog.version_files().await?,
            unfinished,
            links: [curated.links, results.links, scratch.links].concat(),
        })
    }

    fn is_old(&self, since: Timestamp) -> bool {
        self.now.duration_since(since) > self.keep
    }

    fn is_young(&self, object: &Object) -> bool {
        self.lake.artifacts.to_path().is_none() && !self.is_old(object.modified)
    }

    fn old_versions(&self, index: &Index, going: &OpenRuns) -> Vec<(String, RunId)> {
        let mut old = Vec::new();
        for (table, entry) in &index.tables {
            let spared = spared(entry);
            for (at, known) in entry.history.iter().enumerate() {
                let version = (table.clone(), known.run.clone());
                let replaced = known.until.or_else(|| entry.history.get(at + 1).map(|next| next.at));
                let is_old = replaced.is_some_and(|replaced| self.is_old(replaced));
                if is_old && !spared.contains(&known.run) && !going.versions.contains_key(&version) {
                    old.push(version);
                }
            }
        }
        old
    }

    /// Returns the results that waited too long.
    async fn old_results(&self, there: &Listing, going: &OpenRuns, garbage: &mut Garbage) -> Result<Vec<Waiting>> {
        let mut old = Vec::new();
        for object in &there.results {
            let Some(job) = job_of(object) else {
                if !there.unfinished.contains(object) {
                    garbage.unknown.push(object.uri.clone());
                }
                continue;
            };
            if self.is_old(object.modified) && !going.has_job(job) {
                let result = read_result(self.store, &object.uri).await?;
                old.push((object.clone(), result.map(|(_, result)| result)));
            }
        }
        Ok(old)
    }

    /// Returns the results that wait by now: a run that has ended since the first look may have left some. And of those
    /// that do not any more what a run of the same job may have taken before.
    async fn waiting_results(&self, old: &[Waiting], going: &OpenRuns) -> Result<Vec<StepResult>> {
        let taken = |(object, _): &&Waiting| job_of(object).is_some_and(|job| going.has_job(job));
        let mut waiting: Vec<StepResult> = old.iter().filter(taken).filter_map(|(_, result)| result.clone()).collect();
        for object in self.store.list(&self.lake.artifacts.join("results")).await? {
            if job_of(&object).is_some() && !old.iter().any(|(old, _)| *old == object) {
                waiting.extend(read_result(self.store, &object.uri).await?.map(|(_, result)| result));
            }
        }
        Ok(waiting)
    }

    /// Returns the index as it is when versions are forgotten.
    async fn index_without(&self, forgotten: &[(String, RunId)]) -> Result<Index> {
        let mut index = self.catalog.index().await?;
        for (table, run) in forgotten {
            if let Some(entry) = index.tables.get_mut(table).filter(|entry| entry.current != *run) {
                entry.history.retain(|known| known.run != *run);
            }
        }
        Ok(index)
    }

    /// Returns the files about versions that nobody refers to: a publication or a collection that was cut short left them.
    fn unnamed<'a>(&self, files: &'a [VersionFile], index: &Index, going: &OpenRuns) -> Vec<&'a VersionFile> {
        let is_live = |file: &VersionFile| {
            let version = (file.table.clone(), file.run.clone());
            index.keeps(&file.table, &file.run)
                || going.runs.contains(&file.run)
                || going.versions.contains_key(&version)
        };
        files.iter().filter(|file| !is_live(file)).collect()
    }

    fn old_scratch(&self, scratch: &[Object], runs: &Runs, garbage: &mut Garbage) -> Vec<Object> {
        let root = self.lake.artifacts.join("scratch");
        let run = |object: &Object| object.uri.below(&root)?.split('/').next()?.parse::<RunId>().ok();
        let mut old = Vec::new();
        for object in scratch {
            match run(object).filter(|run| runs.knows(run)) {
                Some(run) if runs.going.contains_key(&run) || self.is_young(object) => {}
                Some(_) => old.push(object.clone()),
                None => garbage.unknown.push(object.uri.clone()),
            }
        }
        old
    }

    async fn unneeded(
        &self,
        there: &Listing,
        live: &mut LiveSet,
        runs: &Runs,
        garbage: &mut Garbage,
    ) -> Result<Vec<Object>> {
        let unfinished: BTreeSet<&Uri> = there.unfinished.iter().map(|object| &object.uri).collect();
        let mut files = Vec::new();
        for object in there.curated.iter().filter(|object| !unfinished.contains(&object.uri)) {
            let below = object.uri.below(&self.lake.curated).unwrap_or_default();
            match live.liveness(below, runs, self.store).await? {
                Liveness::Garbage if !self.is_young(object) => files.push(object.clone()),
                Liveness::Unknown => garbage.unknown.push(object.uri.clone()),
                _ => {}
            }
        }
        Ok(files)
    }
}

/// Returns the versions that a rollback, or taking one back, goes to.
fn spared(entry: &TableHistory) -> BTreeSet<&RunId> {
    let seen_last = entry.history.iter().filter(|known| known.until.is_some()).max_by_key(|known| known.until);
    let spared = entry.before().into_iter().chain(seen_last).map(|known| &known.run);
    spared.chain([&entry.current]).collect()
}

/// Returns the job whose step an object is the result of.
fn job_of(result: &Object) -> Option<&str> {
    let (folder, name) = result.uri.as_str().rsplit_once('/')?;
    name.strip_suffix(".json")?.parse::<Digest>().ok()?;
    folder.rsplit('/').next()
}

fn uris<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Vec<Uri> {
    objects.into_iter().map(|object| object.uri.clone()).collect()
}

/// Returns whether all that a claimed run was planned from is still kept. From now on it is, as long as the run goes on.
///
/// # Errors
/// Those of the store and the catalog.
pub async fn is_kept(gathered: &Gathered<'_>, plan: &Plan, store: &dyn Store, catalog: &Catalog) -> Result<bool> {
    let facts = &gathered.facts;
    for step in &plan.steps {
        let Some(reused) = &step.reused else { continue };
        let waiting = read_result(store, &result_uri(&facts.lake.artifacts, &facts.job.name, &step.result)).await?;
        // One of the same name may be another's, who has done the same work again.
        if waiting.as_ref().map(|(_, result)| result) != Some(reused) {
            return Ok(false);
        }
    }
    let older = |(table, known): (&String, &TableFacts)| -> Vec<(String, RunId)> {
        let older = known.versions.keys().filter(|run| known.current.as_ref() != Some(*run));
        older.map(|run| (table.clone(), run.clone())).collect()
    };
    let older: Vec<(String, RunId)> = facts.tables.iter().flat_map(older).collect();
    if older.is_empty() {
        // What was current a moment ago is not old yet.
        return Ok(true);
    }
    let index = catalog.index().await?;
    Ok(older.iter().all(|(table, run)| index.keeps(table, run)))
}
