//! Rows of a query for people (a table) and for programs (JSON, CSV), from Arrow record batches.

mod value;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde_json::{Map, Value};

use super::table::{Layout, TextCell};

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub enum RowFormat {
    /// Aligned columns for people; control characters are escaped, so no value can drive the terminal. An answer that is a
    /// single text is shown in its lines.
    Table(Layout),
    /// One array of objects, one row a line. Whole numbers are exact; decimals, dates and moments (RFC 3339) are text,
    /// as are `NaN`, `Infinity` and `-Infinity`, which JSON has no numbers for; binary is hexadecimal.
    Json,
    /// RFC 4180 with names in the first line and `\n` at line ends. A null is nothing, an empty text is `""`; lists and
    /// structs are JSON.
    Csv,
}

/// Writes the rows of all batches, which have the columns of `schema`.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch], form: RowFormat) -> io::Result<()> {
    let mut writer = RowWriter::new(schema, form);
    for batch in batches {
        writer.write(out, batch)?;
    }
    writer.end(out)
}

/// Writes rows as they come; those of a table for people at the end, when it is known how wide they are.
pub struct RowWriter {
    schema: SchemaRef,
    form: RowFormat,
    /// What an object holds them by, in JSON.
    names: Vec<String>,
    table: Vec<Vec<TextCell>>,
    /// The first row of a single column, with its line breaks.
    text: Option<String>,
    has_rows: bool,
}

impl RowWriter {
    /// Returns a writer of rows with these columns.
    pub fn new(schema: &SchemaRef, form: RowFormat) -> Self {
        let names = distinct(schema.fields().iter().map(|field| field.name().as_str()));
        Self { schema: schema.clone(), form, names, table: Vec::new(), text: None, has_rows: false }
    }

    /// Writes the rows of a batch.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let columns: Vec<value::Read<'_>> = batch.columns().iter().map(|column| value::reader(column)).collect();
        for row in 0..batch.num_rows() {
            let row: Vec<Value> = columns.iter().map(|read| read(row)).collect();
            if let ([value], false) = (row.as_slice(), self.has_rows) {
                self.text = plain(value).filter(|text| text.contains('\n'));
            }
            match self.form {
                RowFormat::Table(layout) => self.table.push(self.cells(row, &layout)),
                RowFormat::Json => self.object(out, row)?,
                RowFormat::Csv => {
                    self.header(out)?;
                    let cells = row.iter().map(|value| plain(value).map_or_else(String::new, |text| quoted(&text)));
                    writeln!(out, "{}", cells.collect::<Vec<_>>().join(","))?;
                }
            }
            self.has_rows = true;
        }
        Ok(())
    }

    /// Writes what comes after the last row.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end(self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            RowFormat::Table(layout) => {
                let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
                // A single text, such as a plan, is shown in its lines.
                let rows = match self.text.filter(|_| self.table.len() == 1) {
                    Some(text) => text.lines().map(|line| vec![TextCell::value(line, false)]).collect(),
                    None => self.table,
                };
                out.write_all(layout.whole_table(&names, rows.into_iter()).as_bytes())
            }
            RowFormat::Json => out.write_all(if self.has_rows { b"\n]\n" } else { b"[]\n" }),
            RowFormat::Csv => self.header(out),
        }
    }

    fn cells(&self, row: Vec<Value>, layout: &Layout) -> Vec<TextCell> {
        let cells = row.iter().zip(self.schema.fields()).map(|(value, field)| {
            let number = field.data_type().is_numeric();
            match plain(value) {
                None => TextCell::value(NULL, number).styled(layout.style.dim),
                Some(text) if text == NULL => TextCell::value("\"NULL\"", number),
                Some(text) => TextCell::value(&text, number),
            }
        });
        cells.collect()
    }

    fn object(&self, out: &mut dyn Write, row: Vec<Value>) -> io::Result<()> {
        let object: Map<String, Value> = self.names.iter().cloned().zip(row).collect();
        write!(out, "{}{}", if self.has_rows { ",\n" } else { "[\n" }, Value::Object(object))
    }

    fn header(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.has_rows {
            return Ok(());
        }
        let names = self.schema.fields().iter().map(|field| quoted(field.name()));
        writeln!(out, "{}", names.collect::<Vec<_>>().join(","))
    }
}

/// How a null looks; a text that reads the same is quoted.
const NULL: &str = "NULL";

/// Names that an object can hold: `select n, n` gives `n` and `n_2`.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names: Vec<&str> = names.collect();
    let mut taken: Vec<String> = Vec::new();
    for name in &names {
        // What a column is called is given to no other one, also when that stands before it.
        let numbered = (2..).map(|number| format!("{name}_{number}")).filter(|own| !names.contains(&own.as_str()));
        let free = std::iter::once((*name).to_string()).chain(numbered).find(|own| !taken.contains(own));
        taken.extend(free);
    }
    taken
}

fn quoted(text: &str) -> String {
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// Returns a value as text, or `None` for null.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
