//! Charts of rows: which drawing a kind of chart is, and the table that says the same in numbers.

mod lines;
mod network;
mod rows_of_marks;

use serde::Serialize;

use super::rows::{ChartCell, ChartRows, Row};
use super::scale::{TimePoint, number, shown};
use crate::job::{Chart, ChartKind, ShowAs};

/// Natural width of a chart, in pixels: on a phone it is scrolled, so that its text can be read.
pub(super) const WIDTH: f64 = 820.0;

/// Most small charts that are drawn; all labels are in the table, and can be compared.
const MOST_PANELS: usize = 12;

/// A chart as the page shows it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figure {
    title: String,
    text: String,
    note: String,
    tiles: Vec<Tile>,
    /// Small charts, which stand beside each other.
    panels: Vec<String>,
    /// A wide drawing.
    drawing: String,
    /// Labels that can be chosen in the drawing; all of them are in it.
    choices: Vec<String>,
    /// The names of the columns, and whether they are numbers.
    columns: Vec<(String, bool)>,
    rows: Vec<Vec<String>>,
    /// Whether there are more rows than are shown.
    is_cut: bool,
    /// Why there is nothing to see.
    empty: String,
}

/// A large number at the head of the page.
#[derive(Clone, Debug, Serialize)]
struct Tile {
    label: String,
    value: String,
    note: String,
}

impl Figure {
    /// Returns the chart of the rows of its query.
    pub fn new(chart: &Chart, rows: &ChartRows) -> Self {
        if let Some(column) = rows.lacks(chart.kind.columns()) {
            return Self::missing(chart, format!("its query has no column `{column}`"));
        }
        let typed = rows.typed();
        let mut figure = Self::missing(chart, String::new());
        if typed.is_empty() {
            figure.empty = "There is nothing to show yet.".into();
            return figure;
        }
        let label = format!("{}. {}", chart.title, chart.text);
        match chart.kind {
            ChartKind::Tiles => {
                figure.tiles = typed.iter().map(|row| tile(row, chart.show_as)).collect();
                return figure;
            }
            ChartKind::Trends => {
                let series = lines::series(&typed);
                figure.panels = series.iter().take(MOST_PANELS).map(|one| lines::panel(one, chart.show_as)).collect();
                figure.choices = series.iter().map(|one| one.label.clone()).collect();
                figure.drawing = lines::compared(&series, chart.show_as, &format!("{}, compared", chart.title));
            }
            ChartKind::Lines => figure.drawing = lines::together(&lines::series(&typed), chart.show_as, &label),
            ChartKind::Intervals => figure.drawing = rows_of_marks::intervals(&typed, chart.show_as, &label),
            ChartKind::Bars => figure.drawing = rows_of_marks::bars(&typed, chart.show_as, &label),
            ChartKind::Columns => figure.drawing = rows_of_marks::columns(&typed, chart.show_as, &label),
            ChartKind::Network => figure.drawing = network::drawn(&typed, &label),
        }
        let of_cells = |cells: &Vec<ChartCell>| {
            cells.iter().zip(&rows.columns).map(|(cell, name)| told(cell, name, chart)).collect()
        };
        let is_number = |at: usize| {
            rows.rows.iter().all(|row| row.get(at).is_some_and(|cell| cell.number.is_some() || cell.text.is_empty()))
        };
        figure.columns = rows.columns.iter().enumerate().map(|(at, name)| (heading(name), is_number(at))).collect();
        figure.rows = rows.rows.iter().map(of_cells).collect();
        figure.is_cut = rows.is_cut;
        figure
    }

    /// Returns what stands in the place of a chart that cannot be made.
    pub fn missing(chart: &Chart, why: String) -> Self {
        let empty = if why.is_empty() { why } else { format!("This chart cannot be drawn: {why}.") };
        Self {
            title: chart.title.clone(),
            text: chart.text.clone(),
            note: chart.note.clone(),
            empty,
            ..Self::default()
        }
    }

    /// Returns whether it stands at the head of the page.
    pub(super) fn is_tiles(&self) -> bool {
        !self.tiles.is_empty()
    }
}

fn tile(row: &Row, show_as: ShowAs) -> Tile {
    let show_as = if row.unit == "percent" { ShowAs::Percent } else { show_as };
    let value = row.value.map_or_else(|| row.told.clone(), |value| shown(value, show_as));
    Tile { label: row.label.clone(), value, note: row.note.clone() }
}

/// Returns the heading of a column that charts know, for people.
fn heading(name: &str) -> String {
    match name {
        "x" => "when".into(),
        "low" => "from".into(),
        "high" => "to".into(),
        "a" | "b" => "tag".into(),
        "label" => String::new(),
        _ => name.replace('_', " "),
    }
}

/// Returns a cell of the table below a chart.
fn told(cell: &ChartCell, column: &str, chart: &Chart) -> String {
    let is_value = matches!(column, "value" | "low" | "high" | "before");
    match cell.number {
        Some(value) if is_value => shown(value, chart.show_as),
        Some(value) => number(value),
        None if column == "x" => TimePoint::read(&cell.text).long(),
        None => cell.text.clone(),
    }
}

/// Returns a value with what is known of its interval and of what it is made from: `5.6 % (3.1 % to 9.8 %, n 143)`.
fn in_full(row: &Row, show_as: ShowAs) -> String {
    let value = row.value.map_or_else(|| "none".into(), |value| shown(value, show_as));
    let interval =
        row.low.zip(row.high).map(|(low, high)| format!("{} to {}", shown(low, show_as), shown(high, show_as)));
    let n = row.n.map(|n| format!("n {}", number(n)));
    let more: Vec<String> = interval.into_iter().chain(n).collect();
    if more.is_empty() { value } else { format!("{value} ({})", more.join(", ")) }
}

/// Returns the class and the sign of a word that says where something goes. What does not stand out has no sign.
fn direction(status: &str) -> (&'static str, &'static str) {
    match status {
        "rising" | "above" => ("up", "▲ "),
        "falling" | "below" => ("down", "▼ "),
        _ => ("flat", ""),
    }
}
