//! One question to the API, asked until there is a page: at the pace that is asked for, within the quota, with retries;
//! and what is said when that was of no use.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::client::ApiResponse;
use super::cursor::{Cursor, ItemKey, Stuck};
use super::endpoint::Endpoint;
use super::fetch::{ApiReader, Current};
use super::response::{Expected, Fault, FaultClass};
use super::state::ApiQuota;
use crate::error::{Error, Kind, Result};
use crate::event::Event;

/// Shortest time between two requests: more than 30 a second are answered with a ban. Source:
/// api.stackexchange.com/docs/throttle.
const BETWEEN: SignedDuration = SignedDuration::from_millis(40);

/// Longest wait without a word to others that we are alive.
pub(super) const NAP: Duration = Duration::from_secs(30);

/// How much longer than asked for a `backoff` is waited: violations were reported of clients that came back on time.
/// Source: meta.stackexchange.com/questions/377674.
const BACKOFF_MARGIN: i64 = 2;

/// Shortest wait after a `backoff` that was not kept to, in seconds.
const VIOLATION: i64 = 60;

/// First wait when something before the API keeps us out, in seconds. Bans last 30 seconds to minutes. Source:
/// api.stackexchange.com/docs/throttle.
const BLOCKED: i64 = 60;

/// Makes a filter from another one. Source: api.stackexchange.com/docs/create-filter.
const CREATE_FILTER: &str = "https://api.stackexchange.com/2.3/filters/create";

/// Longest time to an answer that has requests again, in seconds.
const DAY: i64 = 86_400;

