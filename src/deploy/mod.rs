//! What runs jobs without a laptop: the state machine that drives a run and the stack around it, as data, pure functions of
//! job and settings; and the one module that asks CloudFormation for it.

mod cloudformation;
mod executions;
mod machine;

pub use cloudformation::{Change, ChangeSet, Drift, StackState, Stacks, Template, Wanted};
pub use executions::{Execution, Executions};
pub use machine::{HANDLERS, Handler, machine};

/// STUB
pub const LONGEST_RUN: u32 = 43_200;
/// STUB
pub struct Stack {
    /// .
    pub name: String,
    /// .
    pub schedules: std::collections::BTreeMap<String, String>,
    /// .
    pub architecture: crate::package::Architecture,
}
impl Stack {
    /// .
    pub fn of(target: &str, _: &crate::config::Emr, _: &crate::config::Lake) -> Self {
        Self {
            name: format!("soflow-{target}"),
            schedules: Default::default(),
            architecture: crate::package::Architecture::X86_64,
        }
    }
}
/// STUB
pub fn template(_: &Stack) -> serde_json::Value {
    serde_json::Value::Null
}
