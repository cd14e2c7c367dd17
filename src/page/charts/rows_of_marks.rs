//! One mark a row: dots with intervals, bars, columns along time.

use super::super::scale::{Scale, TimePoint, range, shown};
use super::super::svg::{Anchor, Svg};
use super::lines::named_below;
use super::{Row, WIDTH, direction, in_full, number};
use crate::job::ShowAs;

/// Pixels a row is high, and how wide the names at the left and the numbers at the right are.
const ROW: f64 = 24.0;
const NAMES: f64 = 184.0;
const NUMBERS: f64 = 150.0;

/// Longest name that fits at the left, in characters.
const LONGEST: usize = 24;

/// Returns a dot and its interval for each row, and where it was before.
pub(super) fn intervals(rows: &[Row], show_as: ShowAs, label: &str) -> String {
    let of = |row: &Row| [row.value, row.low, row.high, row.before].into_iter().flatten().collect::<Vec<_>>();
    let height = 34.0 + ROW * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, height);
    let x = Scale { from: range(rows.iter().flat_map(of), false), to: (NAMES, WIDTH - NUMBERS) };
    across(&mut svg, &x, show_as, height);
    for (at, row) in rows.iter().enumerate() {
        let Some(value) = row.value else { continue };
        let y = 42.0 + ROW * at as f64;
        let class = direction(&row.status).0;
        let title = format!("{}: {}{}", row.label, in_full(row, show_as), before(row, show_as));
        svg.open("class=\"mark\"");
        svg.rect((0.0, y - ROW / 2.0), (WIDTH, ROW), "hit", &title);
        named(&mut svg, row, y);
        if let (Some(low), Some(high)) = (row.low, row.high) {
            svg.line((x.at(low), y), (x.at(high), y), &format!("whisker {class}"));
        }
        if let Some(before) = row.before {
            svg.line((x.at(before), y), (x.at(value), y), "move");
            svg.circle((x.at(before), y), 4.0, "hollow", "");
        }
        svg.circle((x.at(value), y), 5.0, &format!("dot {class}"), "");
        numbers(&mut svg, row, y, show_as);
        svg.close();
    }
    svg.finish("wide", label)
}

fn before(row: &Row, show_as: ShowAs) -> String {
    row.before.map_or_else(String::new, |before| format!(", before {}", shown(before, show_as)))
}

/// Returns a bar for each row.
pub(super) fn bars(rows: &[Row], show_as: ShowAs, label: &str) -> String {
    let height = 34.0 + ROW * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, height);
    let x = Scale { from: range(rows.iter().filter_map(|row| row.value), false), to: (NAMES, WIDTH - NUMBERS) };
    across(&mut svg, &x, show_as, height);
    for (at, row) in rows.iter().enumerate() {
        let Some(value) = row.value else { continue };
        let y = 42.0 + ROW * at as f64;
        let (from, to) = (x.at(value.min(0.0)), x.at(value.max(0.0)));
        named(&mut svg, row, y);
        svg.rect(
            (from, y - 7.0),
            ((to - from).max(1.0), 14.0),
            "bar",
            &format!("{}: {}", row.label, in_full(row, show_as)),
        );
        numbers(&mut svg, row, y, show_as);
    }
    svg.finish("wide", label)
}

fn named(svg: &mut Svg, row: &Row, y: f64) {
    svg.text((NAMES - 12.0, y + 4.0), Anchor::End, "row", &super::super::cut(&row.label, LONGEST));
}

fn numbers(svg: &mut Svg, row: &Row, y: f64, show_as: ShowAs) {
    let (value, n) = (row.value.unwrap_or_default(), row.n);
    svg.text((WIDTH - 78.0, y + 4.0), Anchor::End, "value", &shown(value, show_as));
    svg.text((WIDTH - 4.0, y + 4.0), Anchor::End, "tick", &n.map_or_else(String::new, |n| format!("n {}", number(n))));
}

/// Draws the values along the top and lines down from them.
fn across(svg: &mut Svg, x: &Scale, show_as: ShowAs, height: f64) {
    for value in x.ticks(7.0) {
        svg.line((x.at(value), 24.0), (x.at(value), height), if value == 0.0 { "zero" } else { "grid" });
        svg.text((x.at(value), 14.0), Anchor::Middle, "tick", &shown(value, show_as));
    }
}

/// Returns columns along time, a part of each darker.
pub(super) fn columns(rows: &[Row], show_as: ShowAs, label: &str) -> String {
    let (base, right) = (190.0, WIDTH - 10.0);
    let mut svg = Svg::new(WIDTH, 218.0);
    let y = Scale { from: range(rows.iter().filter_map(|row| row.value), false), to: (base, 26.0) };
    for value in y.ticks(4.0) {
        svg.line((56.0, y.at(value)), (right, y.at(value)), "grid");
        svg.text((48.0, y.at(value) + 4.0), Anchor::End, "tick", &shown(value, show_as));
    }
    let moments: Vec<TimePoint> = rows.iter().map(|row| TimePoint::read(&row.x)).collect();
    let x = Scale { from: (-0.5, rows.len() as f64 - 0.5), to: (56.0, right) };
    let wide = (x.at(1.0) - x.at(0.0)) * 0.8;
    for (at, (row, moment)) in rows.iter().zip(&moments).enumerate() {
        let Some(value) = row.value else { continue };
        let (left, title) = (x.at(at as f64) - wide / 2.0, format!("{}: {}", moment.long(), in_full(row, show_as)));
        let title = title + &row.part.map_or_else(String::new, |part| format!(", darker {}", shown(part, show_as)));
        svg.rect((left, y.at(value)), (wide, base - y.at(value)), "bar", &title);
        if let Some(part) = row.part {
            svg.rect((left, y.at(part)), (wide, base - y.at(part)), "bar part", &title);
        }
        if at == 0 || at + 1 == rows.len() {
            svg.text((x.at(at as f64), y.at(value) - 6.0), Anchor::Middle, "value", &shown(value, show_as));
        }
    }
    let places: Vec<(&TimePoint, f64)> = moments.iter().enumerate().map(|(at, moment)| (moment, at as f64)).collect();
    named_below(&mut svg, &places, &x, base + 20.0);
    svg.finish("wide", label)
}
