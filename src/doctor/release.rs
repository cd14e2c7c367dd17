//! The release: whether it is there, has the applications and the Python, and runs on the instance types.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Asked, Asker};
use super::finding::{Finding, listed};
use super::size;
use crate::config::Shape;

/// The Pythons of releases, by how the label begins. Source: the EMR release guide, "Application versions".
const PYTHONS: [(&str, &[&str]); 2] = [("emr-7.", &["3.9", "3.11"]), ("emr-spark-8.1.", &["3.11", "3.13"])];

/// Most answers read before a type counts as not supported: several times what a release has.
const PAGES: usize = 20;

/// Checks the release and what is to run on it; returns, too, the processors of the instance types that it runs on.
pub(super) async fn check(ask: &Asker<'_>, shape: &Shape) -> (Vec<Finding>, BTreeMap<String, u32>) {
    let emr = ask.session.emr();
    let describe = || emr.describe_release_label().release_label(&shape.release).send();
    let absent = ["InvalidRequestException", "ValidationException"];
    let asked = ask.sdk("EMR", "DescribeReleaseLabel", describe, &absent).await;
    let missing = |_| {
        let what = format!("`{}` does not exist in this region", shape.release);
        Finding::problem("release", what).mend("`aws emr list-release-labels` shows those that do; correct `release`")
    };
    let release = match asked.or_tell("release", &format!("`{}`", shape.release), missing) {
        Ok(release) => release,
        Err(finding) => return (vec![finding, python(&shape.release, &shape.python)], BTreeMap::new()),
    };
    let (types, processors) = types(ask, shape).await;
    let has: Vec<&str> = release.applications().iter().filter_map(|known| known.name()).collect();
    (vec![applications(shape, &has), python(&shape.release, &shape.python), types], processors)
}

fn applications(shape: &Shape, known: &[&str]) -> Finding {
    let has = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let missing: Vec<&String> = shape.applications.iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Finding::ok("release", format!("`{}` has {}", shape.release, listed(&shape.applications)));
    }
    let what = format!("`{}` has no {}", shape.release, listed(missing));
    Finding::problem("release", what).mend(format!("correct `applications`; it has {}", listed(known)))
}

fn python(release: &str, python: &str) -> Finding {
    match PYTHONS.iter().find(|(start, _)| release.starts_with(start)) {
        Some((_, has)) if has.contains(&python) => Finding::ok("python", format!("`{release}` has Python {python}")),
        Some((_, has)) => {
            let what = format!("`{release}` has no Python {python}");
            Finding::problem("python", what).mend(format!("set `python` to one that it has: {}", listed(*has)))
        }
        None => Finding::unknown("python", format!("which Pythons `{release}` has is not known here")),
    }
}

async fn types(ask: &Asker<'_>, shape: &Shape) -> (Finding, BTreeMap<String, u32>) {
    let check = "instance types";
    let mut missing: BTreeSet<&str> = size::types(shape);
    let mut found = BTreeMap::new();
    let (emr, mut marker) = (ask.session.emr(), None::<String>);
    for _ in 0..PAGES {
        let list =
            || emr.list_supported_instance_types().release_label(&shape.release).set_marker(marker.clone()).send();
        let page = match ask.sdk("EMR", "ListSupportedInstanceTypes", list, &[]).await {
            Asked::Is(page) => page,
            Asked::Absent(why) | Asked::Unknown(why) => {
                let what = format!("{} could not be checked: {why}", listed(missing));
                return (Finding::unknown(check, what), found);
            }
        };
        for supported in page.supported_instance_types() {
            let name = supported.r#type().unwrap_or_default();
            if let (true, Some(processors)) = (missing.remove(name), supported.vcpu()) {
                found.insert(name.to_string(), processors.unsigned_abs());
            }
        }
        marker = page.marker.filter(|marker| !marker.is_empty() && !missing.is_empty());
        if marker.is_none() {
            break;
        }
    }
    if missing.is_empty() {
        let what = format!("`{}` runs on {}", shape.release, listed(size::types(shape)));
        return (Finding::ok(check, what), found);
    }
    let what = format!("`{}` does not run on {}", shape.release, listed(missing));
    let command = format!("`aws emr list-supported-instance-types --release-label {}`", shape.release);
    (Finding::problem(check, what).mend(format!("{command} shows what it runs on")), found)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn each_line_of_releases_has_its_pythons() {
        for (release, version, state) in [
            ("emr-7.14.0", "3.11", State::Ok),
            ("emr-7.14.0", "3.12", State::Problem),
            ("emr-spark-8.1.0", "3.13", State::Ok),
            ("emr-spark-8.1.0", "3.9", State::Problem),
            ("emr-6.15.0", "3.7", State::Unknown),
            ("emr-spark-8.0.0", "3.11", State::Unknown),
        ] {
            assert_eq!(python(release, version).state, state, "{release} {version}");
        }
    }
}
