//! Running a date again that later dates were merged on top of: what it had brought is taken away with the partitions it is
//! in, and those are made anew from the pages of all dates that are in them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::step::{OutputPlan, StepPlan};
use super::version::{Brought, Made, Version};
use super::{Facts, RawObject};
use crate::job::Step;
use crate::names::{Digest, PartitionValues};

/// What has to be made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// The partitions.
    pub partitions: BTreeSet<PartitionValues>,
    /// The other dates whose rows are in them.
    pub dates: BTreeSet<Date>,
}

/// Returns what has to be made anew in a merged table so that nothing of what the date had brought into `base` is left.
/// Nothing when the step would bring the same.
pub fn of(facts: &Facts<'_>, step: &Step, made: &Made, base: Option<&Version>) -> Replay {
    let known = base.and_then(|base| Some((base, base.brought.get(&facts.date)?)));
    let Some((base, before)) = known.filter(|(_, before)| before.work != work(facts, step, made, facts.date)) else {
        return Replay::default();
    };
    let shares = |other: &Brought| !other.partitions.is_disjoint(&before.partitions);
    let others = base.brought.iter().filter(|(date, other)| **date != facts.date && shares(other));
    Replay { partitions: before.partitions.clone(), dates: others.map(|(date, _)| *date).collect() }
}

/// Returns what a step makes of the pages of a date stands for: the same pages, code and parameters bring the same rows.
pub fn work(facts: &Facts<'_>, step: &Step, made: &Made, date: Date) -> Digest {
    let pages =
        step.endpoints().flat_map(|endpoint| [endpoint.clone(), pages(facts, endpoint, date).as_str().to_string()]);
    let code = [&made.code, &made.parameters].map(|digest| digest.as_str().to_string());
    Digest::of(code.into_iter().chain(pages).collect::<Vec<_>>())
}

/// Returns what stands for the pages of an endpoint for a date.
pub fn pages(facts: &Facts<'_>, endpoint: &str, date: Date) -> Digest {
    Digest::of(facts.pages(endpoint, date).iter().flat_map(|object: &RawObject| {
        let place = object.uri.below(&facts.lake.raw).unwrap_or(object.uri.as_str());
        [place.to_string(), object.etag.clone(), object.fetched_at.to_string()]
    }))
}

/// Notes in the next version of a merged table what a step has brought into which of its partitions; `written`: all that
/// it has written.
pub fn note(
    version: &mut Version,
    base: Option<&Version>,
    step: &StepPlan,
    output: &OutputPlan,
    written: &BTreeSet<&PartitionValues>,
) {
    let run = version.run.clone();
    let same_pages = |base: &Version| {
        let before = base.made_by.get(&step.step.name);
        base.run.job == run.job && before.is_none_or(|before| before.parameters == step.made.parameters)
    };
    let is_known = |base: &Version, values: &PartitionValues| {
        let anew = !output.kept.iter().any(|kept| kept.values == *values);
        anew || (same_pages(base) && base.brought.values().any(|brought| brought.partitions.contains(values)))
    };
    let known: BTreeSet<PartitionValues> =
        written.iter().filter(|values| base.is_none_or(|base| is_known(base, values))).map(|v| (*v).clone()).collect();
    for brought in version.brought.values_mut() {
        brought.partitions.retain(|values| !written.contains(values) || known.contains(values));
    }
    for (date, work) in &output.brings {
        let anew =
            || Brought { work: work.clone(), fingerprint: step.made.fingerprint.clone(), partitions: BTreeSet::new() };
        let brought = version.brought.entry(*date).or_insert_with(anew);
        if *date == run.date {
            if brought.work != *work {
                // What it was merged with before is not in there any more.
                version.applied.remove(&brought.fingerprint);
                brought.partitions.clear();
            }
            brought.fingerprint = step.made.fingerprint.clone();
            brought.partitions.extend(known.iter().cloned());
        }
        brought.work.clone_from(work);
    }
}

/// Returns what the dates bring whose pages a merging step reads.
pub fn brings(facts: &Facts<'_>, step: &Step, made: &Made, replay: &Replay) -> BTreeMap<Date, Digest> {
    let dates = replay.dates.iter().copied().chain(step.reads_raw().then_some(facts.date));
    dates.map(|date| (date, work(facts, step, made, date))).collect()
}
