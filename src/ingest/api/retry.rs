//! Which faults are waited out, how long and how often, and what is said when that was of no use.

use jiff::{SignedDuration, Timestamp};

use super::cursor::{Cursor, ItemKey, Stuck};
use super::endpoint::Endpoint;
use super::response::{Fault, FaultClass};
use crate::error::{Error, Kind};

/// How much longer than asked for a `backoff` is waited: violations were reported of clients that came back on time.
/// Source: meta.stackexchange.com/questions/377674.
pub const BACKOFF_MARGIN: i64 = 2;

/// Shortest wait after a `backoff` that was not kept to, in seconds.
const VIOLATION: i64 = 60;

/// First wait when something before the API keeps us out, in seconds. Bans last 30 seconds to minutes. Source:
/// api.stackexchange.com/docs/throttle.
const BLOCKED: i64 = 60;

/// Makes a filter from another one. Source: api.stackexchange.com/docs/create-filter.
const CREATE_FILTER: &str = "https://api.stackexchange.com/2.3/filters/create";

/// Longest time to an answer that has requests again, in seconds.
const DAY: i64 = 86_400;

/// How often each class of fault was met for one question.
#[derive(Debug, Default)]
pub struct RetryBudget {
    transient: u32,
    backoff: u32,
    blocked: u32,
}

impl RetryBudget {
    /// Returns for how many milliseconds to wait before asking again; `None`: it is of no use. `spread` is from 0 to 1,
    /// so that clients do not march in step; `backoff` the last one the method asked for, in seconds.
    pub fn wait(&mut self, class: FaultClass, backoff: i64, spread: f64) -> Option<u64> {
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
pub fn quota_until(now: Timestamp, seconds: Option<i64>) -> Timestamp {
    let to_midnight = DAY - now.as_second().rem_euclid(DAY);
    let seconds = seconds.unwrap_or(to_midnight).clamp(1, DAY);
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// Returns what to say of a quota that is used up.
pub fn used_up(counted: &str, until: Timestamp) -> Error {
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
pub fn failure(method: &str, fault: &Fault, asked: u32) -> Error {
    let times = if asked > 1 { format!(", asked {asked} times") } else { String::new() };
    let said = match &fault.error {
        Some(error) => format!("{error}: {}", fault.message),
        None => fault.message.clone(),
    };
    match fault.class {
        FaultClass::BadRequest | FaultClass::MissingField(_) => {
            let error = Error::new(Kind::Usage, format!("the API refuses `{method}`: {said}"));
            error.hint("look at `--site`, and at `api` and `filters` below `ingest:`: `soflow config show --origin`")
        }
        FaultClass::Credentials => {
            let error = Error::new(Kind::Machine, format!("the API does not let us read `{method}`: {said}"));
            match fault.message.contains("page above") {
                true => error.hint("more than 2,500 items within one second need a key: set `SOFLOW_API_KEY`"),
                false => error
                    .hint("look at the key and the token: docs/ingest.md says where they come from")
                    .hint("if the API does not know `Authorization: Bearer` yet: add `--auth query`"),
            }
        }
        FaultClass::Blocked => {
            let error = Error::new(Kind::Machine, format!("`{method}` is kept from us before the API{times}: {said}"));
            error
                .hint("this address was banned for a while, as after too many requests: stop other programs that ask the API")
                .hint("wait some minutes; the same command goes on from where it stopped")
        }
        FaultClass::Backoff | FaultClass::Transient | FaultClass::Quota(_) => {
            let error = Error::new(Kind::Machine, format!("no usable answer of the API to `{method}`{times}: {said}"));
            error.hint("the same command goes on from where it stopped")
        }
    }
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
