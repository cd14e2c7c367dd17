//! Which running cluster could be used, and why each other one could not. Pure.

use jiff::{SignedDuration, Timestamp};

use super::answers::{ALIVE, Cluster, ClusterState};
use super::identity::{ClusterName, Identity};

/// A cluster looked at, and what was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// `j-…`.
    pub id: String,
    /// Its state.
    pub state: ClusterState,
    /// What its shape was called when it was made.
    pub shape: String,
    /// Its age in seconds.
    pub age_seconds: i64,
    /// Whether it can be used.
    pub fits: bool,
    /// Why, or why not.
    pub reason: String,
}

/// Returns the clusters of this lake, the best first, each with a reason. Clusters of others are left out.
pub fn judge(clusters: &[Cluster], wanted: &Identity, max_age: i64, now: Timestamp) -> Vec<Candidate> {
    let mut found: Vec<(usize, Candidate)> = clusters
        .iter()
        .filter_map(|cluster| {
            let named = ClusterName::parse(&cluster.name).filter(|named| named.identity.lake == wanted.lake)?;
            let made = cluster.created.unwrap_or(now);
            let age = now.duration_since(made);
            let verdict = verdict(&named.identity, wanted, &cluster.state, age, max_age);
            let (fits, reason) = match verdict {
                Ok(reason) => (true, reason),
                Err(reason) => (false, reason),
            };
            // The order of `ALIVE` is that of a cluster's life.
            let rank = ALIVE.iter().rev().position(|known| *known == cluster.state);
            let candidate = Candidate {
                id: cluster.id.clone(),
                shape: named.identity.shape,
                age_seconds: age.as_secs(),
                state: cluster.state.clone(),
                fits,
                reason,
            };
            Some((rank.unwrap_or(usize::MAX), candidate))
        })
        .collect();
    // Those that fit first, ready ones before starting ones, young ones before those that soon reach their age.
    found.sort_by(|(a_rank, a), (b_rank, b)| {
        (!a.fits, a_rank, a.age_seconds, &a.id).cmp(&(!b.fits, b_rank, b.age_seconds, &b.id))
    });
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

fn verdict(
    is: &Identity,
    wanted: &Identity,
    state: &ClusterState,
    age: SignedDuration,
    max_age: i64,
) -> Result<String, String> {
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
    if age.as_secs() >= max_age {
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
