//! Values as one line, for people who ask what is in force. What looks like a secret is not shown.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serializer;

use crate::mask::is_secret;
use crate::yaml::{Content, Entry, Node};

/// Stands for a value that is not shown.
const HIDDEN: &str = "***";

/// Returns the value of a setting as it could be written on one line, empty when there is nothing to show.
pub(super) fn value(node: &Node) -> String {
    match &node.content {
        Content::Scalar { text, .. } => text.clone(),
        Content::List(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Content::Map(entries) => {
            let entry = |entry: &Entry| {
                let hidden = is_secret(&entry.key) && matches!(entry.value.content, Content::Scalar { .. });
                format!("{}: {}", entry.key, if hidden { HIDDEN.into() } else { value(&entry.value) })
            };
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Writes properties without the values that look like secrets: settings are written to show them.
pub(super) fn properties<S: Serializer>(
    properties: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shown = |(name, value)| (name, if is_secret(name) { HIDDEN } else { value });
    serializer.collect_map(properties.iter().map(|(name, value)| shown((name.as_str(), value.as_str()))))
}

/// Writes a time as seconds, with a fraction where there is one.
pub(super) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
