//! Why a cluster ended or never began, from what EMR says about it.

use std::collections::BTreeMap;

use super::denied::denied;
use super::finding::{Class, Finding, LogExcerpt, LogLine};
use super::log::clean;
use super::rules::{find, request};
use crate::mask;
use crate::names::Uri;

/// One of the reasons that `DescribeCluster` lists in `ErrorDetails`.
#[derive(Clone, Debug, Default)]
pub struct ErrorDetail {
    /// Such as `BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE`.
    pub code: String,
    /// What it is about, such as `bootstrap-action` and `public-doc`.
    pub data: BTreeMap<String, String>,
    /// What it says.
    pub message: String,
}

/// An instance that is gone, from `ListInstances`.
#[derive(Clone, Debug, Default)]
pub struct LostInstance {
    /// Its EC2 id.
    pub id: String,
    /// What it was: `primary`, `core` or `task`.
    pub role: String,
    /// Whether it was a spot instance.
    pub spot: bool,
    /// Why it is gone.
    pub message: String,
}

/// What EMR says about a cluster that ended.
#[derive(Clone, Debug, Default)]
pub struct ClusterEnd<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its state, such as `TERMINATED_WITH_ERRORS`.
    pub state: &'a str,
    /// `StateChangeReason.Code`.
    pub code: &'a str,
    /// `StateChangeReason.Message`.
    pub message: &'a str,
    /// `ErrorDetails`.
    pub details: &'a [ErrorDetail],
    /// The instances that were lost, when they were asked for.
    pub instances: &'a [LostInstance],
    /// Where its logs go: the folder of this cluster.
    pub logs: Option<&'a Uri>,
}

/// Returns why a cluster ended.
pub fn cluster(end: &ClusterEnd<'_>) -> Finding {
    let said = said(end);
    let lines = said.iter().enumerate().map(|(at, text)| LogLine { number: at + 1, text: text.clone() });
    let told = Finding {
        summary: said.first().cloned().unwrap_or_else(|| format!("it is {} and nothing says why", end.state)),
        excerpt: LogExcerpt { file: format!("what EMR says about cluster {}", end.id), lines: lines.collect() },
        page: end.details.iter().find_map(page),
        ..Finding::default()
    };
    if let Some((action, instance)) = bootstrap(end) {
        let hint = end.logs.map(|logs| {
            format!(
                "see what it printed: `aws s3 cp {}/node/{instance}/bootstrap-actions/{action}/stderr.gz - | gunzip`",
                logs
            )
        });
        let summary = format!("bootstrap action {action} failed on instance {instance}{}", returned(end));
        return Finding { class: Class::Code, summary, hint, ..told };
    }
    if let Some(finding) = said.iter().find_map(|text| denied(text)) {
        return Finding { excerpt: told.excerpt, page: told.page, ..finding };
    }
    let lost = end.instances.iter().find(|instance| instance.role == "primary" && instance.spot);
    if let Some(lost) = lost.filter(|_| end.code == "INSTANCE_FAILURE") {
        let summary = format!("the primary node {} was a spot instance, and EC2 took it back", lost.id);
        let hint = "a primary node should be on-demand: `primary: { on-demand: 1 }` in the cluster shape";
        return Finding { class: Class::Capacity, summary, hint: Some(hint.into()), ..told };
    }
    // A detail's code says exactly what was the matter; the code of the end as a whole says less than its message.
    let codes = end.details.iter().map(|detail| detail.code.as_str());
    let texts = said.iter().map(String::as_str).chain([end.code]);
    let Some(Finding { class, summary, hint, .. }) = codes.chain(texts).find_map(request) else { return told };
    Finding { class, summary: format!("{summary}{}", about(end)), hint, ..told }
}

/// Returns all messages about it, each once.
fn said(end: &ClusterEnd<'_>) -> Vec<String> {
    let instances = end.instances.iter().filter(|instance| !instance.message.is_empty());
    let instances = instances.map(|lost| format!("{} node {}: {}", lost.role, lost.id, lost.message));
    let details = end.details.iter().map(|detail| detail.message.clone());
    let mut said = Vec::new();
    for text in [end.message.to_string()].into_iter().chain(details).chain(instances) {
        let text = mask::text(&clean(text.as_bytes()));
        if !text.is_empty() && !said.contains(&text) {
            said.push(text);
        }
    }
    said
}

/// Returns the documentation's page: the one named, else the one that has the code for a name.
fn page(detail: &ErrorDetail) -> Option<String> {
    let known = ["BOOTSTRAP_FAILURE_", "INTERNAL_ERROR_", "VALIDATION_ERROR_"];
    let url = || format!("https://docs.aws.amazon.com/emr/latest/ManagementGuide/{}.html", detail.code);
    let named = detail.data.get("public-doc").cloned();
    named.or_else(|| known.iter().any(|prefix| detail.code.starts_with(prefix)).then(url))
}

/// Returns which bootstrap action failed, counted from 1, and on which instance. Both become part of a command to type.
fn bootstrap(end: &ClusterEnd<'_>) -> Option<(String, String)> {
    let id = |text: &str| -> String { text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect() };
    let of = |detail: &ErrorDetail| {
        let instance = detail.data.get("primary-instance-id").or_else(|| detail.data.get("instance-id"))?;
        Some((id(detail.data.get("bootstrap-action")?), id(instance)))
    };
    let failed = |detail: &&ErrorDetail| detail.code.ends_with("WITH_NON_ZERO_CODE");
    end.details.iter().filter(failed).find_map(of).or_else(|| {
        let found = find("bootstrap action {action} returned a non-zero return code", end.message)?;
        Some((id(found.get("action")?), id(&end.message[end.message.find("i-")?..])))
    })
}

fn returned(end: &ClusterEnd<'_>) -> String {
    let code = end.details.iter().find_map(|detail| detail.data.get("return-code"));
    code.map_or(String::new(), |code| format!(": it returned {code}"))
}

/// Returns what it is about, when EMR says so apart from its message.
fn about(end: &ClusterEnd<'_>) -> String {
    let of = |key: &str| end.details.iter().find_map(|detail| detail.data.get(key));
    match (of("instance-type"), of("availability-zone")) {
        (Some(kind), Some(zone)) => format!(": {kind} in {zone}"),
        (Some(one), None) | (None, Some(one)) => format!(": {one}"),
        (None, None) => String::new(),
    }
}
