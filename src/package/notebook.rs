//! A Jupyter notebook as a step: its code cells, without what running them has left.

use ruff_python_ast::{Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::script::SourceProblem;

/// The tag of cells that are for looking at things only.
const SCRATCH: &str = "scratch";

/// What begins a cell of SQL; a name for its result may follow.
const SQL_CELL: &str = "%%sql";

/// A code cell that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// How messages call it: `cell 3`, counted with all cells, as notebooks show them. Empty in a SQL file.
    pub name: String,
    /// Its code.
    #[serde(flatten)]
    pub code: CellCode,
}

/// What a cell runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CellCode {
    /// Python.
    Python {
        /// The text.
        python: String,
    },
    /// One statement of SQL.
    Sql {
        /// The statement.
        sql: String,
        /// The name that its result gets.
        into: Option<String>,
    },
}

/// The parts of a notebook that say what it runs. Source: nbformat 4, `nbformat.v4.schema.json`.
#[derive(Deserialize)]
struct Document {
    nbformat: u32,
    #[serde(default)]
    metadata: Value,
    cells: Vec<RawCell>,
}

#[derive(Deserialize)]
struct RawCell {
    cell_type: String,
    #[serde(default)]
    metadata: Value,
    source: SourceText,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SourceText {
    Whole(String),
    Lines(Vec<String>),
}

/// Returns the cells of a notebook that run as a step does, in their order.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn cells(text: &str) -> Result<Vec<Cell>, SourceProblem> {
    let document = read(text)?;
    let mut cells = Vec::new();
    for (at, raw) in document.cells.into_iter().enumerate() {
        let name = format!("cell {}", at + 1);
        let source = raw.source.joined();
        let is_scratch = raw.metadata["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag == SCRATCH));
        if raw.cell_type != "code" || is_scratch || source.trim().is_empty() {
            continue;
        }
        let code = match source.trim_start().strip_prefix(SQL_CELL) {
            Some(rest) => sql_cell(&name, rest)?,
            None => python_cell(&name, source)?,
        };
        cells.push(Cell { name, code });
    }
    if cells.is_empty() {
        return Err(SourceProblem::new("has no code to run", "cells tagged `scratch` are left out"));
    }
    Ok(cells)
}

/// Returns a notebook without what running it has left: outputs, counts and ids, which may show rows of data.
pub fn stripped(bytes: &[u8]) -> Vec<u8> {
    let Ok(mut document) = serde_json::from_slice::<Value>(bytes) else { return bytes.to_vec() };
    for cell in document["cells"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        cell.remove("id");
        cell.remove("attachments");
        if cell.get("cell_type").is_some_and(|kind| kind == "code") {
            cell.insert("outputs".into(), Value::Array(Vec::new()));
            cell.insert("execution_count".into(), Value::Null);
        }
    }
    serde_json::to_vec(&document).unwrap_or_else(|_| bytes.to_vec())
}

fn read(text: &str) -> Result<Document, SourceProblem> {
    let document: Document = serde_json::from_str(text).map_err(|error| {
        SourceProblem::new(format!("is not a notebook: {error}"), "save it from Jupyter as `.ipynb`")
    })?;
    if document.nbformat != 4 {
        let why = format!("is a notebook of format {}, and only format 4 is read", document.nbformat);
        return Err(SourceProblem::new(why, "convert it: `jupyter nbconvert --to notebook --nbformat 4 FILE`"));
    }
    let language = [&document.metadata["kernelspec"]["language"], &document.metadata["language_info"]["name"]];
    if let Some(other) =
        language.into_iter().find_map(Value::as_str).filter(|name| !name.eq_ignore_ascii_case("python"))
    {
        let why = format!("is a notebook in {other}");
        return Err(SourceProblem::new(why, "only cells of Python and `%%sql` can be run"));
    }
    Ok(document)
}

fn sql_cell(name: &str, rest: &str) -> Result<CellCode, SourceProblem> {
    let (first, sql) = rest.split_once('\n').unwrap_or((rest, ""));
    let into = first.trim();
    let is_name = |text: &str| !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(is_word);
    if !is_name(into) {
        let why = format!("has `{SQL_CELL} {into}` in {name}, which is no name for a result");
        return Err(SourceProblem::new(why, format!("write `{SQL_CELL} NAME`, and the statement on the next line")));
    }
    if sql.trim().is_empty() {
        return Err(SourceProblem::new(format!("has no statement in {name}"), "write it below `%%sql`"));
    }
    let into = Some(into.to_string()).filter(|into| !into.is_empty());
    Ok(CellCode::Sql { sql: sql.trim().trim_end_matches(';').into(), into })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn python_cell(name: &str, python: String) -> Result<CellCode, SourceProblem> {
    let parsed = parse_unchecked(&python, ParseOptions::from(Mode::Ipython));
    let Mod::Module(module) = parsed.syntax() else { return Ok(CellCode::Python { python }) };
    let line_of = |at: usize| python[..at].matches('\n').count() + 1;
    let magic = module.body.iter().find_map(|statement| match statement {
        Stmt::IpyEscapeCommand(command) => Some(usize::from(command.range.start())),
        _ => None,
    });
    if let Some(at) = magic {
        let shown = python[at..].lines().next().unwrap_or_default();
        let why = format!("has `{shown}` in {name}, which only notebooks understand");
        return Err(SourceProblem::new(why, "tag the cell `scratch`, which leaves it out, or remove the line"));
    }
    if let Some(error) = parsed.errors().first() {
        let line = line_of(usize::from(error.location.start()));
        let why = format!("has a mistake in {name}, line {line}: {}", error.error);
        return Err(SourceProblem::new(why, "run the notebook from its start once before it becomes a step"));
    }
    Ok(CellCode::Python { python })
}

impl SourceText {
    fn joined(self) -> String {
        match self {
            Self::Whole(text) => text,
            Self::Lines(lines) => lines.concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notebook(cells: &[(&str, &str, &[&str])]) -> String {
        let cells: Vec<Value> = cells
            .iter()
            .map(|(kind, source, tags)| {
                serde_json::json!({ "cell_type": kind, "source": source, "metadata": { "tags": tags }, "id": "x1",
                    "outputs": [{ "text": "secret" }], "execution_count": 7 })
            })
            .collect();
        serde_json::json!({ "nbformat": 4, "metadata": { "language_info": { "name": "python" } }, "cells": cells })
            .to_string()
    }

    fn wrong(cells_of: &[(&str, &str, &[&str])]) -> String {
        cells(&notebook(cells_of)).unwrap_err().why
    }

    #[test]
    fn code_cells_run_in_order_without_those_tagged_scratch() {
        let text = notebook(&[
            ("markdown", "# Title", &[]),
            ("code", "x = 1\n", &[]),
            ("code", "display(x)", &["scratch"]),
            ("code", "%%sql best\nselect 1 as a;\n", &[]),
            ("code", " \n", &[]),
            ("code", "save('t', best)", &["other"]),
        ]);
        let found = cells(&text).unwrap();
        let names: Vec<&str> = found.iter().map(|cell| cell.name.as_str()).collect();
        assert_eq!(names, ["cell 2", "cell 4", "cell 6"]);
        assert_eq!(found[1].code, CellCode::Sql { sql: "select 1 as a".into(), into: Some("best".into()) });
    }

    #[test]
    fn what_is_no_notebook_of_python_is_told() {
        let of = |text: &str| cells(text).unwrap_err().why;
        assert!(of("{").starts_with("is not a notebook: EOF"), "{}", of("{"));
        assert!(of(r#"{"nbformat":3,"worksheets":[],"cells":[]}"#).contains("format 3"));
        let r = r#"{"nbformat":4,"metadata":{"kernelspec":{"language":"R"}},"cells":[]}"#;
        assert_eq!(of(r), "is a notebook in R");
        assert_eq!(of(r#"{"nbformat":4,"cells":[]}"#), "has no code to run");
    }

    #[test]
    fn a_cell_that_cannot_run_is_named_with_its_line() {
        assert!(wrong(&[("code", "x = 1\ny = (2\n", &[])]).starts_with("has a mistake in cell 1, line"), "line");
        let magic = wrong(&[("markdown", "", &[]), ("code", "import a\n%matplotlib inline\n", &[])]);
        assert_eq!(magic, "has `%matplotlib inline` in cell 2, which only notebooks understand");
        assert_eq!(
            wrong(&[("code", "!pip install x", &[])]),
            "has `!pip install x` in cell 1, which only notebooks understand"
        );
        assert_eq!(
            wrong(&[("code", "%%sql 1x\nselect 1", &[])]),
            "has `%%sql 1x` in cell 1, which is no name for a result"
        );
        assert_eq!(wrong(&[("code", "%%sql a\n \n", &[])]), "has no statement in cell 1");
    }

    #[test]
    fn nothing_that_a_notebook_has_printed_leaves_the_machine() {
        let text = notebook(&[("code", "x = 1", &[])]);
        let kept = String::from_utf8(stripped(text.as_bytes())).unwrap();
        assert!(!kept.contains("secret") && !kept.contains("x1") && !kept.contains('7'), "{kept}");
        assert_eq!(cells(&kept), cells(&text));
    }
}
