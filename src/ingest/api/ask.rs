//! One question to the API, asked until there is a page: at the pace that is asked for, within the quota, with retries.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;

use super::client::ApiResponse;
use super::endpoint::Endpoint;
use super::fetch::{ApiReader, Current};
use super::response::{Expected, Fault, FaultClass};
use super::retry::{BACKOFF_MARGIN, RetryBudget, failure, filtered_out, quota_until, used_up};
use super::state::Quota;
use crate::error::{Error, Kind, Result};
use crate::event::Event;

/// Shortest time between two requests: more than 30 a second are answered with a ban. Source:
/// api.stackexchange.com/docs/throttle.
const BETWEEN: SignedDuration = SignedDuration::from_millis(40);

/// Longest wait without a word to others that we are alive.
pub(super) const NAP: Duration = Duration::from_secs(30);

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
            self.pause(Duration::from_millis(millis), &why(&fault)).await?;
        }
        Err(Error::new(Kind::Internal, "asked for ever"))
    }

    /// Refuses to ask while it is known that no requests are left.
    fn keep_to_quota(&mut self) -> Result<()> {
        let (now, counted) = (self.clock.now(), self.client.counted());
        match &self.book.state.quota {
            Some(Quota { until: Some(until), counted: by, .. }) if *until > now && by == counted => {
                Err(used_up(counted, *until))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the method may be asked again.
    async fn keep_to_pace(&mut self, method: &str) -> Result<()> {
        let now = self.clock.now();
        if let Some(until) = self.book.state.backoffs.get(method).copied().filter(|until| *until > now) {
            self.pause(unsigned(until.duration_since(now)), &format!("the API wants `{method}` to rest")).await?;
        }
        self.book.state.backoffs.remove(method);
        if let Some(rest) = self.asked_at.map(|at| (at + BETWEEN).duration_since(self.clock.now()))
            && rest.is_positive()
        {
            self.clock.sleep(unsigned(rest)).await;
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
            self.book.state.quota = Some(Quota { counted, remaining, max: response.page.quota_max, at: now, until });
        }
    }

    async fn quota_is_out(&mut self, seconds: i64) -> Result<Error> {
        let (now, counted) = (self.clock.now(), self.client.counted());
        let until = quota_until(now, Some(seconds));
        let max = self.book.state.quota.as_ref().and_then(|quota| quota.max);
        let quota = Quota { counted: counted.into(), remaining: 0, max, at: now, until: Some(until) };
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

fn unsigned(time: SignedDuration) -> Duration {
    time.unsigned_abs()
}

fn why(fault: &Fault) -> String {
    match &fault.error {
        Some(error) => format!("the API says {error}: {}", fault.message),
        None => fault.message.clone(),
    }
}
