//! The rows of a chart's query, read by the names of their columns.

use std::collections::BTreeMap;

use arrow::array::{Array as _, RecordBatch};
use arrow::util::display::array_value_to_string;

/// The rows of a query as text, with numbers where they are some.
#[derive(Clone, Debug, Default)]
pub struct ChartRows {
    /// The columns in their order.
    pub(super) columns: Vec<String>,
    /// One cell a column.
    pub(super) rows: Vec<Vec<ChartCell>>,
    /// Whether there were more than were asked for.
    pub(super) is_cut: bool,
}

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ChartCell {
    pub(super) text: String,
    pub(super) number: Option<f64>,
}

/// A row with the columns that charts know; what is not there is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) x: String,
    pub(super) a: String,
    pub(super) b: String,
    pub(super) status: String,
    pub(super) note: String,
    pub(super) unit: String,
    /// The value as text.
    pub(super) told: String,
    pub(super) value: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) before: Option<f64>,
    pub(super) part: Option<f64>,
    pub(super) strength: Option<f64>,
    pub(super) n: Option<f64>,
}

impl ChartRows {
    /// Returns the first `most` rows of batches, which have one row more when there are more.
    pub fn read(batches: &[RecordBatch], most: usize) -> Self {
        let mut read = Self::default();
        for batch in batches {
            read.columns = batch.schema().fields().iter().map(|field| field.name().to_lowercase()).collect();
            for row in 0..batch.num_rows() {
                let cell = |column: &arrow::array::ArrayRef| {
                    if column.is_null(row) {
                        return ChartCell::default();
                    }
                    let text = array_value_to_string(column, row).unwrap_or_default();
                    let number =
                        text.parse().ok().filter(|number: &f64| column.data_type().is_numeric() && number.is_finite());
                    ChartCell { text, number }
                };
                read.rows.push(batch.columns().iter().map(cell).collect());
            }
        }
        read.is_cut = read.rows.len() > most;
        read.rows.truncate(most);
        read
    }

    /// Returns the first of these columns that is missing. Of no rows nothing is known.
    pub(super) fn lacks<'a>(&self, needed: &[&'a str]) -> Option<&'a str> {
        let has = |name: &str| self.columns.iter().any(|column| column == name);
        needed.iter().copied().find(|name| !self.columns.is_empty() && !has(name))
    }

    pub(super) fn typed(&self) -> Vec<Row> {
        let at: BTreeMap<&str, usize> = self.columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let row = |cells: &Vec<ChartCell>| {
            let cell = |name: &str| at.get(name).and_then(|at| cells.get(*at));
            let text = |name: &str| cell(name).map_or_else(String::new, |cell| cell.text.clone());
            let number = |name: &str| cell(name).and_then(|cell| cell.number);
            Row {
                label: text("label"),
                x: text("x"),
                a: text("a"),
                b: text("b"),
                status: text("status"),
                note: text("note"),
                unit: text("unit"),
                told: text("value"),
                value: number("value"),
                low: number("low"),
                high: number("high"),
                before: number("before"),
                part: number("part"),
                strength: number("strength"),
                n: number("n"),
            }
        };
        self.rows.iter().map(row).collect()
    }
}
