//! What CloudFormation answers, read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, StackState};
use crate::aws::Xml;

/// What happened to a resource.
pub(super) struct StackEvent {
    pub id: String,
    pub resource: String,
    pub status: String,
    pub reason: String,
}

impl StackEvent {
    pub fn is_failure(&self) -> bool {
        self.status.ends_with("_FAILED")
    }
}

pub(super) fn stack_event(found: &Xml) -> StackEvent {
    let text = |name: &str| found.text_of(name).to_string();
    StackEvent {
        id: text("EventId"),
        resource: text("LogicalResourceId"),
        status: text("ResourceStatus"),
        reason: text("ResourceStatusReason"),
    }
}

pub(super) fn stack(found: &Xml) -> StackState {
    let pairs = |list: &str, key: &str, value: &str| {
        let pair = |one: &Xml| (one.text_of(key).to_string(), one.text_of(value).to_string());
        found.child(list).map_or_else(BTreeMap::new, |list| list.children.iter().map(pair).collect())
    };
    let changed = [found.text_of("LastUpdatedTime"), found.text_of("CreationTime")];
    StackState {
        name: found.text_of("StackName").into(),
        status: found.text_of("StackStatus").into(),
        reason: found.text_of("StackStatusReason").into(),
        changed: changed.into_iter().find(|time| !time.is_empty()).unwrap_or_default().into(),
        outputs: pairs("Outputs", "OutputKey", "OutputValue"),
        parameters: pairs("Parameters", "ParameterKey", "ParameterValue"),
    }
}

pub(super) fn change(found: &Xml) -> Option<Change> {
    let found = found.child("ResourceChange")?;
    let property = |detail: &Xml| {
        let target = detail.child("Target")?;
        let (attribute, name) = (target.text_of("Attribute"), target.text_of("Name"));
        Some(if name.is_empty() { attribute.to_string() } else { name.to_string() })
    };
    let properties: BTreeSet<String> =
        found.child("Details").map_or(&[][..], |list| &list.children).iter().filter_map(property).collect();
    Some(Change {
        action: found.text_of("Action").into(),
        resource: found.text_of("LogicalResourceId").into(),
        kind: found.text_of("ResourceType").into(),
        replacement: found.text_of("Replacement").into(),
        properties: properties.into_iter().collect(),
    })
}

pub(super) fn is_no_change(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}
