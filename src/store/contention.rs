//! Writes that compare with what is there, and lose against others.

use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::names::Uri;

/// How often such a write is tried: others win a few times in a row, never so often.
const TRIES: u32 = 40;

/// Longest pause between two tries; all of them together take about seven seconds.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The tries of one write.
pub struct Contention<'a> {
    uri: &'a Uri,
    lost: u32,
}

impl<'a> Contention<'a> {
    /// Returns the tries of a write of `uri`, none of them made.
    pub const fn on(uri: &'a Uri) -> Self {
        Self { uri, lost: 0 }
    }

    /// Waits a moment after a try that was lost.
    ///
    /// # Errors
    /// `Held` after 40 of them.
    pub async fn lost(&mut self) -> Result<()> {
        self.lost += 1;
        if self.lost == TRIES {
            let what = format!("`{}` cannot be written: {TRIES} times someone else's write came first", self.uri);
            return Err(Error::new(Kind::Held, what).hint("run the same command again"));
        }
        tokio::time::sleep((Duration::from_millis(5) * self.lost).min(LONGEST_PAUSE)).await;
        Ok(())
    }
}
