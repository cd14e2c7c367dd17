//! What runs jobs without a laptop: the state machine that drives a run and the stack around it, as data, pure functions of
//! job and settings; and the ways to CloudFormation and Step Functions, which are asked for them.

mod cloudformation;
mod compare;
mod executions;
mod fires;
mod machine;
mod template;

pub use cloudformation::{Change, ChangeSet, Drift, Made, StackState, Stacks, Template, Wanted};
pub use compare::{Filled, compared};
pub use executions::{Execution, Executions, Failure, unpacked};
pub use fires::{Fires, fires};
pub use machine::{HANDLERS, Handler, LONGEST_RUN, machine};
pub use template::{Stack, template};
