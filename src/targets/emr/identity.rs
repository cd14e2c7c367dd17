//! What a cluster's name says: whose it is, what it can do, and which request made it.

use serde_json::{Value as Json, json};

use super::request::configurations;
use crate::config::{Classification, Lake, Shape};
use crate::names::{Digest, RunId, Uri};

/// What all names of soflow's clusters start with.
pub const MARK: &str = "soflow/";

/// What tells a run's requests for clusters apart.
const MOVE: &str = ".move-";

/// What makes two clusters interchangeable. ListClusters returns names but neither tags nor sizes, so the name says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Stands for the lake.
    pub lake: String,
    /// The shape's name.
    pub shape: String,
    /// Stands for release, applications, configuration, bootstrap, network and roles.
    pub hash: String,
    /// The largest size, in the units of the fleets.
    pub units: u32,
    /// How many steps it runs at once.
    pub concurrency: u32,
}

/// What a cluster's name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName {
    /// What kind of cluster it is.
    pub identity: Identity,
    /// Which request made it.
    pub token: String,
}

impl Identity {
    /// Returns the identity of clusters of a shape; `bootstrap` are its scripts in S3, whose names tell their content.
    pub fn of(name: &str, shape: &Shape, lake: &Lake, bootstrap: &[Uri]) -> Self {
        let mut applications: Vec<String> = shape.applications.iter().map(|a| a.to_ascii_lowercase()).collect();
        applications.sort();
        let types = |fleet: &crate::config::Fleet| {
            fleet.types.iter().map(|kind| format!("{}x{}", kind.name, kind.weight)).collect::<Vec<_>>().join(",")
        };
        let mut parts = vec![
            shape.release.clone(),
            applications.join(","),
            configurations(shape, lake).iter().map(text).collect::<Json>().to_string(),
            shape.service_role.clone(),
            shape.instance_profile.clone(),
            shape.subnets.join(","),
            shape.key_name.clone().unwrap_or_default(),
            shape.security_configuration.clone().unwrap_or_default(),
            format!("{:?}", shape.disk),
            format!("{} {:?}", shape.cloudwatch_logs, shape.log_key),
            types(&shape.primary),
            types(&shape.core),
            shape.task.as_ref().map(types).unwrap_or_default(),
        ];
        // Those of soflow's own are at the end, and their names tell all about them.
        let own = bootstrap.get(shape.bootstrap.len()..).unwrap_or_default();
        parts.extend(own.iter().map(ToString::to_string));
        let actions = shape.bootstrap.iter().zip(bootstrap);
        parts.extend(actions.map(|(action, script)| format!("{} {script} {:?}", action.name, action.args)));
        let size = |fleet: &crate::config::Fleet| fleet.on_demand + fleet.spot;
        let fixed = size(&shape.core) + shape.task.as_ref().map_or(0, size);
        Self {
            lake: lake_mark(lake),
            shape: name.into(),
            hash: Digest::of(&parts).short().into(),
            units: shape.scaling.as_ref().map_or(fixed, |scaling| scaling.max),
            concurrency: shape.step_concurrency,
        }
    }

    /// Returns what the names of all clusters of a lake begin with.
    pub fn prefix(lake: &Lake) -> String {
        format!("{MARK}{}/", lake_mark(lake))
    }

    /// Returns the name of a cluster made by the request `token`.
    pub fn name(&self, token: &str) -> String {
        let Self { lake, shape, hash, units, concurrency } = self;
        format!("{MARK}{lake}/{shape}/{hash}/{units}u/{concurrency}s/{token}")
    }
}

impl ClusterName {
    /// Returns what a name tells, or `None` when soflow did not make it.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.strip_prefix(MARK)?.split('/').collect();
        let [lake, shape, hash, units, concurrency, token] = parts[..] else { return None };
        let identity = Identity {
            lake: lake.into(),
            shape: shape.into(),
            hash: hash.into(),
            units: units.strip_suffix('u')?.parse().ok()?,
            concurrency: concurrency.strip_suffix('s')?.parse().ok()?,
        };
        Some(Self { identity, token: token.into() })
    }

    /// Returns for which run the cluster was made; `None` of one that a person made, for whoever comes.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        maker(&self.token).parse().ok()
    }
}

/// Returns the token of a run's request for another cluster, after the ones before have ended.
pub(super) fn moved(run: &str, moves: usize) -> String {
    format!("{run}{MOVE}{moves}")
}

/// Returns the run that a token is of; the token itself when it is of none.
pub(super) fn maker(token: &str) -> &str {
    token.split_once(MOVE).map_or(token, |(run, _)| run)
}

/// Returns what stands for a lake.
pub(super) fn lake_mark(lake: &Lake) -> String {
    Digest::of([lake.artifacts.as_str()]).as_str()[..8].into()
}

/// Returns a classification in the form that is part of the names of clusters.
fn text(one: &Classification) -> Json {
    json!({
        "Classification": one.classification,
        "Properties": one.properties,
        "Configurations": one.configurations.iter().map(text).collect::<Json>(),
    })
}
