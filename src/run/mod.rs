//! The record of a run, its claim, and the loop that drives it through the stages.

mod claim;
mod code;
mod collect;
mod drive;
mod execute;
mod finish;
mod gather;
mod record;

pub use claim::{Holder, LakeLock};
pub use code::code_digests;
pub use collect::{Garbage, collect, find_garbage};
pub use drive::{Outcome, Services, drive};
pub use gather::{Gathered, Request, gather, site};
pub use record::{RunRecord, StepRecord, list_runs, load_run};
