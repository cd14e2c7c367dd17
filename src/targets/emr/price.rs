//! What a cluster of the target's shape may cost: told before one is made, and refused above the shape's limit.

use super::Inner;
use crate::cost::{self, Estimate, Missing};
use crate::error::{Error, Kind, Result};
use crate::event::Event;

impl Inner {
    /// Returns what an hour of a new cluster would cost.
    ///
    /// # Errors
    /// The prices that are not known.
    pub fn cost(&self) -> Result<Estimate, Missing> {
        // How long it will be needed nobody knows; what counts are the amounts of one hour.
        cost::estimate(&self.settings.shape, self.api.session().region(), 1.0)
    }

    /// Refuses to make what could cost more than the shape allows. Where a price is not known nothing is refused:
    /// [`Self::price`] warns then.
    ///
    /// # Errors
    /// `Usage` with the amounts.
    pub(super) fn check_price(&self) -> Result<()> {
        let (name, limit) = (&self.settings.cluster, self.settings.shape.max_dollars_per_hour);
        let Ok(cost) = self.cost() else { return Ok(()) };
        let most = cost.full_per_hour.high;
        if f64::from(most) <= limit {
            return Ok(());
        }
        let message = format!("a cluster of shape `{name}` could cost {most} an hour, its limit is ${limit:.2}");
        Err(Error::new(Kind::Usage, message)
            .detail(cost.per_hour())
            .hint(format!(
                "make it smaller: `clusters: {{ {name}: {{ scaling: {{ max: … }} }} }}` in config/soflow.yaml"
            ))
            .hint(format!("or allow more there: `max-dollars-per-hour: {:.0}`", f64::from(most).ceil())))
    }

    /// Returns what is told about the price of a cluster that is about to be made.
    pub(super) fn price(&self) -> Event {
        let name = &self.settings.cluster;
        match self.cost() {
            Ok(cost) => Event::Note { text: format!("A cluster of shape {name} costs {}.", cost.per_hour()) },
            Err(missing) => Event::Warning {
                text: format!("{missing}: whether shape `{name}` stays below its `max-dollars-per-hour` is not known"),
            },
        }
    }
}
