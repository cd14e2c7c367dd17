//! Lines with their intervals: one small chart a label, several in one, and all of which some are chosen.

use super::super::scale::{Scale, TimePoint, range, shown};
use super::super::svg::{Anchor, Point, Svg, escape};
use super::{Row, WIDTH, direction, in_full};
use crate::job::ShowAs;

/// Labels that are compared before anything is chosen, and the most that can be.
const FIRST: usize = 2;

/// How many colours there are for lines.
const COLOURS: usize = 5;

/// Least pixels from the name at the end of a line to the next one, and from one below an axis.
const NAME: f64 = 15.0;
const NAME_BELOW: f64 = 56.0;

/// The rows of one label, in the order of `x`.
pub(in super::super) struct Series {
    pub(super) label: String,
    rows: Vec<(TimePoint, f64, Row)>,
}

impl Series {
    fn last(&self) -> &Row {
        self.rows.last().map_or_else(|| unreachable!("a series has rows"), |(_, _, row)| row)
    }

    fn highs(&self) -> impl Iterator<Item = f64> + '_ {
        self.rows.iter().filter_map(|(_, _, row)| row.high.or(row.value))
    }

    fn lows(&self) -> impl Iterator<Item = f64> + '_ {
        self.rows.iter().filter_map(|(_, _, row)| row.low.or(row.value))
    }

    fn points(&self, x: &Scale, y: &Scale, value: impl Fn(&Row) -> Option<f64>) -> Vec<Point> {
        self.rows.iter().filter_map(|(_, at, row)| Some((x.at(*at), y.at(value(row)?)))).collect()
    }

    /// Draws the interval and the line.
    fn draw(&self, svg: &mut Svg, x: &Scale, y: &Scale, class: &str) {
        svg.band(&self.points(x, y, |row| row.high), &self.points(x, y, |row| row.low), &format!("band {class}"));
        svg.polyline(&self.points(x, y, |row| row.value), &format!("line {class}"));
    }
}

/// Returns the rows by their labels, in the order in which those come.
pub(super) fn series(rows: &[Row]) -> Vec<Series> {
    let mut moments: Vec<(TimePoint, String)> =
        rows.iter().map(|row| (TimePoint::read(&row.x), row.x.clone())).collect();
    // Only when all have a place does distance mean something.
    let placed = moments.iter().all(|(moment, _)| moment.place().is_some());
    moments.sort_by(|(a, _), (b, _)| match placed {
        true => a.place().partial_cmp(&b.place()).unwrap_or(std::cmp::Ordering::Equal),
        false => std::cmp::Ordering::Equal,
    });
    moments.dedup_by(|a, b| a.1 == b.1);
    let mut found: Vec<Series> = Vec::new();
    for row in rows {
        let moment = TimePoint::read(&row.x);
        let order = moments.iter().position(|(_, x)| *x == row.x).unwrap_or_default();
        let at = moment.place().filter(|_| placed).unwrap_or(order as f64);
        let at_label = found.iter().position(|one| one.label == row.label).unwrap_or_else(|| {
            found.push(Series { label: row.label.clone(), rows: Vec::new() });
            found.len() - 1
        });
        found[at_label].rows.push((moment, at, row.clone()));
    }
    for one in &mut found {
        one.rows.sort_by(|(_, a, _), (_, b, _)| a.total_cmp(b));
    }
    found
}

/// Returns the first and the last place of all.
fn width_of(series: &[&Series]) -> (f64, f64) {
    range(series.iter().flat_map(|one| one.rows.iter().map(|(_, at, _)| *at)), true)
}

/// Returns a small chart of one label.
pub(super) fn panel(series: &Series, show_as: ShowAs) -> String {
    let (width, bottom) = (236.0, 108.0);
    let mut svg = Svg::new(width, 128.0);
    let last = series.last();
    let (class, sign) = direction(&last.status);
    let value = last.value.map(|value| shown(value, show_as)).unwrap_or_default();
    let word = last.status.replace('_', " ");
    svg.text((4.0, 15.0), Anchor::Start, "name", &series.label);
    svg.text((width - 4.0, 15.0), Anchor::End, "name", &value);
    svg.text((4.0, 31.0), Anchor::Start, &format!("word {class}"), &format!("{sign}{word}"));
    if let Some(n) = last.n {
        svg.text((width - 4.0, 31.0), Anchor::End, "tick", &format!("n {}", super::number(n)));
    }
    let x = Scale { from: width_of(&[series]), to: (4.0, width - 4.0) };
    let y = Scale { from: range(series.highs().chain(series.lows()), false), to: (bottom, 40.0) };
    svg.line((4.0, y.at(0.0)), (width - 4.0, y.at(0.0)), "axis");
    series.draw(&mut svg, &x, &y, class);
    for (moment, at, row) in &series.rows {
        let Some(value) = row.value else { continue };
        svg.circle((x.at(*at), y.at(value)), 7.0, "hit", &format!("{}: {}", moment.long(), in_full(row, show_as)));
    }
    let ends = [(series.rows.first(), 4.0, Anchor::Start), (series.rows.last(), width - 4.0, Anchor::End)];
    for (row, place, anchor) in ends {
        svg.text((place, 123.0), anchor, "tick", &row.map_or_else(String::new, |(moment, _, _)| moment.long()));
    }
    svg.finish("panel", &format!("{}: {}. {word}", series.label, in_full(last, show_as)))
}

/// Where the lines of a wide chart are: left and right of it stand values and names.
const INSIDE: (Point, Point) = ((56.0, WIDTH - 130.0), (250.0, 12.0));

