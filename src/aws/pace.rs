//! Stays inside the account's request quotas: a token bucket for each operation and one for all of a service. What the
//! quotas really are AWS tells by throttling, which slows an operation down whatever the settings say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What may be asked of a service.
#[derive(Clone, Copy, Debug)]
struct RequestQuota {
    /// Of what.
    name: &'static str,
    /// How many requests at once.
    burst: f64,
    /// How many a second after that.
    refill: f64,
}

/// The fewest requests a second: those of the slowest pace at which steps are watched by default.
const SLOWEST: f64 = 1.0 / 30.0;

/// Lets calls through as fast as the account's quotas allow, shared by all runs of a process.
#[derive(Clone, Debug)]
pub struct Pace {
    quota: f64,
    buckets: Arc<Mutex<BTreeMap<&'static str, TokenBucket>>>,
}

#[derive(Clone, Copy, Debug)]
struct TokenBucket {
    tokens: f64,
    at: Instant,
    /// How many tokens come back a second: fewer after throttles.
    refill: f64,
}

impl Pace {
    /// Returns the pace of an account with `quota` times the default quotas.
    pub fn new(quota: f64) -> Self {
        Self { quota, buckets: Arc::default() }
    }

    /// Returns once the call may be made.
    pub async fn wait(&self, service: &'static str, operation: &str) {
        for quota in self.quotas_of(service, operation) {
            let pause = self.take(quota);
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Takes in how a call went: each throttle halves the pace of the operation, each answer doubles it up to the quota.
    pub fn learn(&self, service: &'static str, operation: &str, throttled: bool) {
        let Some(quota) = self.quotas_of(service, operation).into_iter().next() else { return };
        if let Some(bucket) = self.buckets.lock().unwrap_or_else(PoisonError::into_inner).get_mut(quota.name) {
            if throttled {
                let now = Instant::now();
                let gained = now.duration_since(bucket.at).as_secs_f64() * bucket.refill;
                let refill = (bucket.refill / 2.0).max(SLOWEST.min(quota.refill));
                // Debt is time that callers wait already: it takes no longer to pay at the slower pace.
                bucket.tokens = (bucket.tokens + gained).min(0.0) * refill / bucket.refill;
                (bucket.at, bucket.refill) = (now, refill);
            } else {
                bucket.refill = (bucket.refill * 2.0).min(quota.refill);
            }
        }
    }

    /// Returns the quotas that a call counts against, its own first. EMR's are per account and region. Source: the service
    /// quotas of `elasticmapreduce` as `aws service-quotas list-aws-default-service-quotas` gives them. Of other services
    /// only throttles are known, and S3's objects have quotas of their own.
    fn quotas_of(&self, service: &'static str, operation: &str) -> Vec<RequestQuota> {
        let emr = |name, burst: f64, refill: f64| {
            let (burst, refill) = (burst * self.quota.max(1.0), refill * self.quota);
            RequestQuota { name, burst, refill }
        };
        let own = match (service, operation) {
            ("S3", _) => return Vec::new(),
            ("EMR", "DescribeCluster") => emr("DescribeCluster", 10.0, 1.0),
            ("EMR", "ListClusters") => emr("ListClusters", 20.0, 0.5),
            ("EMR", "DescribeStep") => emr("DescribeStep", 10.0, 0.5),
            ("EMR", "ListSteps") => emr("ListSteps", 10.0, 0.5),
            ("EMR", "ListInstances") => emr("ListInstances", 10.0, 0.5),
            ("EMR", "RunJobFlow") => emr("RunJobFlow", 10.0, 0.5),
            ("EMR", "AddJobFlowSteps") => emr("AddJobFlowSteps", 10.0, 0.5),
            ("EMR", "CancelSteps") => emr("CancelSteps", 10.0, 0.5),
            ("EMR", "TerminateJobFlows") => emr("TerminateJobFlows", 10.0, 0.5),
            ("EMR", _) => emr("other", 5.0, 0.5),
            _ => return vec![RequestQuota { name: service, burst: 100.0, refill: 100.0 }],
        };
        vec![own, emr("all", 25.0, 5.0)]
    }

    /// Takes a token, going into debt when there is none; returns how long that debt takes to pay.
    fn take(&self, RequestQuota { name, burst, refill }: RequestQuota) -> Duration {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(name).or_insert(TokenBucket { tokens: burst, at: now, refill });
        let gained = now.duration_since(bucket.at).as_secs_f64() * bucket.refill;
        bucket.tokens = (bucket.tokens + gained).min(burst) - 1.0;
        bucket.at = now;
        if bucket.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-bucket.tokens / bucket.refill) }
    }
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
        let operations = ["DescribeCluster", "DescribeStep", "ListSteps", "ListClusters", "RunJobFlow", "CancelSteps"];
        for operation in operations {
            for _ in 0..10 {
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
                let before = Instant::now();
                pace.wait("EMR", operation).await;
                assert!(before.elapsed() <= Duration::from_millis(30_001), "{:?}", before.elapsed());
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
        assert!(start.elapsed() < Duration::from_millis(100), "answers make it fast again");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_makes_no_pace_faster_and_nobody_wait_twice() {
        let pace = Pace::new(0.05);
        for _ in 0..10 {
            pace.wait("EMR", "ListSteps").await;
        }
        pace.learn("EMR", "ListSteps", true);
        let start = Instant::now();
        pace.wait("EMR", "ListSteps").await;
        assert_eq!(start.elapsed().as_secs(), 40, "the quota of a twentieth");
        // Ten callers wait up to twenty seconds; the slower pace begins behind them.
        let (pace, start) = (Pace::new(1.0), Instant::now());
        let waiting = (0..20).map(|_| {
            let pace = pace.clone();
            tokio::spawn(async move { pace.wait("EMR", "ListSteps").await })
        });
        let waiting: Vec<_> = waiting.collect();
        tokio::time::sleep(Duration::from_millis(1)).await;
        for _ in 0..9 {
            pace.learn("EMR", "ListSteps", true);
        }
        pace.wait("EMR", "ListSteps").await;
        assert_eq!(start.elapsed().as_secs(), 50);
        for run in waiting {
            assert!(run.is_finished());
        }
    }
}
