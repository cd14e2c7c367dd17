//! Configuration classifications of a shape.

use std::collections::BTreeMap;

use super::reader::Reader;
use crate::config::emr::Classification;
use crate::mask::is_secret;
use crate::yaml::{Content, Node, Problems};

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Vec<Classification>> {
    let entries = reader.entries("configurations").into_iter();
    entries.map(|(name, node)| classification(name, node, reader.problems)).collect()
}

/// Returns a classification: single values are its properties, mappings are classifications within it.
fn classification(name: &str, node: &Node, problems: &mut Problems) -> Option<Classification> {
    let Content::Map(entries) = &node.content else {
        let message = format!("`{name}` must be a mapping of properties, found {}", node.describe());
        problems.error(&node.place, message).hint(format!("write `{name}: {{ <property>: <value> }}`"));
        return None;
    };
    let mut properties = BTreeMap::new();
    let mut configurations = Vec::new();
    for entry in entries {
        if let Content::Map(_) = &entry.value.content {
            configurations.push(classification(&entry.key, &entry.value, problems)?);
            continue;
        }
        if is_secret(&entry.key) {
            let message =
                format!("`{}` looks like a secret, and whoever may describe the cluster can read it", entry.key);
            problems.warning(&entry.place, message).hint("let the cluster fetch it, from Secrets Manager for example");
        }
        properties.insert(entry.key.clone(), entry.value.scalar(&entry.key, problems)?);
    }
    Some(Classification { classification: name.into(), properties, configurations })
}