/// Returns lines in one chart, named at their ends.
pub(super) fn together(series: &[Series], show_as: ShowAs, label: &str) -> String {
    let mut svg = Svg::new(WIDTH, 280.0);
    let all: Vec<&Series> = series.iter().collect();
    let from = range(series.iter().flat_map(|one| one.highs().chain(one.lows())), true);
    let (x, y) = (Scale { from: width_of(&all), to: INSIDE.0 }, Scale { from, to: INSIDE.1 });
    for value in y.ticks(4.0) {
        let class = if value == 0.0 { "zero" } else { "grid" };
        svg.line((INSIDE.0.0, y.at(value)), (INSIDE.0.1, y.at(value)), class);
        svg.text((INSIDE.0.0 - 8.0, y.at(value) + 4.0), Anchor::End, "tick", &shown(value, show_as));
    }
    below(&mut svg, &all, &x);
    for (at, one) in series.iter().enumerate() {
        one.draw(&mut svg, &x, &y, &colour(at));
        for (moment, at, row) in &one.rows {
            let Some(value) = row.value else { continue };
            let title = format!("{}, {}: {}", one.label, moment.long(), in_full(row, show_as));
            svg.circle((x.at(*at), y.at(value)), 7.0, "hit", &title);
        }
    }
    let ends: Vec<f64> = series.iter().map(|one| y.at(one.last().value.unwrap_or_default())).collect();
    for ((at, one), place) in series.iter().enumerate().zip(apart(&ends)) {
        svg.text((INSIDE.0.1 + 8.0, place + 4.0), Anchor::Start, &format!("end {}", colour(at)), &one.label);
    }
    svg.finish("wide", label)
}

/// Returns all lines in one chart, of which the first few are seen. They are drawn from 0 to 1; a script makes the height
/// of the chosen ones that of the chart and writes the values at the side.
pub(super) fn compared(series: &[Series], show_as: ShowAs, label: &str) -> String {
    let mut svg = Svg::new(WIDTH, 280.0);
    let all: Vec<&Series> = series.iter().collect();
    let top = |series: &[Series]| range(series.iter().flat_map(Series::highs), false).1;
    let seen = &series[..FIRST.min(series.len())];
    let x = Scale { from: width_of(&all), to: INSIDE.0 };
    let y = Scale { from: (0.0, top(seen)), to: INSIDE.1 };
    svg.open(&format!(
        "class=\"values\" data-as=\"{}\"",
        if show_as == ShowAs::Percent { "percent" } else { "number" }
    ));
    for value in y.ticks(4.0) {
        svg.line((INSIDE.0.0, y.at(value)), (INSIDE.0.1, y.at(value)), "grid");
        svg.text((INSIDE.0.0 - 8.0, y.at(value) + 4.0), Anchor::End, "tick", &shown(value, show_as));
    }
    svg.close();
    below(&mut svg, &all, &x);
    let ends: Vec<f64> = seen.iter().map(|one| y.at(one.last().value.unwrap_or_default())).collect();
    let names = apart(&ends);
    for (at, one) in series.iter().enumerate() {
        let own_top = range(one.highs(), false).1;
        let last = one.last().value.unwrap_or_default();
        let is_seen = at < seen.len();
        let hidden = if is_seen { "" } else { " hidden" };
        svg.open(&format!(
            "class=\"one {}{hidden}\" data-label=\"{}\" data-top=\"{own_top}\" data-last=\"{last}\"",
            colour(at),
            escape(&one.label)
        ));
        // Drawn as high as the seen ones are: the script stretches it from there.
        svg.open("class=\"stretch\"");
        one.draw(&mut svg, &x, &y, "");
        svg.close();
        let place = names.get(at).copied().unwrap_or(INSIDE.1.0);
        svg.text((INSIDE.0.1 + 8.0, place + 4.0), Anchor::Start, "end", &one.label);
        svg.close();
    }
    let drawn = svg.finish("wide compare", label);
    drawn.replacen(
        "<svg ",
        &format!(
            "<svg data-top=\"{}\" data-base=\"{}\" data-height=\"{}\" ",
            y.from.1,
            INSIDE.1.0,
            INSIDE.1.0 - INSIDE.1.1
        ),
        1,
    )
}

fn colour(at: usize) -> String {
    format!("c{}", at % COLOURS)
}

/// Writes what is along `x`, as many names as fit.
fn below(svg: &mut Svg, series: &[&Series], x: &Scale) {
    let mut moments: Vec<(&TimePoint, f64)> =
        series.iter().flat_map(|one| one.rows.iter().map(|(moment, at, _)| (moment, *at))).collect();
    moments.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    moments.dedup_by(|a, b| a.1 == b.1);
    named_below(svg, &moments, x, INSIDE.1.0 + 20.0);
}

/// Writes the names of moments in a line, as many as fit; a year is named where it begins.
pub(super) fn named_below(svg: &mut Svg, moments: &[(&TimePoint, f64)], x: &Scale, height: f64) {
    let (mut year, mut free) = (None, f64::NEG_INFINITY);
    for (moment, at) in moments {
        let place = x.at(*at);
        if place < free {
            continue;
        }
        svg.text((place, height), Anchor::Middle, "tick", &moment.short(moment.year() != year));
        (year, free) = (moment.year(), place + NAME_BELOW);
    }
}

/// Returns places near the given ones that are far enough from each other for a name each.
fn apart(places: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut moved = places.to_vec();
    for pair in order.windows(2) {
        moved[pair[1]] = moved[pair[1]].max(moved[pair[0]] + NAME);
    }
    // The last ones may stand below the chart now.
    let over = order.last().map_or(0.0, |last| (moved[*last] - INSIDE.1.0).max(0.0));
    moved.iter().map(|place| place - over).collect()
}
