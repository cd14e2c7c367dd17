//! Reading a job's `cluster:`, what a cluster must have to run it.

use super::model::Needs;
use crate::names::APPLICATIONS;
use crate::yaml::{Node, Problems, did_you_mean};

/// The keys of `cluster`.
const KEYS: &[&str] = &["applications", "memory", "cores"];

/// Far above any cluster; keeps the number within `u32`.
const MOST_CORES: i64 = 1_000_000;

/// Returns the needs as far as they can be read.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Needs {
    let map = node.map("`cluster`", KEYS, problems);
    let items = map.get("applications").map_or(Vec::new(), |node| node.items("applications", problems));
    let applications = items.into_iter().filter_map(|item| application(item, problems)).collect();
    let memory_bytes = map.get("memory").and_then(|node| node.size("memory", problems));
    let cores = map.get("cores").and_then(|node| node.integer("cores", 1..=MOST_CORES, problems));
    Needs { applications, memory_bytes, cores: cores.and_then(|cores| cores.try_into().ok()) }
}

fn application(node: &Node, problems: &mut Problems) -> Option<String> {
    let name = node.scalar("applications", problems)?;
    if !APPLICATIONS.contains(&name.as_str()) {
        let near = did_you_mean(&name, APPLICATIONS);
        problems.error(&node.place, format!("EMR has no application `{name}`")).hint_if(near);
        return None;
    }
    Some(name)
}
