//! When a failed call is sent again: one policy for every service, S3 included.

use std::time::Duration;

use aws_sdk_s3::error::SdkError;
use tokio::time::Instant;

use super::Session;
use super::errors::{CallError, OperationError};

/// When a failed call is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After throttles, lost connections and failures of the service: for calls that may be done twice.
    Safe,
    /// After throttles and connections that were never made only: for calls that must not be done twice.
    NotDone,
}

/// How long one attempt of a call may take, from its first byte to the beginning of the answer. EMR and S3 answer in well
/// under a second; a body that comes or goes too slowly is the business of the SDK's stalled-stream protection.
pub const ANSWER: Duration = Duration::from_secs(30);

/// How much longer than after other failures the pauses after a throttle are: AWS has said that it is the pace.
const THROTTLE: u32 = 5;

/// How often and how long failed calls are tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// How often a call is sent before its failure is believed.
    pub attempts: u32,
    /// How often it is sent while AWS says "too fast".
    pub throttled_attempts: u32,
    /// What pauses are reckoned from: the first is twice this, and each one twice the one before. Five times as long
    /// after a throttle.
    pub first_pause: Duration,
    /// Longest pause between two attempts.
    pub longest_pause: Duration,
    /// After this long no further attempt is begun.
    pub patience: Duration,
    /// How long an attempt waits for the beginning of an answer.
    pub answer: Duration,
}

impl Default for RetryPolicy {
    /// Throttles are sat out for one to three and a half minutes, in which a run goes on. No call takes longer than four
    /// minutes, large uploads apart.
    fn default() -> Self {
        Self {
            attempts: 6,
            throttled_attempts: 12,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(20),
            patience: Duration::from_secs(180),
            answer: ANSWER,
        }
    }
}

impl Session {
    /// Sends an operation of an SDK's client whose own retries are switched off: at the account's pace, and again as far as
    /// `retry` allows.
    ///
    /// # Errors
    /// The last failure; with [`Retry::NotDone`] one that may have been done has `maybe_done` set.
    pub async fn send<T, E: OperationError, F: Future<Output = Result<T, SdkError<E>>>>(
        &self,
        service: &'static str,
        operation: &str,
        retry: Retry,
        call: impl Fn() -> F,
    ) -> Result<T, CallError> {
        self.patiently(service, operation, retry, || async {
            // The SDK's futures are large and deeply nested: each is kept out of those around it.
            Box::pin(call()).await.map_err(|error| self.failed(service, operation, &error))
        })
        .await
    }

    /// Sends a call at the account's pace, and again as far as `retry` allows. The pace comes before the signature, which
    /// lasts five minutes: a call may wait longer than that for its turn.
    ///
    /// Credentials that AWS refuses are read again where they come from, and others are used at once.
    ///
    /// # Errors
    /// The last failure; at once when trying again is of no use.
    pub async fn patiently<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        service: &'static str,
        operation: &str,
        retry: Retry,
        call: impl Fn() -> F,
    ) -> Result<T, CallError> {
        self.patiently_until((service, operation), retry, std::future::pending(), call).await
    }

    /// As [`Self::patiently`], as long as `over` is pending: once it is not, a call that has failed is not sent again. One
    /// that is on its way is waited for.
    ///
    /// # Errors
    /// As [`Self::patiently`].
    pub async fn patiently_until<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        (service, operation): (&'static str, &str),
        retry: Retry,
        over: impl Future<Output = ()>,
        call: impl Fn() -> F,
    ) -> Result<T, CallError> {
        let (policy, begun, mut attempt) = (&self.policy, Instant::now(), 0);
        tokio::pin!(over);
        let mut used = self.keys.last().await;
        self.pace.wait(service, operation).await;
        loop {
            attempt += 1;
            let answer = call().await;
            self.pace.learn(service, operation, answer.as_ref().is_err_and(CallError::is_throttle));
            let Err(error) = answer else { return answer };
            let most = if error.is_throttle() { policy.throttled_attempts } else { policy.attempts };
            if attempt >= most || begun.elapsed() >= policy.patience {
                return Err(error);
            }
            if error.blames_credentials() {
                // None were fetched yet when the first call began.
                let used = if used.is_some() { used } else { self.keys.last().await };
                if !self.keys.renewed(used.as_ref()).await {
                    return Err(error);
                }
            } else if error.is_passing() && (retry == Retry::Safe || !error.maybe_done) {
                // With jitter, so that clients do not march in step.
                let first = policy.first_pause * if error.is_throttle() { THROTTLE } else { 1 };
                let pause = first.saturating_mul(1 << attempt.min(8)).min(policy.longest_pause);
                tokio::select! {
                    () = tokio::time::sleep(pause.mul_f64(0.5 + 0.5 * jitter())) => {}
                    () = &mut over => return Err(error),
                }
            } else {
                return Err(error);
            }
            used = self.keys.last().await;
            tokio::select! {
                () = self.pace.wait(service, operation) => {}
                () = &mut over => return Err(error),
            }
        }
    }
}

