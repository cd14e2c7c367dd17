//! What stands together: nodes that push each other away, and edges that pull them together.

use std::collections::BTreeMap;

use super::super::scale::{Scale, range};
use super::super::svg::{Anchor, Point, Svg, n};
use super::{Row, WIDTH, number};

const HEIGHT: f64 = 520.0;

/// How far nodes push each other, in distances of their own: farther, and parts without an edge between them fly apart while
/// what belongs together becomes a heap.
const REACH: f64 = 2.5;

/// How often all nodes are moved. More changes nothing that is seen.
const ROUNDS: u32 = 400;

/// Returns nodes and the edges between them. The same rows are always the same drawing.
pub(super) fn drawn(rows: &[Row], label: &str) -> String {
    let edges: Vec<(&Row, f64)> = rows.iter().filter_map(|row| Some((row, row.value?))).collect();
    let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
    for (row, value) in &edges {
        *weights.entry(&row.a).or_default() += value;
        *weights.entry(&row.b).or_default() += value;
    }
    let names: Vec<&str> = weights.keys().copied().collect();
    let at = |name: &str| names.binary_search(&name).unwrap_or_default();
    let links: Vec<(usize, usize)> = edges.iter().map(|(row, _)| (at(&row.a), at(&row.b))).collect();
    let places = layout(names.len(), &links);
    let thick = Scale { from: range(edges.iter().map(|(_, value)| *value), false), to: (1.0, 9.0) };
    let dark = Scale { from: (0.0, 1.0), to: (0.3, 1.0) };
    let mut svg = Svg::new(WIDTH, HEIGHT);
    for ((row, value), (a, b)) in edges.iter().zip(&links) {
        let ((x1, y1), (x2, y2)) = (places[*a], places[*b]);
        let opacity = dark.at(row.strength.unwrap_or(0.5).clamp(0.0, 1.0));
        let more = format!(" stroke-width=\"{}\" stroke-opacity=\"{opacity:.2}\"", n(thick.at(*value)));
        let strength = row.strength.map_or_else(String::new, |strength| format!(", {}", number(strength)));
        let title = format!("{} with {}: {}{strength}", row.a, row.b, number(*value));
        svg.path(&format!("M{} {}L{} {}", n(x1), n(y1), n(x2), n(y2)), "edge", &more, &title);
    }
    let size = Scale { from: range(weights.values().copied(), false), to: (4.0, 10.0) };
    for (name, (x, y)) in names.iter().zip(&places) {
        svg.circle((*x, *y), size.at(weights[name]), "node", "");
        svg.text((*x, y - size.at(weights[name]) - 4.0), Anchor::Middle, "node-name", name);
    }
    svg.finish("wide", label)
}

/// Returns a place for each node: those with an edge near, all others apart (Fruchterman and Reingold's forces, 1991).
fn layout(nodes: usize, links: &[(usize, usize)]) -> Vec<Point> {
    let mut places: Vec<Point> = (0..nodes)
        .map(|node| {
            // A spiral by the golden angle: no two begin at one place.
            let (angle, radius) = (node as f64 * 2.399_963, (node as f64 + 0.5).sqrt() / (nodes as f64).sqrt());
            (0.5 + 0.5 * radius * angle.cos(), 0.5 + 0.5 * radius * angle.sin())
        })
        .collect();
    let ideal = (1.0 / nodes.max(1) as f64).sqrt();
    for round in 0..ROUNDS {
        let mut moves = vec![(0.0, 0.0); nodes];
        for a in 0..nodes {
            for b in 0..a {
                let ((dx, dy), far) = between(places[a], places[b]);
                if far > REACH * ideal {
                    continue;
                }
                let force = ideal * ideal / far;
                push(&mut moves, (a, b), (dx * force / far, dy * force / far));
            }
            // What has no edge to the rest would leave.
            moves[a].0 += (0.5 - places[a].0) * ideal;
            moves[a].1 += (0.5 - places[a].1) * ideal;
        }
        for (a, b) in links {
            let ((dx, dy), far) = between(places[*a], places[*b]);
            push(&mut moves, (*a, *b), (-dx * far / ideal, -dy * far / ideal));
        }
        let most = 0.1 * (1.0 - f64::from(round) / f64::from(ROUNDS));
        for (place, (dx, dy)) in places.iter_mut().zip(moves) {
            let length = distance(dx, dy).max(1e-9);
            let step = length.min(most) / length;
            *place = (place.0 + dx * step, place.1 + dy * step);
        }
    }
    let across = Scale { from: range(places.iter().map(|place| place.0), true), to: (60.0, WIDTH - 60.0) };
    let down = Scale { from: range(places.iter().map(|place| place.1), true), to: (34.0, HEIGHT - 14.0) };
    places.iter().map(|(x, y)| (across.at(*x), down.at(*y))).collect()
}

fn between(a: Point, b: Point) -> (Point, f64) {
    let (dx, dy) = (a.0 - b.0, a.1 - b.1);
    ((dx, dy), distance(dx, dy).max(1e-4))
}

fn push(moves: &mut [Point], (a, b): (usize, usize), (dx, dy): Point) {
    (moves[a].0, moves[a].1) = (moves[a].0 + dx, moves[a].1 + dy);
    (moves[b].0, moves[b].1) = (moves[b].0 - dx, moves[b].1 - dy);
}

/// Not `hypot`: with glibc before 2.35, as on Lambda, there is no such version of it.
fn distance(dx: f64, dy: f64) -> f64 {
    (dx * dx + dy * dy).sqrt()
}
