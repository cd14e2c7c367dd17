//! Where a planned run would go: which cluster and why none of the others, what one costs, what would be uploaded.

use serde_json::{Value as Json, json};

use crate::cost::{Estimate, Missing};
use crate::error::Result;
use crate::report::{Style, bytes, line, paint, seconds};
use crate::targets::emr::{Clusters, Listed, Shipment};

/// What a run on a cluster would find.
pub struct ClusterChoice {
    shape: String,
    /// How many runs a cluster takes at once.
    slots: usize,
    /// The most a new cluster may cost an hour, in dollars.
    limit: f64,
    clusters: Vec<Listed>,
    cost: Result<Estimate, Missing>,
    shipments: Vec<Shipment>,
}

/// What would be done about a cluster.
enum Choice<'a> {
    Use(&'a Listed),
    Wait(&'a Listed),
    Make,
}

impl Choice<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Use(_) => "use",
            Self::Wait(_) => "wait",
            Self::Make => "make",
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Self::Use(one) | Self::Wait(one) => Some(&one.cluster.id),
            Self::Make => None,
        }
    }
}

impl ClusterChoice {
    /// Looks at the clusters and at what is in S3; changes nothing.
    pub async fn of(clusters: &Clusters) -> Result<Self> {
        let (listed, shipments) = tokio::try_join!(clusters.list(), clusters.shipments())?;
        let settings = clusters.settings();
        Ok(Self {
            shape: settings.cluster.clone(),
            slots: settings.shape.step_concurrency as usize,
            limit: settings.shape.max_dollars_per_hour,
            clusters: listed,
            cost: clusters.cost(),
            shipments,
        })
    }

    /// The clusters come in the order in which a run tries them.
    fn choice(&self) -> Choice<'_> {
        let mut fits = self.clusters.iter().filter(|one| one.cluster.fits).peekable();
        let Some(first) = fits.peek().copied() else { return Choice::Make };
        fits.find(|one| one.taken() < self.slots).map_or(Choice::Wait(first), Choice::Use)
    }

    /// Returns whether the price of a new cluster is known and above the limit.
    fn too_dear(&self) -> bool {
        self.cost.as_ref().is_ok_and(|cost| f64::from(cost.full_per_hour.high) > self.limit)
    }

    /// Returns the choice for people.
    pub fn text(&self, style: &Style) -> String {
        let choice = self.choice();
        let mut shown = match &choice {
            Choice::Use(one) => format!("\n{} {}\n", paint(style.strong, "cluster"), one.cluster.id),
            Choice::Wait(one) => {
                format!("\n{} {}, after waiting for it\n", paint(style.strong, "cluster"), one.cluster.id)
            }
            Choice::Make => format!("\n{} a new one of shape {}\n", paint(style.strong, "cluster"), self.shape),
        };
        let mut tell = |label: &str, text: String| shown.push_str(&format!("  {label:<7} {}\n", line(&text)));
        tell(
            "why",
            match &choice {
                Choice::Use(one) => one.cluster.reason.clone(),
                Choice::Wait(one) => format!("{}: {}", one.cluster.reason, one.users()),
                Choice::Make => "none that fits is there".into(),
            },
        );
        for one in self.clusters.iter().filter(|one| Some(one.cluster.id.as_str()) != choice.id()) {
            let age = seconds(one.cluster.age_seconds as f64);
            tell("not", format!("{} ({}, {age} old): {}", one.cluster.id, one.cluster.state, self.why_not(one)));
        }
        match (&self.cost, &choice) {
            (Ok(cost), Choice::Make) if self.too_dear() => {
                let more = format!("more than its `max-dollars-per-hour: {}` allows", self.limit);
                tell("refused", format!("{cost}: {more}"));
            }
            (Ok(cost), _) => tell("costs", cost.to_string()),
            (Err(missing), _) => tell("costs", missing.to_string()),
        }
        for one in &self.shipments {
            let size = one.bytes.map_or(String::new(), |size| format!(", {}", bytes(size)));
            let (label, word) = if one.there { ("there", "") } else { ("uploads", &size[..]) };
            tell(label, format!("{} {}{word}", one.what, one.digest.short()));
        }
        shown
    }

    fn why_not(&self, one: &Listed) -> String {
        match one.cluster.fits {
            false => one.cluster.reason.clone(),
            true if one.taken() >= self.slots => format!("{}: {}", one.cluster.reason, one.users()),
            true => format!("it fits too ({}), but not as well", one.cluster.reason),
        }
    }

    /// Returns the choice as fields of the plan's document.
    pub fn json(&self) -> (Json, Json) {
        let choice = self.choice();
        let cost = match &self.cost {
            Ok(cost) => json!({
                "as_of": cost.as_of,
                "start_per_hour": cost.start_per_hour,
                "full_per_hour": cost.full_per_hour,
                "limit_per_hour": self.limit,
                "refused": matches!(choice, Choice::Make) && self.too_dear(),
            }),
            Err(missing) => json!({ "as_of": missing.as_of, "unknown": missing.prices }),
        };
        let cluster = json!({
            "action": choice.name(),
            "cluster": choice.id(),
            "shape": self.shape,
            "candidates": self.clusters,
            "cost": cost,
        });
        (cluster, json!(self.shipments))
    }
}
