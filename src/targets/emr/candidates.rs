//! Which running cluster could be used, and why each other one could not. Pure.

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::answers::{ALIVE, Cluster, ClusterState};
use super::identity::{ClusterName, Identity};

/// A cluster looked at, and what was decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// `j-…`.
    pub id: String,
    /// What its shape was called when it was made.
    pub shape: String,
    /// Its state.
    #[serde(serialize_with = "state")]
    pub state: ClusterState,
    /// Its age in seconds.
    pub age_seconds: i64,
    /// Whether runs of the target's shape can use it.
    pub fits: bool,
    /// Why, or why not.
    pub reason: String,
    /// What its name tells.
    #[serde(skip)]
    pub name: ClusterName,
}

fn state<S: Serializer>(state: &ClusterState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.as_str())
}

/// Returns the clusters of this lake, the best first, each with a reason. Clusters of others are left out.
pub fn judge(clusters: &[Cluster], wanted: &Identity, max_age: u64, now: Timestamp) -> Vec<Candidate> {
    let judged = |cluster: &Cluster| {
        let named = ClusterName::parse(&cluster.name).filter(|named| named.identity.lake == wanted.lake)?;
        let age_seconds = cluster.created.map_or(0, |made| now.duration_since(made).as_secs());
        let is_old = u64::try_from(age_seconds).is_ok_and(|age| age >= max_age);
        let verdict = verdict(&named.identity, wanted, &cluster.state, is_old);
        let fits = verdict.is_ok();
        let (Ok(reason) | Err(reason)) = verdict;
        let (id, state) = (cluster.id.clone(), cluster.state.clone());
        let shape = named.identity.shape.clone();
        Some(Candidate { id, shape, state, age_seconds, fits, reason, name: named })
    };
    let mut found: Vec<Candidate> = clusters.iter().filter_map(judged).collect();
    // Those that fit first, ready ones before starting ones, young ones before those that soon reach their age. The order
    // of `ALIVE` is that of a cluster's life.
    found.sort_by_cached_key(|found| {
        let lived = ALIVE.iter().position(|state| *state == found.state);
        (!found.fits, Reverse(lived), found.age_seconds, found.id.clone())
    });
    found
}

fn verdict(is: &Identity, wanted: &Identity, state: &ClusterState, is_old: bool) -> Result<String, String> {
    if !ALIVE.contains(state) {
        return Err("it is ending".into());
    }
    if is.shape != wanted.shape {
        return Err(format!("made for `{}`", is.shape));
    }
    if is.hash != wanted.hash {
        return Err("made from other settings: release, applications, configuration, network or roles".into());
    }
    if is.concurrency != wanted.concurrency {
        return Err(format!("runs {} steps at once, {} wanted", is.concurrency, wanted.concurrency));
    }
    if is.units < wanted.units {
        return Err(format!("grows to {} units, {} wanted", is.units, wanted.units));
    }
    if is_old {
        return Err("past its `max-age`: `soflow cluster reap` ends it".into());
    }
    Ok(match state {
        ClusterState::Waiting => "idle".into(),
        ClusterState::Running => "ready, and running steps".into(),
        _ => "starting".into(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn wanted() -> Identity {
        Identity { lake: "1a2b3c4d".into(), shape: "small".into(), hash: "f".repeat(12), units: 10, concurrency: 1 }
    }

    fn cluster(id: &str, name: String, state: &str, hours_old: i64) -> Cluster {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let made = now.checked_sub(SignedDuration::from_hours(hours_old)).unwrap();
        Cluster { created: Some(made), ..Cluster::testing(id, &name, state) }
    }

    #[test]
    fn names_carry_the_identity_there_and_back() {
        let name = wanted().name("daily.2026-11-22.3");
        assert_eq!(name, "soflow/1a2b3c4d/small/ffffffffffff/10u/1s/daily.2026-11-22.3");
        let named = ClusterName::parse(&name).unwrap();
        assert_eq!((named.identity, named.token.as_str()), (wanted(), "daily.2026-11-22.3"));
        for other in ["etl", "soflow/x", "soflow/a/b/c/du/1s/t", "SOFLOW/1a2b3c4d/small/ffffffffffff/10u/1s/t"] {
            assert_eq!(ClusterName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn every_cluster_of_the_lake_gets_a_reason_and_the_best_comes_first() {
        let with = |change: &dyn Fn(&mut Identity)| {
            let mut identity = wanted();
            change(&mut identity);
            identity.name("t")
        };
        let clusters = [
            cluster("j-STRANGE", "someone else's".into(), "WAITING", 1),
            cluster("j-OTHERLAKE", with(&|i| i.lake = "00000000".into()), "WAITING", 1),
            cluster("j-SHAPE", with(&|i| i.shape = "big".into()), "WAITING", 1),
            cluster("j-HASH", with(&|i| i.hash = "0".repeat(12)), "WAITING", 1),
            cluster("j-SMALL", with(&|i| i.units = 4), "WAITING", 1),
            cluster("j-MANY", with(&|i| i.concurrency = 5), "WAITING", 1),
            cluster("j-OLD", wanted().name("t"), "WAITING", 24),
            cluster("j-ENDING", wanted().name("t"), "TERMINATING", 1),
            cluster("j-START", wanted().name("t"), "STARTING", 0),
            cluster("j-BUSY", wanted().name("t"), "RUNNING", 1),
            cluster("j-IDLE", wanted().name("t"), "WAITING", 2),
            cluster("j-BIGGER", with(&|i| i.units = 40), "WAITING", 1),
        ];
        let judged = judge(&clusters, &wanted(), 24 * 3600, "2026-11-23T12:00:00Z".parse().unwrap());
        let lines: Vec<String> = judged.iter().map(|c| format!("{} {}: {}", c.id, c.fits, c.reason)).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        j-BIGGER true: idle
        j-IDLE true: idle
        j-BUSY true: ready, and running steps
        j-START true: starting
        j-HASH false: made from other settings: release, applications, configuration, network or roles
        j-MANY false: runs 5 steps at once, 1 wanted
        j-SHAPE false: made for `big`
        j-SMALL false: grows to 4 units, 10 wanted
        j-OLD false: past its `max-age`: `soflow cluster reap` ends it
        j-ENDING false: it is ending
        ");
    }
}
