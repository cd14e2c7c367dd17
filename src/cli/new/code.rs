//! The files of a new step: its code, and a test of it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fs_err as fs;
use regex::Regex;

use super::StepDraft;
use super::trial::TriedTable;
use crate::error::{Error, Kind, Result};
use crate::job::StepCode;
use crate::plan::Version;

/// What scripts import to read and write tables.
const LAKE: &str = include_str!("../../../templates/minimal/pyspark/lake.py");

/// The session of tests.
const CONFTEST: &str = include_str!("../../../templates/step/conftest.py");

static SAVED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\bsave\(\s*(?:table\s*=\s*)?["'](\w+)["']"#)
        .unwrap_or_else(|error| unreachable!("the pattern of saved tables is wrong: {error}"))
});

/// Returns the tables that Python code saves, in its order.
pub fn saved(python: &str) -> Vec<String> {
    let mut tables: Vec<String> = Vec::new();
    for found in SAVED.captures_iter(python).filter_map(|found| found.get(1)) {
        if !tables.iter().any(|table| table == found.as_str()) {
            tables.push(found.as_str().into());
        }
    }
    tables
}

/// Files that are written below the code folder, unless one is there.
pub struct NewFiles {
    folder: PathBuf,
    /// Those that were written.
    pub written: Vec<PathBuf>,
}

impl NewFiles {
    /// Returns none so far.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), written: Vec::new() }
    }

    /// Returns whether `file` is the one at `path` already.
    pub fn is(&self, path: &Path, file: &Path) -> bool {
        fs::canonicalize(self.folder.join(path)).is_ok_and(|there| there == file)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// `Usage` when there is one; `Machine` when it cannot be written.
    pub fn write(&mut self, path: &Path, text: &str) -> Result<()> {
        if self.write_unless_there(path, text)? {
            return Ok(());
        }
        let path = self.folder.join(path);
        Err(Error::new(Kind::Usage, format!("`{}` is there already", path.display()))
            .hint("nothing was changed; choose another name"))
    }

    /// Returns whether there was none.
    fn write_unless_there(&mut self, path: &Path, text: &str) -> Result<bool> {
        let path = self.folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            opened => {
                let mut file = opened?;
                self.written.push(path);
                file.write_all(text.as_bytes())?;
                Ok(true)
            }
        }
    }

    /// Removes what was written.
    pub fn remove(&mut self) {
        for path in self.written.drain(..) {
            let _ = fs::remove_file(path);
        }
    }

    /// Writes the script of a step, which hands on its first table as it is, and what it imports.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_script(&mut self, step: &StepDraft) -> Result<()> {
        self.write(step.code.path(), &script(step))?;
        self.write_unless_there(Path::new("lake.py"), LAKE).map(drop)
    }

    /// Writes the test of a step that was tried, and the session of tests. A notebook has none: its cells are what is to be
    /// looked at.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_test(
        &mut self,
        step: &StepDraft,
        inputs: &BTreeMap<String, Version>,
        tried: &BTreeMap<String, TriedTable>,
    ) -> Result<()> {
        let Some(table) = step.writes.first().and_then(|table| tried.get(table)) else { return Ok(()) };
        let Some(text) = test(step, inputs, table) else { return Ok(()) };
        let stem = step.code.path().file_stem().unwrap_or_default().to_string_lossy();
        self.write(Path::new(&format!("tests/test_{stem}.py")), &text)?;
        self.write_unless_there(Path::new("tests/conftest.py"), CONFTEST).map(drop)
    }
}

fn script(step: &StepDraft) -> String {
    let table = &step.writes[0];
    let (imports, arguments, given, rows) = match step.reads.as_slice() {
        [] => ("start, write", "spark".to_string(), "spark".to_string(), "spark.range(10)"),
        reads => {
            let read = |table: &String| format!("read(spark, task, \"{table}\")");
            let given: Vec<String> = reads.iter().map(read).collect();
            ("read, start, write", reads.join(", "), given.join(", "), reads[0].as_str())
        }
    };
    format!(
        "\"\"\"Makes `{table}`. Put your own code into `transform`.\"\"\"\n\nfrom lake import {imports}\n\n\n\
         def transform({arguments}):\n    \"\"\"Returns the rows of `{table}`.\"\"\"\n    return {rows}\n\n\n\
         if __name__ == \"__main__\":\n    spark, task = start()\n    write(transform({given}), task, \"{table}\")\n"
    )
}

/// Returns a test that the step makes the columns of its table of tables without rows; `None` of a notebook.
fn test(step: &StepDraft, inputs: &BTreeMap<String, Version>, made: &TriedTable) -> Option<String> {
    let path = step.code.path();
    let (imports, call) = match &step.code {
        StepCode::Notebook(_) => return None,
        StepCode::Sql(_) => (
            format!(
                "from pathlib import Path\n\nQUERY = (Path(__file__).parents[1] / \"{}\").read_text(encoding=\"utf-8\")",
                path.display()
            ),
            "    for name, columns in TABLES.items():\n        \
             spark.createDataFrame([], columns).createOrReplaceTempView(name)\n    \
             made = spark.sql(QUERY.rstrip().rstrip(\";\"))\n",
        ),
        StepCode::Script(_) if step.reads.is_empty() => (import(path), "    made = transform(spark)\n"),
        StepCode::Script(_) => (
            import(path),
            "    given = {name: spark.createDataFrame([], columns) for name, columns in TABLES.items()}\n    \
             made = transform(**given)\n",
        ),
    };
    let tables: String = step.reads.iter().filter_map(|name| Some(given(name, inputs.get(name)?))).collect();
    let tables = if tables.is_empty() { String::new() } else { format!("\nTABLES = {{\n{tables}}}\n") };
    let columns: String = made.columns.iter().map(|(name, _)| format!("        {},\n", quoted(name))).collect();
    Some(format!(
        "\"\"\"What {} makes of tables without rows. Give them some of your own.\"\"\"\n\n{imports}\n{tables}\n\n\
         def test_columns(spark):\n{call}    assert made.columns == [\n{columns}    ]\n",
        path.display()
    ))
}

fn import(script: &Path) -> String {
    format!("from steps.{} import transform", script.file_stem().unwrap_or_default().to_string_lossy())
}

/// Returns a table as a step is given it: its partition columns last, as text.
fn given(name: &str, version: &Version) -> String {
    let stored = version.schema.iter().map(|column| (column.name.as_str(), column.kind.as_str()));
    let columns = stored.chain(version.partition_by.iter().map(|key| (key.as_str(), "string")));
    let columns = columns.map(|(name, kind)| format!("        `{}` {kind}", name.replace('`', "``")));
    format!("    \"{name}\": \"\"\"\n{}\n    \"\"\",\n", columns.collect::<Vec<_>>().join(",\n"))
}

/// Returns a text of Python: those of JSON are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
