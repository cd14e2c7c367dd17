//! The logs that EMR leaves of a step: which object holds what, and what they say together.

mod find;
mod name;
mod read;
mod tail;

pub use find::{Found, PUSHED_EVERY, StepLogs, applications, expected_at, find, root};
pub use name::{LogFile, LogName, Stream, What};
pub use read::{LARGEST, investigate, open};
pub use tail::Tail;
