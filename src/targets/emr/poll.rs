//! How often to look: often while things change, seldom while they do not, and never in step with other clients.

use std::time::Duration;

use crate::aws::jitter;

/// Pauses between looks.
#[derive(Clone, Debug)]
pub struct PollInterval {
    fastest: Duration,
    slowest: Duration,
    now: Duration,
}

/// By how much a pause grows when nothing has changed: from 5 to 30 seconds in about two minutes.
const GROWTH: f64 = 1.2;

/// How far a pause may be from its length, as a share of it.
const JITTER: f64 = 0.1;

impl PollInterval {
    /// Returns pauses from `fastest` to `slowest`.
    pub fn new(fastest: Duration, slowest: Duration) -> Self {
        Self { fastest, slowest: slowest.max(fastest), now: fastest }
    }

    /// Something changed: looks often again.
    pub fn shorten(&mut self) {
        self.now = self.fastest;
    }

    /// Nothing changed: looks less often.
    pub fn lengthen(&mut self) {
        self.now = self.now.mul_f64(GROWTH).min(self.slowest);
    }

    /// Returns how long to wait now.
    pub fn pause(&self) -> Duration {
        self.now.mul_f64(1.0 + JITTER * (2.0 * jitter() - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Pace;
    use tokio::time::Instant;

    #[test]
    fn an_hour_of_watching_costs_few_looks() {
        let mut interval = PollInterval::new(Duration::from_secs(5), Duration::from_secs(30));
        let (mut looks, mut seconds) = (0, 0.0);
        while seconds < 3600.0 {
            seconds += interval.pause().as_secs_f64();
            interval.lengthen();
            looks += 1;
        }
        assert!((115..=150).contains(&looks), "{looks} looks");
        interval.shorten();
        let pause = interval.pause();
        assert!(pause >= Duration::from_millis(4500) && pause <= Duration::from_millis(5500), "{pause:?}");
    }

    /// Returns the calls of ten minutes, in which every look finds a change or none does.
    async fn calls(changing: bool) -> u32 {
        let pace = Pace::new(1.0);
        let mut interval = PollInterval::new(Duration::from_secs(5), Duration::from_secs(30));
        if !changing {
            (0..20).for_each(|_| interval.lengthen());
        }
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(600) {
            pace.wait("EMR", "ListSteps").await;
            calls += 1;
            if changing {
                interval.shorten()
            } else {
                interval.lengthen()
            }
            tokio::time::sleep(interval.pause()).await;
        }
        calls
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_leaves_most_of_the_account_to_others() {
        let (fast, slow) = (calls(true).await, calls(false).await);
        assert!((100..=200).contains(&fast), "{fast} calls in ten minutes at the fastest");
        assert!((15..=30).contains(&slow), "{slow} calls in ten minutes at the slowest");
    }
}
