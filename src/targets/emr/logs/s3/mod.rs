//! The logs that EMR leaves of a step: which object holds what, and what they say together.

mod find;
mod name;
mod read;
mod tail;
#[cfg(test)]
mod tests;

pub use find::{PUSHED_EVERY, StepLogs, applications, expected_at, find, root};
pub use name::{LogFile, LogName, LogOrigin, LogStream};
pub use read::{LARGEST, investigate};
pub use tail::LogTail;
