//! The time as AWS sees it: leases must not depend on the clocks of two laptops.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

/// How far AWS's clock is ahead of this machine's, as the latest answer told.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<AtomicI64>);

impl ServerClock {
    /// Takes in the `Date` header of an answer.
    pub fn learn(&self, date: &str) {
        if let Ok(there) = rfc2822::parse(date) {
            let ahead = there.timestamp().duration_since(Timestamp::now());
            self.0.store(ahead.as_secs(), Ordering::Relaxed);
        }
    }

    /// Returns the time by AWS's clock, exact to about a second.
    pub fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.ahead()).unwrap_or_else(|_| Timestamp::now())
    }

    /// Returns how far AWS's clock is ahead of this machine's, in whole seconds; nothing before the first answer.
    pub fn ahead(&self) -> SignedDuration {
        SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.learn(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_the_future_moves_the_clock() {
        let clock = ServerClock::default();
        clock.learn("not a date");
        assert!(clock.now().duration_since(Timestamp::now()).abs() < SignedDuration::from_secs(2));
        clock.learn("Sat, 22 Nov 2127 03:00:00 GMT");
        assert!(clock.now() > "2127-11-01T00:00:00Z".parse().unwrap());
    }
}
