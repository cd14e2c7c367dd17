//! What runs jobs without a laptop: the state machine that drives a run and the stack around it, as data, pure functions of
//! job and settings; and the one module that asks CloudFormation for it.

mod cloudformation;
mod executions;
mod machine;

pub use cloudformation::{Change, ChangeSet, Drift, StackState, Stacks, Template, Wanted};
pub use executions::{Execution, Executions};
pub use machine::{HANDLERS, Handler, LONGEST_RUN, machine};
