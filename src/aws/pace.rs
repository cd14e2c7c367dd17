//! Stays inside the account's request quotas: a token bucket for each operation and one for all of a service. What the
//! quotas really are AWS tells by throttling, which slows an operation down whatever the settings say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The service whose quotas are kept to.
const EMR: &str = "EMR";

/// Burst and refill a second of an EMR operation, per account and region. Source: the service quotas of
/// `elasticmapreduce` as `aws service-quotas list-aws-default-service-quotas` gives them.
const EMR_QUOTAS: [(&str, f64, f64); 12] = [
    ("DescribeCluster", 10.0, 1.0),
    ("DescribeStep", 10.0, 0.5),
    ("ListSteps", 10.0, 0.5),
    ("ListClusters", 20.0, 0.5),
    ("ModifyCluster", 10.0, 0.5),
    ("RunJobFlow", 10.0, 0.5),
    ("AddJobFlowSteps", 10.0, 0.5),
    ("CancelSteps", 10.0, 0.5),
    ("TerminateJobFlows", 10.0, 0.5),
    ("AddTags", 5.0, 0.5),
    ("ListInstances", 10.0, 0.5),
    ("ListInstanceFleets", 5.0, 0.5),
];

/// Burst and refill a second of all EMR operations together.
const EMR_TOTAL: (f64, f64) = (25.0, 5.0);

/// Shortest pause between two calls of an operation that was throttled; each further throttle doubles it, each answer
/// halves it.
const SLOWED_FIRST: Duration = Duration::from_millis(100);

/// Longest such pause: that of the slowest pace at which steps are watched by default.
const SLOWED_MOST: Duration = Duration::from_secs(30);

/// Lets calls through as fast as the account's quotas allow, shared by all runs of a process.
#[derive(Clone, Debug)]
pub struct Pace {
    quota: f64,
    buckets: Arc<Mutex<BTreeMap<&'static str, TokenBucket>>>,
    slowed: Arc<Mutex<BTreeMap<&'static str, Slowed>>>,
}

/// An operation that was throttled lately.
#[derive(Clone, Copy, Debug)]
struct Slowed {
    pause: Duration,
    /// When the next call may be made.
    next: Instant,
}

#[derive(Clone, Copy, Debug)]
struct TokenBucket {
    tokens: f64,
    at: Instant,
}

impl Pace {
    /// Returns the pace of an account with `quota` times the default quotas.
    pub fn new(quota: f64) -> Self {
        Self { quota, buckets: Arc::default(), slowed: Arc::default() }
    }

    /// Returns once the call may be made.
    pub async fn wait(&self, service: &'static str, operation: &str) {
        if service == EMR {
            let (name, burst, refill) = quota_of(operation);
            for (name, burst, refill) in [(name, burst, refill), ("all", EMR_TOTAL.0, EMR_TOTAL.1)] {
                let pause = self.take(name, burst * self.quota.max(1.0), refill * self.quota);
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            }
        }
        if let Some(turn) = self.turn(key(service, operation)) {
            tokio::time::sleep_until(turn).await;
        }
    }

    /// Takes in how a call went.
    pub fn learn(&self, service: &'static str, operation: &str, throttled: bool) {
        let key = key(service, operation);
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = slowed.get(key).map_or(Duration::ZERO, |slowed| slowed.pause);
        let pause = if throttled { (before * 2).clamp(SLOWED_FIRST, SLOWED_MOST) } else { before / 2 };
        if pause < SLOWED_FIRST {
            slowed.remove(key);
        } else {
            slowed.insert(key, Slowed { pause, next: Instant::now() + pause });
        }
    }

    /// Returns when the next call of an operation that was throttled may be made; the turn is taken by whoever asks.
    fn turn(&self, key: &str) -> Option<Instant> {
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        let slowed = slowed.get_mut(key)?;
        let turn = slowed.next.max(Instant::now());
        slowed.next = turn + slowed.pause;
        Some(turn)
    }

    /// Returns how long one token of an EMR operation takes to come back: what a throttled call waits at first.
    pub fn refill(&self) -> Duration {
        Duration::from_secs_f64(2.0 / self.quota)
    }

    /// Takes a token, going into debt when there is none; returns how long that debt takes to pay.
    fn take(&self, name: &'static str, burst: f64, refill: f64) -> Duration {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(name).or_insert(TokenBucket { tokens: burst, at: now });
        let gained = now.duration_since(bucket.at).as_secs_f64() * refill;
        bucket.tokens = (bucket.tokens + gained).min(burst) - 1.0;
        bucket.at = now;
        if bucket.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-bucket.tokens / refill) }
    }
}

fn quota_of(operation: &str) -> (&'static str, f64, f64) {
    let known = EMR_QUOTAS.iter().find(|(name, ..)| *name == operation);
    known.copied().unwrap_or(("other", 5.0, 0.5))
}

/// Returns what is slowed down together: an operation of EMR, or all of another service.
fn key(service: &'static str, operation: &str) -> &'static str {
    if service == EMR { quota_of(operation).0 } else { service }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(calls: u32, quota: f64) -> u64 {
        let (pace, start) = (Pace::new(quota), Instant::now());
        for _ in 0..calls {
            pace.wait("EMR", "ListSteps").await;
        }
        start.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_the_refill_sets_the_pace() {
        assert_eq!(seconds_for(10, 1.0).await, 0);
        assert_eq!(seconds_for(40, 1.0).await, 60);
        assert_eq!(seconds_for(40, 2.0).await, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn two_hundred_runs_share_one_budget() {
        let (pace, start) = (Pace::new(1.0), Instant::now());
        let waiting = (0..200).map(|_| {
            let pace = pace.clone();
            tokio::spawn(async move { pace.wait("EMR", "ListSteps").await })
        });
        for run in waiting.collect::<Vec<_>>() {
            run.await.unwrap();
        }
        assert_eq!(start.elapsed().as_secs(), 380);
    }

    #[tokio::test(start_paused = true)]
    async fn all_operations_together_have_a_quota_too() {
        let (pace, start) = (Pace::new(1.0), Instant::now());
        for (operation, ..) in EMR_QUOTAS {
            for _ in 0..5 {
                pace.wait("EMR", operation).await;
            }
        }
        assert_eq!(start.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_slows_down_whatever_the_quota_is_said_to_be() {
        let pace = Pace::new(10_000.0);
        let throttled_for_ten_minutes = async |operation: &str| {
            let (start, mut calls) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_secs(600) {
                pace.wait("EMR", operation).await;
                pace.learn("EMR", operation, true);
                calls += 1;
            }
            calls
        };
        let calls = throttled_for_ten_minutes("ListSteps").await;
        assert!((20..=40).contains(&calls), "{calls} calls");
        let start = Instant::now();
        pace.wait("EMR", "DescribeCluster").await;
        assert_eq!(start.elapsed(), Duration::ZERO, "another operation is not slowed");
        for _ in 0..10 {
            pace.wait("EMR", "ListSteps").await;
            pace.learn("EMR", "ListSteps", false);
        }
        let start = Instant::now();
        pace.wait("EMR", "ListSteps").await;
        assert_eq!(start.elapsed(), Duration::ZERO, "answers make it fast again");
    }
}
