//! The index made anew from the files about versions. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::state::{CatalogState, Published, TableHistory, published as history_of};
use crate::names::RunId;
use crate::plan::Version;

/// What the files about versions say that the index does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The index itself could not be read.
    pub lost: bool,
    /// Versions to add, as table and run.
    pub added: Vec<(String, RunId)>,
    /// Versions to take away: nothing can be read about them.
    pub dropped: Vec<(String, RunId)>,
    /// Tables none of whose versions can be read; they stay as they are.
    pub unreadable: Vec<String>,
}

impl Restored {
    /// Returns whether the index says all that can be known.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The versions that are kept about a table; `None`: the file cannot be read.
pub type Kept = BTreeMap<RunId, Option<Version>>;

impl CatalogState {
    /// Adds what the index lacks of the versions that were published, and takes away those that cannot be read.
    pub fn restore(&mut self, kept: &BTreeMap<String, Kept>, published: &BTreeSet<RunId>) -> Restored {
        let was_published = self.proven(kept, published);
        let together = self.published_together(kept);
        let mut restored = Restored::default();
        let tables: BTreeSet<String> = kept.keys().chain(self.tables.keys()).cloned().collect();
        for table in tables {
            let none = Kept::new();
            let kept = kept.get(&table).unwrap_or(&none);
            let known = self.tables.get(&table);
            let readable = |run: &RunId| kept.get(run).is_some_and(Option::is_some);
            let history = known.map(|entry| entry.history.clone()).unwrap_or_default();
            let (mut history, dropped): (Vec<Published>, Vec<_>) = history.into_iter().partition(|v| readable(&v.run));
            let is_known = |run: &RunId| known.is_some_and(|entry| entry.keeps(run));
            let is_new = |version: &&Version| {
                let forgotten = self.forgotten.iter().any(|(of, run)| *of == table && *run == version.run);
                let with_others = together.get(&version.run).map(|tables| tables.contains(&table));
                let refused = known.is_some() && with_others == Some(false);
                let published =
                    with_others == Some(true) || was_published.contains(&(table.clone(), version.run.clone()));
                !is_known(&version.run) && !forgotten && !refused && published
            };
            let new: Vec<&Version> = kept.values().flatten().filter(is_new).collect();
            restored.added.extend(new.iter().map(|version| (table.clone(), version.run.clone())));
            history.extend(new.iter().map(|version| history_of(version)));
            // Stable: where times are equal the order that was known stays.
            history.sort_by_key(|version| version.at);
            let Some(latest) = history.last().map(|version| version.run.clone()) else {
                restored.unreadable.extend(known.map(|_| table));
                continue;
            };
            restored.dropped.extend(dropped.into_iter().map(|version| (table.clone(), version.run)));
            let current = known.map(|entry| entry.current.clone()).filter(&readable).unwrap_or(latest);
            let entry = TableHistory { current, history };
            if known != Some(&entry) {
                self.shown.remove(&table);
                self.versions.remove(&table);
                self.tables.insert(table, entry);
            }
        }
        restored
    }

    /// Returns what each run that the index knows has published, as the files about what the index knows of it say.
    ///
    /// A run publishes its tables at once: what else there is of such a run was refused. A table that is in this set and
    /// not in the index was taken out of it. Files of older versions say nothing about other tables: nothing is missing.
    fn published_together(&self, kept: &BTreeMap<String, Kept>) -> BTreeMap<RunId, BTreeSet<String>> {
        let mut together: BTreeMap<RunId, BTreeSet<String>> = BTreeMap::new();
        let known = self.tables.iter().flat_map(|(table, entry)| entry.history.iter().map(move |v| (table, &v.run)));
        for (table, run) in known.chain(self.forgotten.iter().map(|(table, run)| (table, run))) {
            let file = kept.get(table).and_then(|kept| kept.get(run)?.as_ref());
            let tables = file.map(|version| version.published_with.clone()).unwrap_or_default();
            together.entry(run.clone()).or_default().extend(tables);
        }
        together
    }

