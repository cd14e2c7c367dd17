//! Everything that would stop a run on an EMR target, looked for beforehand. Only reads, but for one object a bucket that
//! is written and removed again.
//!
//! ```text
//! caller (credentials, clock, region): without one the rest is not asked
//!   -> roles -> rights (simulated by IAM), network      machines (release, types, quotas)      buckets      tables
//! ```
//!
//! Each check is a [`Finding`]. A check that cannot be made is `unknown`, says what was missing for it, and stops no other.

mod buckets;
mod caller;
mod finding;
mod machines;
mod network;
mod policy;
mod rights;
mod roles;
mod tables;
#[cfg(test)]
mod testing;
mod trust;

use crate::aws::{Caller, Session};
use crate::config::{Emr, Lake};

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

/// Returns what was found, in the same order each time. Takes a few seconds and some thirty calls: five at once, as IAM and
/// EC2 answer more slowly to clients that ask everything at the same time.
pub async fn examine(subject: &Subject<'_>) -> Report {
    let region = Some(subject.session.region().to_string());
    let ask = finding::Asker { session: subject.session };
    let (mut findings, caller) = caller::check(&ask).await;
    let Some(caller) = caller else {
        findings.push(Finding::unknown("nothing else could be asked").of("all else"));
        return Report { region, findings };
    };
    let (iam, machines, buckets, tables) = tokio::join!(
        roles_and_network(&ask, subject, &caller),
        machines::check(&ask, subject.emr),
        buckets::check(&ask, subject.lake),
        tables::check(&ask, subject.emr)
    );
    for group in [iam, machines, buckets, tables] {
        findings.extend(group);
    }
    Report { region, findings }
}

async fn roles_and_network(ask: &finding::Asker<'_>, subject: &Subject<'_>, caller: &Caller) -> Vec<Finding> {
    let (mut findings, roles) = roles::check(ask, subject.emr).await;
    let (rights, network) = tokio::join!(
        rights::check(ask, subject, caller, &roles),
        network::check(ask, &subject.emr.shape, roles.tagged_only)
    );
    findings.extend(rights);
    findings.extend(network);
    findings
}

/// Returns the report when there is no session to ask with: no region, or a profile or certificate authorities that are none.
pub fn without_session(reason: &str, mend: &[String]) -> Report {
    let settings = mend.iter().fold(Finding::problem(reason), Finding::mend).of("AWS settings");
    Report { region: None, findings: vec![settings, Finding::unknown("nothing else could be asked").of("all else")] }
}
