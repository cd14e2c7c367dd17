//! Settings of a local target.

use std::path::PathBuf;

use super::reader::Reader;
use crate::config::raw::text;
use crate::config::settings::{Engine, Local, Network};
use crate::yaml::{Node, Problems};

/// Most steps that may run at once: more would only wait for each other.
const MOST_PARALLEL: i64 = 256;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Local> {
    let engines = [Engine::Sail, Engine::Spark].map(|engine| (engine.name(), engine));
    let engine = reader.node("engine").and_then(|node| node.choice("engine", &engines, reader.problems));
    let parallel = reader.node("parallel").and_then(|node| parallel(node, reader.problems));
    let python = reader.node("python").and_then(|node| python(node, reader));
    let engine_dir = reader.path("engine-dir");
    let networks = [Network::None, Network::Host].map(|network| (network.name(), network));
    let network = reader.node("network").and_then(|node| node.choice("network", &networks, reader.problems));
    Some(Local { engine: engine?, parallel: parallel?, python: python?, engine_dir: engine_dir?, network: network? })
}

/// Returns a number of steps, or `None` within for `auto`.
fn parallel(node: &Node, problems: &mut Problems) -> Option<Option<usize>> {
    if text(node) == "auto" {
        return Some(None);
    }
    let mut unwanted = Problems::default();
    let number = node.integer("parallel", 1..=MOST_PARALLEL, &mut unwanted).and_then(|number| number.try_into().ok());
    if number.is_none() {
        let message =
            format!("`parallel` must be `auto` or a whole number from 1 to {MOST_PARALLEL}, found {}", node.describe());
        problems.error(&node.place, message);
    }
    number.map(Some)
}

/// Returns a program, or `None` within for `auto`. One without a slash is looked for on `PATH`.
fn python(node: &Node, reader: &mut Reader<'_>) -> Option<Option<PathBuf>> {
    match node.scalar("python", reader.problems)?.as_str() {
        "auto" => Some(None),
        "" => {
            reader.problems.error(&node.place, "`python` is empty").hint("write `auto` or a path");
            None
        }
        name if !name.contains('/') => Some(Some(name.into())),
        path => reader.project.path(path, node, reader.problems).map(Some),
    }
}