    /// Returns the versions that were published, as far as can be known: those of the runs named, and those that such
    /// versions, and the ones in the index, were made from.
    fn proven(&self, kept: &BTreeMap<String, Kept>, published: &BTreeSet<RunId>) -> BTreeSet<(String, RunId)> {
        let mut proven = BTreeSet::new();
        for (table, version) in kept.iter().flat_map(|(table, kept)| kept.values().flatten().map(move |v| (table, v))) {
            let is_known = self.tables.get(table).is_some_and(|entry| entry.keeps(&version.run));
            if is_known || published.contains(&version.run) {
                proven.insert((table.clone(), version.run.clone()));
                proven.extend(version.base.iter().map(|base| (table.clone(), base.clone())));
                let inputs = version.made_by.values().flat_map(|made| &made.input_runs);
                proven.extend(inputs.map(|(input, run)| (input.clone(), run.clone())));
            }
        }
        proven
    }
}

/// Returns an index that is larger in its count than any that was lost: publications are counted one by one, and there
/// were never as many as seconds.
pub fn anew(now: Timestamp) -> CatalogState {
    CatalogState { generation: now.as_second().unsigned_abs(), ..CatalogState::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Index;
    use crate::names::Digest;

    fn version(table: &str, number: u32, base: Option<u32>) -> Version {
        let run = |number| format!("daily.2026-11-22.{number}").parse::<RunId>().unwrap();
        Version {
            table: table.into(),
            run: run(number),
            published_at: Timestamp::from_second(number.into()).unwrap(),
            published_with: BTreeSet::new(),
            content: Digest::of([table]),
            base: base.map(run),
            made_by: BTreeMap::new(),
            applied: BTreeSet::new(),
            brought: BTreeMap::new(),
            schema: Vec::new(),
            partition_by: Vec::new(),
            partitions: Vec::new(),
        }
    }

    fn kept(versions: &[Version]) -> BTreeMap<String, Kept> {
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        for version in versions {
            kept.entry(version.table.clone()).or_default().insert(version.run.clone(), Some(version.clone()));
        }
        kept
    }

    fn published_all(versions: &[Version]) -> CatalogState {
        let mut state = CatalogState::default();
        for version in versions {
            let seen: Index = state.clone().index();
            state.publish(&seen, std::slice::from_ref(version)).unwrap();
        }
        state
    }

    #[test]
    fn a_lost_index_has_all_published_versions_again_and_no_others() {
        let versions = [version("a", 1, None), version("a", 2, Some(1)), version("b", 2, None), version("c", 3, None)];
        let published = BTreeSet::from([versions[1].run.clone()]);
        let mut state = anew(Timestamp::now());
        let restored = state.restore(&kept(&versions), &published);
        assert_eq!(restored.added.len(), 3, "version 1 is what version 2 was made from: {restored:?}");
        let before = published_all(&versions[..3]);
        let currents = |state: &CatalogState| -> Vec<(String, RunId, usize)> {
            state.tables.iter().map(|(table, e)| (table.clone(), e.current.clone(), e.history.len())).collect()
        };
        assert_eq!(currents(&state), currents(&before));
        assert!(state.generation > before.generation);
        assert!(state.restore(&kept(&versions), &published).is_nothing(), "nothing is left to do");
    }

    #[test]
    fn a_table_that_is_known_keeps_its_current_version_and_what_was_forgotten_stays_so() {
        let versions = [version("a", 1, None), version("a", 2, None), version("a", 3, None)];
        let mut state = published_all(&versions[..2]);
        let (seen, first) = (state.clone().index(), ("a".to_string(), versions[0].run.clone()));
        state.forget(&seen, std::slice::from_ref(&first)).unwrap();
        let restored = state.restore(&kept(&versions), &BTreeSet::from([0, 1, 2].map(|at| versions[at].run.clone())));
        assert_eq!(restored.added, [("a".to_string(), versions[2].run.clone())]);
        assert_eq!((state.tables["a"].current.number, state.tables["a"].history.len()), (2, 2));
    }

    #[test]
    fn what_a_run_did_not_publish_with_its_other_tables_was_refused() {
        let versions = [version("a", 1, None), version("b", 1, None), version("b", 2, None)];
        let mut state = published_all(&versions);
        let refused = version("a", 2, None);
        let all = [versions.as_slice(), std::slice::from_ref(&refused)].concat();
        let restored = state.restore(&kept(&all), &BTreeSet::from([versions[0].run.clone(), refused.run]));
        assert!(restored.is_nothing(), "{restored:?}");
    }

    #[test]
    fn one_of_the_versions_of_a_run_that_was_cut_from_the_index_is_told() {
        let mut versions = [version("a", 1, None), version("b", 1, None), version("a", 2, None), version("b", 2, None)];
        for version in &mut versions[2..] {
            version.published_with = ["a", "b"].map(String::from).into();
        }
        let mut state = published_all(&versions);
        let entry = state.tables.get_mut("b").unwrap();
        entry.history.retain(|known| known.run != versions[3].run);
        entry.current = versions[1].run.clone();
        // The same as from a version that did not note which tables it had published.
        let mut older = kept(&versions);
        older.get_mut("a").unwrap().insert(versions[2].run.clone(), Some(version("a", 2, None)));
        let all = BTreeSet::from([0, 2].map(|at| versions[at].run.clone()));
        assert!(state.clone().restore(&older, &all).is_nothing());
        // Its record may say that the run has failed: what readers see proves that it has published.
        let restored = state.restore(&kept(&versions), &BTreeSet::new());
        assert_eq!(restored.added, [("b".to_string(), versions[3].run.clone())]);
        assert!(state.restore(&kept(&versions), &BTreeSet::new()).is_nothing());
    }

    #[test]
    fn a_table_that_a_run_wrote_and_did_not_publish_with_the_others_stays_away() {
        let mut versions = [version("a", 1, None), version("b", 1, None), version("b", 2, None)];
        versions[2].published_with = ["b".to_string()].into();
        let mut state = published_all(&versions);
        let mut refused = version("a", 2, None);
        refused.published_with = ["a", "b"].map(String::from).into();
        let all = [versions.as_slice(), std::slice::from_ref(&refused)].concat();
        assert!(state.restore(&kept(&all), &BTreeSet::from([refused.run])).is_nothing());
    }

    #[test]
    fn a_version_is_as_old_as_the_last_look_at_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut state = published_all(&[version("a", 1, None), version("a", 2, None), version("a", 3, None)]);
        let back = [("a".to_string(), version("a", 1, None).run)].into();
        state.point(&state.clone().index(), &back, at(10)).unwrap();
        let mut fourth = version("a", 4, None);
        fourth.published_at = at(11);
        state.publish(&state.clone().index(), &[fourth]).unwrap();
        let until: Vec<Option<Timestamp>> = state.tables["a"].history.iter().map(|known| known.until).collect();
        assert_eq!(until, [Some(at(11)), Some(at(3)), Some(at(10)), None]);
    }

    #[test]
    fn versions_that_cannot_be_read_are_taken_away_unless_there_is_no_other() {
        let versions = [version("a", 1, None), version("a", 2, None), version("b", 1, None)];
        let mut state = published_all(&versions);
        let mut kept = kept(&versions);
        kept.get_mut("a").unwrap().insert(versions[1].run.clone(), None);
        kept.remove("b");
        let restored = state.restore(&kept, &BTreeSet::new());
        assert_eq!((restored.dropped.len(), restored.unreadable), (1, vec!["b".to_string()]));
        assert_eq!((state.tables["a"].current.number, state.tables["b"].current.number), (1, 1));
    }
}
