//! Rows as an aligned table.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{each_row, plain};

const GAP: &str = "  ";
const NULL: &str = "NULL";

/// A column of text is not cut below this width.
const NARROWEST: usize = 8;

struct Column {
    name: String,
    right: bool,
    width: usize,
}

/// Writes names, a line, and the rows; numbers to the right, all else to the left.
pub(super) fn write(
    out: &mut dyn Write,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    width: Option<usize>,
    color: bool,
) -> io::Result<()> {
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    each_row(batches, |row| {
        rows.push(row.iter().map(|value| plain(value).map(|text| shown(&text))).collect());
        Ok(())
    })?;
    let mut columns: Vec<Column> = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let name = escaped(field.name());
        let cells = rows.iter().map(|row| row[at].as_deref().unwrap_or(NULL).width());
        let widest = cells.chain([name.width()]).max().unwrap_or_default();
        columns.push(Column { name, right: field.data_type().is_numeric(), width: widest });
    }
    fit(&mut columns, width);
    let style = |code: &str, text: String| if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text };
    line(out, columns.iter().map(|column| style("1", cell(column, &column.name))))?;
    line(out, columns.iter().map(|column| style("2", "─".repeat(column.width))))?;
    for row in &rows {
        let cells = columns.iter().zip(row).map(|(column, text)| match text {
            Some(text) => cell(column, text),
            None => style("2", cell(column, NULL)),
        });
        line(out, cells)?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.collect();
    writeln!(out, "{}", cells.join(GAP).trim_end_matches(' '))
}

/// Narrows the widest columns of text, all to the same width, until the table fits or they are at their narrowest.
fn fit(columns: &mut [Column], width: Option<usize>) {
    let Some(width) = width else { return };
    let gaps = GAP.len() * columns.len().saturating_sub(1);
    let cut = |column: &Column, most: usize| if column.right { column.width } else { column.width.min(most) };
    let total = |most: usize| columns.iter().map(|column| cut(column, most)).sum::<usize>() + gaps;
    let widest = columns.iter().map(|column| column.width).max().unwrap_or_default();
    let most = (NARROWEST..=widest).rev().find(|most| total(*most) <= width).unwrap_or(NARROWEST);
    for column in columns {
        column.width = cut(column, most);
    }
}

fn cell(column: &Column, text: &str) -> String {
    let text = shortened(text, column.width);
    let space = " ".repeat(column.width.saturating_sub(text.width()));
    if column.right { space + &text } else { text + &space }
}

fn shortened(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.into();
    }
    let mut short = String::new();
    let mut width = 1;
    for c in text.chars() {
        width += c.width().unwrap_or_default();
        if width > most {
            break;
        }
        short.push(c);
    }
    short + "…"
}

/// A text that reads like a null is quoted, so that the two can be told apart.
fn shown(text: &str) -> String {
    if text == NULL { format!("\"{NULL}\"") } else { escaped(text) }
}

/// Control characters, and those that reorder or hide the text around them, as escapes.
fn escaped(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if hostile(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}
