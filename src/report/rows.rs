//! Rows of a query for people (a table) and for programs (JSON, CSV), from Arrow record batches.

mod value;

use std::io::{self, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use serde_json::{Map, Value};

use super::table::{Layout, TextCell};
use crate::error::{Error, Kind, Result};

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub enum RowFormat {
    /// Aligned columns for people; control characters are escaped, so no value can drive the terminal.
    Table(Layout),
    /// One array of objects, one row a line. Whole numbers are exact; decimals, dates and moments (RFC 3339) are text,
    /// as are `NaN`, `Infinity` and `-Infinity`, which JSON has no numbers for; binary is hexadecimal.
    Json,
    /// RFC 4180 with names in the first line and `\n` at line ends. A null is nothing, an empty text is `""`; lists and
    /// structs are JSON.
    Csv,
}

/// Returns the rows of an Arrow IPC file.
///
/// # Errors
/// `Machine` when the file cannot be opened, or is not a whole Arrow file.
pub fn read_ipc(path: &Path) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let broken =
        |error| Error::new(Kind::Machine, format!("`{}` is not a whole Arrow file", path.display())).caused_by(error);
    let file = fs_err::File::open(path)?.into_file();
    let reader = FileReader::try_new_buffered(file, None).map_err(broken)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    Ok((schema, batches))
}

/// Writes the rows of all batches, which have the columns of `schema`.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch], form: RowFormat) -> io::Result<()> {
    match form {
        RowFormat::Table(layout) => table(out, schema, batches, &layout),
        RowFormat::Json => json(out, schema, batches),
        RowFormat::Csv => csv(out, schema, batches),
    }
}

/// Calls `see` with each row, its values in the order of the columns.
fn each_row(batches: &[RecordBatch], mut see: impl FnMut(Vec<Value>) -> io::Result<()>) -> io::Result<()> {
    for batch in batches {
        let columns: Vec<value::Read<'_>> = batch.columns().iter().map(|column| value::reader(column)).collect();
        for row in 0..batch.num_rows() {
            see(columns.iter().map(|read| read(row)).collect())?;
        }
    }
    Ok(())
}

/// How a null looks; a text that reads the same is quoted.
const NULL: &str = "NULL";

fn table(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch], layout: &Layout) -> io::Result<()> {
    let fields = schema.fields();
    let mut rows = Vec::new();
    each_row(batches, |row| {
        let cells = row.iter().zip(fields).map(|(value, field)| {
            let number = field.data_type().is_numeric();
            match plain(value) {
                None => TextCell::value(NULL, number).styled(layout.style.dim),
                Some(text) if text == NULL => TextCell::value("\"NULL\"", number),
                Some(text) => TextCell::value(&text, number),
            }
        });
        rows.push(cells.collect());
        Ok(())
    })?;
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    out.write_all(layout.whole_table(&names, rows.into_iter()).as_bytes())
}

fn json(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> io::Result<()> {
    let names = distinct(schema.fields().iter().map(|field| field.name().as_str()));
    let mut before = "[\n";
    each_row(batches, |row| {
        let object: Map<String, Value> = names.iter().cloned().zip(row).collect();
        write!(out, "{before}{}", Value::Object(object))?;
        before = ",\n";
        Ok(())
    })?;
    out.write_all(if before == "[\n" { b"[]\n" } else { b"\n]\n" })
}

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

fn csv(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> io::Result<()> {
    let names: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    writeln!(out, "{}", names.join(","))?;
    each_row(batches, |row| {
        let cells: Vec<String> =
            row.iter().map(|value| plain(value).map_or_else(String::new, |t| quoted(&t))).collect();
        writeln!(out, "{}", cells.join(","))
    })
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
