//! What a run would do. Pure: no clock, disk, network or environment; everything it needs comes in as [`Facts`].

mod facts;
mod identity;
mod publish;
mod replay;
mod scope;
mod step;
mod task;
#[cfg(test)]
mod tests;
mod version;

pub use facts::{About, Facts, RawObject, Select, StepResult, TableFacts, Written};
pub use identity::parameters;
pub use publish::next_versions;
pub use step::{Action, Input, OutputPlan, Plan, Scope, StepPlan, Upstream, plan};
pub use task::{run_prefix, scratch, task};
pub use version::{Brought, Column, Made, Partition, Version};