impl ApiReader<'_> {
    /// Asks until there is a page, or no use in asking.
    pub(super) async fn ask(
        &mut self,
        endpoint: &Endpoint,
        params: &BTreeMap<String, String>,
        wanted: Expected,
        mut current: Option<&mut Current<'_>>,
    ) -> Result<ApiResponse> {
        let method = endpoint.method;
        let filter = params.get("filter").filter(|_| wanted == Expected::Items);
        let mut retries = RetryBudget::default();
        let mut backoff = 0;
        for asked in 1.. {
            self.keep_to_quota()?;
            self.keep_to_pace(method).await?;
            if let Some(current) = current.as_deref_mut() {
                current.task.requests += 1;
            }
            self.asked_at = Some(self.clock.now());
            let fault = match self.client.ask(method, params, wanted).await {
                Ok(response) => {
                    self.learn(method, &response);
                    return Ok(response);
                }
                // Without a filter the API always sends it, so this answer was not the API's, or not all of it.
                Err(fault @ Fault { class: FaultClass::MissingField(_), .. }) if filter.is_none() => {
                    Fault { class: FaultClass::Transient, ..fault }
                }
                Err(fault) => fault,
            };
            if let Some(Current { task, pages, .. }) = current.as_deref() {
                if !fault.body.is_empty() {
                    pages.put_error(task, &fault.body).await?;
                }
                self.progress(endpoint).task = Some(task.clone());
            }
            if let FaultClass::Quota(seconds) = fault.class {
                return Err(self.quota_is_out(seconds).await?);
            }
            if let Some(until) = self.book.state.backoffs.get(method) {
                backoff = until.as_second() - self.clock.now().as_second();
            }
            if let (FaultClass::MissingField(field), Some(filter)) = (fault.class, filter) {
                return Err(filtered_out(endpoint, filter, &format!(".{field}")));
            }
            let Some(millis) = retries.wait(fault.class, backoff, self.clock.spread()) else {
                return Err(failure(method, &fault, asked));
            };
            self.book.save().await?;
            self.pause(Duration::from_millis(millis), &fault.said()).await?;
        }
        Err(Error::new(Kind::Internal, "asked for ever"))
    }

    /// Refuses to ask while it is known that no requests are left.
    fn keep_to_quota(&mut self) -> Result<()> {
        let (now, counted) = (self.clock.now(), self.client.counted());
        match &self.book.state.quota {
            Some(ApiQuota { until: Some(until), counted: by, .. }) if *until > now && by == counted => {
                Err(used_up(counted, *until))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the method may be asked again.
    async fn keep_to_pace(&mut self, method: &str) -> Result<()> {
        let now = self.clock.now();
        if let Some(until) = self.book.state.backoffs.get(method).copied().filter(|until| *until > now) {
            self.pause(until.duration_since(now).unsigned_abs(), &format!("the API wants `{method}` to rest")).await?;
        }
        self.book.state.backoffs.remove(method);
        if let Some(rest) = self.asked_at.map(|at| (at + BETWEEN).duration_since(self.clock.now()))
            && rest.is_positive()
        {
            self.clock.sleep(rest.unsigned_abs()).await;
        }
        Ok(())
    }

    /// Takes note of what an answer says of the times to come.
    fn learn(&mut self, method: &str, response: &ApiResponse) {
        let (now, counted) = (self.clock.now(), self.client.counted().to_string());
        if let Some(seconds) = response.page.backoff {
            let until = now + SignedDuration::from_secs(seconds + BACKOFF_MARGIN);
            self.book.state.backoffs.insert(method.into(), until);
        }
        if let Some(remaining) = response.page.quota_remaining {
            let until = (remaining <= 0).then(|| quota_until(now, None));
            self.book.state.quota = Some(ApiQuota { counted, remaining, max: response.page.quota_max, at: now, until });
        }
    }

    async fn quota_is_out(&mut self, seconds: i64) -> Result<Error> {
        let (now, counted) = (self.clock.now(), self.client.counted());
        let until = quota_until(now, Some(seconds));
        let max = self.book.state.quota.as_ref().and_then(|quota| quota.max);
        let quota = ApiQuota { counted: counted.into(), remaining: 0, max, at: now, until: Some(until) };
        self.book.state.quota = Some(quota);
        self.book.save().await?;
        Ok(used_up(counted, until))
    }

    /// Waits, and says so, and stays alive to others meanwhile.
    async fn pause(&mut self, time: Duration, why: &str) -> Result<()> {
        self.sink.emit(Event::Waiting { seconds: time.as_secs_f64(), reason: why.into() });
        let mut left = time;
        while !left.is_zero() {
            let nap = left.min(NAP);
            self.clock.sleep(nap).await;
            left -= nap;
            if !left.is_zero() {
                self.book.save().await?;
            }
        }
        Ok(())
    }
}

/// How often each class of fault was met for one question.
#[derive(Debug, Default)]
struct RetryBudget {
    transient: u32,
    backoff: u32,
    blocked: u32,
}

impl RetryBudget {
    /// Returns for how many milliseconds to wait before asking again; `None`: it is of no use. `spread` is from 0 to 1,
    /// so that clients do not march in step; `backoff` the last one the method asked for, in seconds.
    fn wait(&mut self, class: FaultClass, backoff: i64, spread: f64) -> Option<u64> {
        let (met, most, seconds) = match class {
            FaultClass::Transient => (&mut self.transient, 5, 1),
            FaultClass::Backoff => (&mut self.backoff, 3, backoff.max(VIOLATION) + BACKOFF_MARGIN),
            FaultClass::Blocked => (&mut self.blocked, 3, BLOCKED),
            FaultClass::Quota(_) | FaultClass::BadRequest | FaultClass::MissingField(_) | FaultClass::Credentials => {
                return None;
            }
        };
        *met += 1;
        let millis = u64::try_from(seconds).unwrap_or_default() * 1000;
        let millis = if class == FaultClass::Backoff { millis } else { millis << (*met - 1) };
        (*met <= most).then(|| millis + spread_of(millis, spread))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rough share"
)]
fn spread_of(millis: u64, spread: f64) -> u64 {
    (millis as f64 * 0.25 * spread) as u64
}

/// Returns when there will be requests again: as it was said, within a day, or at the next midnight UTC, when daily
/// quotas are filled up according to those who watched them.
fn quota_until(now: Timestamp, seconds: Option<i64>) -> Timestamp {
    let to_midnight = DAY - now.as_second().rem_euclid(DAY);
    let seconds = seconds.unwrap_or(to_midnight).clamp(1, DAY);
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// Returns what to say of a quota that is used up.
fn used_up(counted: &str, until: Timestamp) -> Error {
    let error = Error::new(Kind::Quota, format!("the API's quota is used up; there is more from {until:.0}"))
        .detail("what was read is stored, and how far is written down: nothing is asked for twice")
        .hint("the same command goes on from there");
    match counted {
        "address" => error.hint("without a key there are 300 requests a day, with one 10,000: set `SOFLOW_API_KEY`"),
        _ => error,
    }
}

/// Returns the failure that a `filter` is which leaves out `field`, spelled as the API's filters spell it: `.has_more`,
/// `question.question_id`.
///
/// Such a filter is made from the one there is.
pub fn filtered_out(endpoint: &Endpoint, filter: &str, field: &str) -> Error {
    let Endpoint { name, method, .. } = endpoint;
    let bare = field.rsplit('.').next().unwrap_or(field);
    let make = format!(
        "curl --compressed -G {CREATE_FILTER} --data-urlencode 'base={filter}' -d include={field} -d unsafe=false"
    );
    Error::new(Kind::Usage, format!("the filter `{filter}` of `{method}` leaves `{bare}` out: items would be lost"))
        .hint(format!("make one that has it: `{make}`"))
        .hint(format!("and put its name, in quotes, at `ingest.filters.{name}` in config/soflow.yaml"))
}

/// Returns the failure that `cursor` is, which is `stuck` in a list read with `filter`.
pub fn stuck_at(endpoint: &Endpoint, cursor: &Cursor, stuck: Stuck, filter: Option<&String>) -> Error {
    let field = cursor.sort.field();
    let why = match (stuck, filter) {
        (Stuck::Unordered, Some(filter)) => {
            return filtered_out(endpoint, filter, &format!("{}.{field}", endpoint.item));
        }
        (Stuck::Unordered, None) => format!("its items do not have the field they are sorted by, `{field}`"),
        (Stuck::Empty, _) => "page after page is empty and says that there is more".into(),
        (Stuck::Circling, _) => {
            let place =
                cursor.min.as_ref().map_or_else(String::new, |min| format!(" with the `{field}` {}", shown(min)));
            format!("page after page of items{place} brings nothing new and says that there is more")
        }
        (Stuck::Restless, _) => "one second has more items than a page, and they never keep still".into(),
    };
    Error::new(Kind::Machine, format!("`{}` cannot be read to its end: {why}", endpoint.method))
        .hint("the same command goes on from where it stopped")
}

/// Returns what items are ordered by, for people.
fn shown(key: &ItemKey) -> String {
    match key {
        ItemKey::Number(second) => {
            Timestamp::from_second(*second).map_or_else(|_| key.to_string(), |at| at.to_string())
        }
        ItemKey::Text(text) => format!("`{text}`"),
    }
}

/// Returns the failure that a fault is when asking again is of no use.
fn failure(method: &str, fault: &Fault, asked: u32) -> Error {
    let (kind, what, hints): (Kind, &str, &[&str]) = match fault.class {
        FaultClass::BadRequest | FaultClass::MissingField(_) => (
            Kind::Usage,
            "the API refuses",
            &["look at `--site`, and at `api` and `filters` below `ingest:`: `soflow config show --origin`"],
        ),
        FaultClass::Credentials if fault.message.contains("page above") => (
            Kind::Machine,
            "the API does not let us read",
            &["more than 2,500 items within one second need a key: set `SOFLOW_API_KEY`"],
        ),
        FaultClass::Credentials => (
            Kind::Machine,
            "the API does not let us read",
            &[
                "look at the key and the token: docs/ingest.md says where they come from",
                "if the API does not know `Authorization: Bearer` yet: add `--auth query`",
            ],
        ),
        FaultClass::Blocked => (
            Kind::Machine,
            "something before the API keeps us from",
            &[
                "this address was banned for a while, as after too many requests: stop other programs that ask the API",
                "wait some minutes; the same command goes on from where it stopped",
            ],
        ),
        FaultClass::Backoff | FaultClass::Transient | FaultClass::Quota(_) => {
            (Kind::Machine, "no usable answer of the API to", &["the same command goes on from where it stopped"])
        }
    };
    let times = if asked > 1 { format!(", asked {asked} times") } else { String::new() };
    let error = Error::new(kind, format!("{what} `{method}`{times}: {}", fault.said()));
    hints.iter().fold(error, |error, hint| error.hint(*hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(class: FaultClass) -> Vec<Option<u64>> {
        let mut retries = RetryBudget::default();
        (0..7).map(|_| retries.wait(class, 10, 0.0).map(|millis| millis / 1000)).collect()
    }

    #[test]
    fn each_class_is_waited_for_as_it_deserves() {
        assert_eq!(waits(FaultClass::Transient), [Some(1), Some(2), Some(4), Some(8), Some(16), None, None]);
        assert_eq!(waits(FaultClass::Backoff), [Some(62), Some(62), Some(62), None, None, None, None]);
        assert_eq!(waits(FaultClass::Blocked), [Some(60), Some(120), Some(240), None, None, None, None]);
        for class in [FaultClass::Quota(3), FaultClass::BadRequest, FaultClass::Credentials] {
            assert_eq!(waits(class)[0], None);
        }
        let mut retries = RetryBudget::default();
        assert_eq!(retries.wait(FaultClass::Backoff, 300, 0.0), Some(302_000));
        assert_eq!(retries.wait(FaultClass::Transient, 0, 1.0), Some(1_250));
    }

    #[test]
    fn a_quota_is_back_when_it_was_said_or_at_midnight() {
        let now: Timestamp = "2026-11-23T20:00:00Z".parse().unwrap();
        let until = |seconds| quota_until(now, seconds).to_string();
        assert_eq!(until(Some(46_472)), "2026-11-24T08:54:32Z");
        assert_eq!(until(None), "2026-11-24T00:00:00Z");
        assert_eq!(until(Some(9_999_999)), "2026-11-24T20:00:00Z");
        assert_eq!(until(Some(-5)), "2026-11-23T20:00:01Z");
    }
}
