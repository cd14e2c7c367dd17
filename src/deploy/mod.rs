//! What runs jobs without a laptop: the state machine that drives a run and the stack around it, as data, pure functions of
//! job and settings; and the ways to CloudFormation and Step Functions, which are asked for them.

mod cloudformation;
mod executions;
mod machine;
mod template;

pub use cloudformation::{Change, ChangeSet, Drift, StackState, Stacks, Template, Wanted};
pub use executions::{Execution, Executions};
pub use machine::{HANDLERS, Handler, LONGEST_RUN, machine};
pub use template::{Stack, template};