/// Returns a number from 0 to 1. Of hash seeds, which the standard library draws at random: good enough to spread calls.
pub fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let drawn = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
impl RetryPolicy {
    /// Returns the policy without its pauses.
    pub fn hasty() -> Self {
        let soon = Duration::from_millis(1);
        Self { first_pause: soon, longest_pause: soon, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_credential_types::Credentials;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn failure(service: &'static str, code: &str, maybe_done: bool) -> CallError {
        let (operation, code) = ("Any".into(), code.into());
        CallError { service, operation, code, message: String::new(), maybe_done, partition: "aws" }
    }

    /// Returns when a call that fails for ever is sent, in seconds from the first time on.
    async fn tried(retry: Retry, error: (&'static str, &str, bool)) -> Vec<f64> {
        let keys = Credentials::new("id", "secret", None, None, "test");
        let session = Session::for_tests("http://127.0.0.1:1", keys, RetryPolicy::default());
        session.keys.get().await.unwrap();
        let (calls, begun) = (Mutex::new(Vec::new()), Instant::now());
        let call = || {
            calls.lock().unwrap().push(begun.elapsed().as_secs_f64());
            std::future::ready(Err::<(), _>(failure(error.0, error.1, error.2)))
        };
        session.patiently(error.0, "Any", retry, call).await.unwrap_err();
        calls.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn throttles_are_sat_out_for_minutes_and_nothing_for_ever() {
        for service in ["S3", "Glue", "EMR"] {
            let at = tried(Retry::Safe, (service, "SlowDown", false)).await;
            // The pace of EMR grows slower meanwhile.
            let sent = if service == "EMR" { 9..=10 } else { 12..=12 };
            assert!(sent.contains(&at.len()) && (60.0..=210.0).contains(at.last().unwrap()), "{service}: {at:?}");
            assert!(at[1] >= 1.0 && at.windows(2).all(|pair| pair[1] - pair[0] < 30.1), "{service}: {at:?}");
        }
        let at = tried(Retry::Safe, ("S3", "NoAnswer", true)).await;
        assert!(at.len() == 6 && at[1] < 0.5 && at[5] <= 15.0, "{at:?}");
        assert_eq!(tried(Retry::NotDone, ("EMR", "NoAnswer", true)).await.len(), 1);
        assert_eq!(tried(Retry::NotDone, ("EMR", "ConnectionFailed", false)).await.len(), 6);
        for code in ["AccessDenied", "CertificateNotTrusted", "ExpiredToken"] {
            assert_eq!(tried(Retry::Safe, ("EMR", code, false)).await.len(), 1, "{code}");
        }
    }

    #[tokio::test]
    async fn keys_that_have_ended_are_read_again_and_the_call_goes_on() {
        let keys = super::super::credentials::tests::Renewed(1.into());
        let session = Session::for_tests("http://127.0.0.1:1", keys, RetryPolicy::hasty());
        for (service, code) in [("EMR", "ExpiredTokenException"), ("S3", "BadRequest")] {
            let call = || async {
                let keys = session.keys.get().await.unwrap();
                if keys.access_key_id() == "old" { Err(failure(service, code, false)) } else { Ok(()) }
            };
            session.patiently(service, "Any", Retry::NotDone, call).await.unwrap();
        }
    }

    /// Returns what a call that must not be done twice comes to when its answer begins in that way, and what is not told.
    async fn called(beginning: &str, silent: bool) -> CallError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let policy = RetryPolicy { answer: Duration::from_millis(200), ..RetryPolicy::hasty() };
        let keys = Credentials::new("id", "secret", None, None, "test");
        let session = Session::for_tests(&format!("http://{}", listener.local_addr().unwrap()), keys, policy);
        let serve = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            assert_ne!(connection.read(&mut [0; 65_536]).await.unwrap(), 0);
            connection.write_all(beginning.as_bytes()).await.unwrap();
            if silent {
                std::future::pending::<()>().await;
            }
        };
        let emr = session.emr();
        let call = session.send("EMR", "RunJobFlow", Retry::NotDone, || emr.run_job_flow().name("x").send());
        tokio::select! {
            answer = call => answer.unwrap_err(),
            never = async { serve.await; std::future::pending().await } => never,
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_on_its_way_may_have_been_done() {
        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"JobFlow";
        for (beginning, silent) in [("", false), ("HTTP/1.1 200 O", false), (cut, false), ("", true), (cut, true)] {
            let error = called(beginning, silent).await;
            assert_eq!((error.code.as_str(), error.maybe_done), ("NoAnswer", true), "{beginning} {silent}: {error}");
        }
    }
}
