//! What a date was made from: enough to see later that it is still done, whatever other dates have added since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::Digest;
use crate::plan::{Facts, Plan, StepPlan, TableFacts};

/// What a date was made from, without what other dates had put into the tables it read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateWork {
    /// Of the code, parameters and engine of its steps, and of the raw pages.
    pub digest: Digest,
    /// The fingerprints of the steps that read raw pages.
    pub applied: BTreeMap<String, Digest>,
}

impl DateWork {
    /// Returns what a run of `plan` is made from.
    pub fn of(plan: &Plan) -> Self {
        let parts = plan.steps.iter().flat_map(|step| {
            let made = &step.made;
            let raw = raw_inputs(step).flat_map(|(name, digest)| [name.clone(), digest.as_str().to_string()]);
            let code = [&made.code, &made.parameters].map(|digest| digest.as_str().to_string());
            [step.step.name.clone(), made.engine.clone()].into_iter().chain(code).chain(raw).collect::<Vec<_>>()
        });
        let reads_raw = |step: &&StepPlan| raw_inputs(step).next().is_some();
        let applied = plan.steps.iter().filter(reads_raw);
        Self {
            digest: Digest::of(parts),
            applied: applied.map(|step| (step.step.name.clone(), step.made.fingerprint.clone())).collect(),
        }
    }

    /// Returns whether all of it is still in the published tables, and would be made from the same today.
    ///
    /// A later date adds to tables that steps of this one read, and a plan of this one alone would run those steps again.
    /// In a backfill that would go on for ever: each date makes the plans of all earlier ones stale.
    pub fn holds(&self, facts: &Facts<'_>, plan: &Plan) -> bool {
        let is_in = |step: &StepPlan, fingerprint: &Digest| {
            step.outputs.iter().all(|output| {
                let current = facts.tables.get(&output.table).and_then(TableFacts::current);
                current.is_some_and(|version| version.applied.contains(fingerprint))
            })
        };
        let applied = |step: &StepPlan| match self.applied.get(&step.step.name) {
            Some(fingerprint) => is_in(step, fingerprint),
            None => raw_inputs(step).next().is_none(),
        };
        self.digest == Self::of(plan).digest && plan.steps.iter().all(applied)
    }
}

fn raw_inputs(step: &StepPlan) -> impl Iterator<Item = (&String, &Digest)> {
    step.made.inputs.iter().filter(|(name, _)| name.starts_with("raw."))
}
