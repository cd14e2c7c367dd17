//! What comes from what: raw pages and tables on the left, the steps that read them to the right.

use std::collections::BTreeMap;

use super::cut;
use super::svg::{Anchor, Svg, n};
use crate::catalog::Index;
use crate::job::{Job, Source, Step};
use crate::report::plural;

/// Size of a box, the room between columns, and of a line of text in a box, in pixels.
const BOX: f64 = 168.0;
const BETWEEN: f64 = 44.0;
const LINE: f64 = 17.0;

/// Most characters of a name in a box.
const LONGEST: usize = 22;

/// A box: raw pages, another job's table, or a step with what it writes.
struct LineageNode {
    title: String,
    lines: Vec<(String, String)>,
    reads: Vec<String>,
    /// What others read of it.
    gives: Vec<String>,
    depth: usize,
    is_step: bool,
}

fn name(source: &Source) -> String {
    match source {
        Source::Raw(endpoint) => format!("raw.{endpoint}"),
        Source::Table(table) => table.clone(),
    }
}

fn written(step: &Step) -> Vec<String> {
    step.writes.iter().map(|output| output.table.clone()).collect()
}

/// Returns each step with what it reads and what it writes.
pub(super) fn edges(job: &Job) -> Vec<(String, String, String)> {
    let told = |step: &Step| {
        let reads: Vec<String> = step.reads.iter().map(name).collect();
        (step.name.clone(), reads.join(", "), written(step).join(", "))
    };
    job.steps.iter().map(told).collect()
}

fn nodes(job: &Job, index: &Index) -> Vec<LineageNode> {
    let rows = |table: &String| {
        let entry = index.tables.get(table);
        let current = entry.and_then(|entry| entry.history.iter().find(|known| known.run == entry.current));
        current.map_or_else(|| "not published".into(), |known| plural(known.rows, "row"))
    };
    let mut nodes: Vec<LineageNode> = Vec::new();
    for step in &job.steps {
        for source in &step.reads {
            let (source, is_raw) = (name(source), matches!(source, Source::Raw(_)));
            if nodes.iter().all(|node| !node.gives.contains(&source))
                && job.steps.iter().all(|one| !written(one).contains(&source))
            {
                let lines = if is_raw { Vec::new() } else { vec![(source.clone(), rows(&source))] };
                nodes.push(LineageNode {
                    title: source.clone(),
                    lines,
                    reads: Vec::new(),
                    gives: vec![source],
                    depth: 0,
                    is_step: false,
                });
            }
        }
        let gives = written(step);
        // What several steps share is said of the tables, once.
        let own = |table: &&String| job.steps.iter().filter(|one| written(one).contains(table)).count() == 1;
        let lines = gives.iter().filter(own).map(|table| (table.clone(), rows(table))).collect();
        let reads: Vec<String> = step.reads.iter().map(name).collect();
        // Steps come after those that they read from.
        let before = nodes.iter().filter(|node| node.gives.iter().any(|given| reads.contains(given)));
        let depth = before.map(|node| node.depth + 1).max().unwrap_or(0);
        nodes.push(LineageNode { title: step.name.clone(), lines, reads, gives, depth, is_step: true });
    }
    nodes
}

/// Returns the graph; nothing when the job has no steps.
pub(super) fn drawn(job: &Job, index: &Index) -> String {
    let nodes = nodes(job, index);
    let deepest = nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    let height = |node: &LineageNode| 14.0 + LINE * (1 + 2 * node.lines.len()) as f64;
    let mut free: BTreeMap<usize, f64> = BTreeMap::new();
    let mut places = Vec::new();
    for node in &nodes {
        let top = free.entry(node.depth).or_insert(4.0);
        places.push((2.0 + node.depth as f64 * (BOX + BETWEEN), *top));
        *top += height(node) + 16.0;
    }
    let tall = free.values().copied().fold(0.0, f64::max);
    let mut svg = Svg::new((deepest + 1) as f64 * (BOX + BETWEEN) - BETWEEN + 4.0, tall);
    for (to, node) in nodes.iter().enumerate() {
        for (from, source) in
            nodes.iter().enumerate().filter(|(_, one)| one.gives.iter().any(|given| node.reads.contains(given)))
        {
            if from == to {
                continue;
            }
            let (x1, y1) = (places[from].0 + BOX, places[from].1 + height(source) / 2.0);
            let (x2, y2) = (places[to].0, places[to].1 + height(node) / 2.0);
            let bend = (x2 - x1).max(BETWEEN) / 2.0;
            let path = format!(
                "M{} {}C{} {} {} {} {} {}",
                n(x1),
                n(y1),
                n(x1 + bend),
                n(y1),
                n(x2 - bend),
                n(y2),
                n(x2),
                n(y2)
            );
            svg.path(&path, "flow", "", &format!("{} reads from {}", node.title, source.title));
        }
    }
    for (node, (x, y)) in nodes.iter().zip(&places) {
        svg.rect((*x, *y), (BOX, height(node)), if node.is_step { "box step" } else { "box" }, &node.title);
        svg.text((x + 10.0, y + 20.0), Anchor::Start, "row strong", &cut(&node.title, LONGEST));
        for (at, (table, rows)) in node.lines.iter().enumerate() {
            let y = y + 20.0 + LINE * (2 * at + 1) as f64;
            svg.text((x + 10.0, y), Anchor::Start, "row", &format!("→ {}", cut(table, LONGEST)));
            svg.text((x + 26.0, y + LINE), Anchor::Start, "tick", rows);
        }
    }
    svg.finish("wide graph", "What comes from what: raw pages and tables, and the steps that read them")
}
