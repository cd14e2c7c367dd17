//! Everything that would stop a run on an EMR target, looked for beforehand. Only reads, but for one object a bucket that
//! is written and removed again.
//!
//! ```text
//! caller (credentials, clock, region): without one the rest is not asked
//!   -> roles -> rights (simulated), runtime (execution role)
//!   -> network -> zones          release -> quotas          buckets -> settings          tables
//! ```
//!
//! Each check is a [`Finding`]. A check that cannot be made is `unknown`, says what was missing for it, and stops no other.

mod actions;
mod ask;
mod buckets;
mod caller;
mod finding;
mod network;
mod policy;
mod quotas;
mod release;
mod rights;
mod roles;
mod runtime;
mod settings;
mod simulate;
mod size;
mod tables;
#[cfg(test)]
mod testing;
mod zones;

use ask::Asker;

use crate::aws::{Caller, Session};
use crate::config::{Emr, Lake};

pub use actions::{ACTIONS, On, actions};
pub use finding::{Finding, Report, State};

/// What is examined.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The way to AWS.
    pub session: &'a Session,
    /// The target's settings.
    pub emr: &'a Emr,
    /// The target's locations.
    pub lake: &'a Lake,
}

/// Returns what was found, in the same order each time. Takes a few seconds and some thirty calls.
pub async fn examine(subject: &Subject<'_>) -> Report {
    let region = Some(subject.session.region().to_string());
    let ask = Asker::new(subject.session);
    let (mut findings, caller) = caller::check(&ask).await;
    let Some(caller) = caller else {
        findings.push(Finding::unknown("all else", "nothing else could be asked"));
        return Report { region, findings };
    };
    let (iam, machines, buckets, tables) = tokio::join!(
        roles_and_network(&ask, subject, &caller),
        release_and_quotas(&ask, subject),
        buckets::check(&ask, subject.lake),
        tables::check(&ask, subject.emr)
    );
    for group in [iam, machines, buckets, tables] {
        findings.extend(group);
    }
    Report { region, findings }
}

/// Returns the report when there is no session to ask with: no region, or a profile or certificate authorities that are none.
pub fn without_session(reason: &str, mend: &[String]) -> Report {
    let finding = mend.iter().fold(Finding::problem("AWS settings", reason), Finding::mend);
    Report { region: None, findings: vec![finding, Finding::unknown("all else", "nothing else could be asked")] }
}

async fn release_and_quotas(ask: &Asker<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    let (mut findings, processors) = release::check(ask, &subject.emr.shape).await;
    findings.extend(quotas::check(ask, subject.emr, &processors).await);
    findings
}

async fn roles_and_network(ask: &Asker<'_>, subject: &Subject<'_>, caller: &Caller) -> Vec<Finding> {
    let shape = &subject.emr.shape;
    let ((mut findings, roles), subnets) = tokio::join!(roles::check(ask, shape), network::subnets(ask, shape));
    let place = async {
        let subnets = match &subnets {
            Ok(subnets) => subnets,
            Err(finding) => return vec![finding.clone()],
        };
        let mut found = network::judge(shape, subnets, roles.tagged_only);
        let (way, zones) = tokio::join!(network::way_to_s3(ask, subnets), zones::check(ask, shape, subnets));
        found.extend(way);
        found.push(zones);
        found
    };
    let (runtime, rights, place) = tokio::join!(
        runtime::check(ask, subject.emr, roles.nodes.as_ref()),
        rights::check(ask, subject, caller, &roles),
        place
    );
    findings.extend(runtime);
    findings.extend(rights);
    findings.extend(place);
    findings
}
