//! The time of a twin: monotonic, and a test can stop it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that starts at 0.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    /// Seconds since 1970 when it started.
    epoch: f64,
    held: Option<Duration>,
    skipped: Duration,
}

impl Clock {
    pub fn new() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        Self { started: Instant::now(), epoch, held: None, skipped: Duration::ZERO }
    }

    pub fn now(&self) -> Duration {
        self.held.unwrap_or_else(|| self.started.elapsed() - self.skipped)
    }

    /// Returns seconds since 1970, as the API writes times: to the millisecond.
    pub fn epoch(&self, at: Duration) -> f64 {
        ((self.epoch + at.as_secs_f64()) * 1000.0).round() / 1000.0
    }

    pub fn hold(&mut self) {
        self.held = Some(self.now());
    }

    pub fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.skipped = self.started.elapsed().saturating_sub(held);
        }
    }

    /// Moves a held clock on.
    pub fn tick(&mut self, by: Duration) {
        self.held = self.held.map(|held| held + by);
    }
}
