//! How often to look: often while things change, seldom while they do not, and never in step with other clients.

use std::time::Duration;

use crate::aws::jitter;

/// By how much a pause grows when nothing has changed: from 5 to 30 seconds in about two minutes.
const GROWTH: f64 = 1.2;

/// How far a pause may be from its length, as a share of it.
const JITTER: f64 = 0.1;

/// Pauses between looks.
#[derive(Clone, Debug)]
pub struct PollInterval {
    fastest: Duration,
    slowest: Duration,
    next: Duration,
}

impl PollInterval {
    /// Returns pauses from `fastest` to `slowest`.
    pub fn new(fastest: Duration, slowest: Duration) -> Self {
        Self { fastest, slowest: slowest.max(fastest), next: fastest }
    }

    /// Something changed: looks often again.
    pub fn reset(&mut self) {
        self.next = self.fastest;
    }

    /// Returns how long to wait now; the next pause is longer.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.mul_f64(GROWTH).min(self.slowest);
        pause.mul_f64(1.0 + JITTER * (2.0 * jitter() - 1.0))
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
            seconds += interval.next_pause().as_secs_f64();
            looks += 1;
        }
        assert!((115..=150).contains(&looks), "{looks} looks");
        interval.reset();
        let pause = interval.next_pause();
        assert!(pause >= Duration::from_millis(4500) && pause <= Duration::from_millis(5500), "{pause:?}");
    }

    /// Returns the calls of ten minutes, in which every look finds a change or none does.
    async fn calls(changing: bool) -> u32 {
        let pace = Pace::new(1.0);
        let mut interval = PollInterval::new(Duration::from_secs(5), Duration::from_secs(30));
        if !changing {
            for _ in 0..20 {
                interval.next_pause();
            }
        }
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_secs(600) {
            pace.wait("EMR", "ListSteps").await;
            calls += 1;
            if changing {
                interval.reset();
            }
            tokio::time::sleep(interval.next_pause()).await;
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
