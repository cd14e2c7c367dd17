//! The record of a run, its claim, and the loop that drives it through the stages.

mod alerts;
mod attach;
mod cancel;
mod claim;
mod code;
mod drive;
mod ended;
mod execute;
mod finish;
mod gather;
mod gc;
mod intent;
mod lease;
mod ledger;
mod live;
mod record;
mod records;

pub use alerts::{News, Telling, failures_told, tell_once};
pub use attach::{Attached, How, agreed, attach, latest, not_shown, unfinished};
pub use cancel::cancel;
pub use claim::LakeLock;
pub use code::code_digests;
pub use drive::{Driven, Outcome, Part, Reach, Services, drive};
pub use gather::{Code, Gathered, PlanRequest, gather, plan, site};
pub use gc::{Collection, Garbage};
pub use intent::Intent;
pub use ledger::{DateEntry, DateRange, DateWork, Ledger, LedgerLease, read_ledger};
pub use record::{RunRecord, StepRecord, load_run, run_prefix};
pub use records::{Listed, list_runs, repair};
