//! What runs a step: the author's script, or one that soflow makes of a SQL file or a notebook. On every target it is a
//! Python file that takes `--task`.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;

use super::notebook::{self, Cell, CellCode};
use crate::encoding::{self, Foreign};
use crate::error::{Error, Kind, Result};

const DRIVER: &str = include_str!("../../engine/run_source.py");

/// Below this, in a bundle, are the scripts that soflow makes.
const MADE: &str = "made";

/// Why a SQL file or a notebook cannot be a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceProblem {
    /// What is wrong, to be put behind the file's name.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

impl SourceProblem {
    pub(super) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: remedy.into() }
    }
}

impl From<Foreign> for SourceProblem {
    fn from(foreign: Foreign) -> Self {
        Self::new(format!("is {}", foreign.what), foreign.mending)
    }
}

/// A SQL file or a notebook, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSource {
    path: String,
    language: &'static str,
    cells: Vec<Cell>,
}

/// What the driver is given of a source.
#[derive(Serialize)]
struct DriverSource<'a> {
    path: &'a str,
    language: &'a str,
    cells: &'a [Cell],
}

impl StepSource {
    /// Returns whether a file of that name is one that soflow makes a script of.
    pub fn is_one(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "sql" || extension == "ipynb")
    }

    /// Reads the content of the file at `path`, relative to the code folder.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &Path, bytes: &[u8]) -> std::result::Result<Self, SourceProblem> {
        let text = encoding::plain(encoding::text(bytes)?);
        let (language, cells) = if path.extension().is_some_and(|extension| extension == "sql") {
            let sql = text.trim().trim_end_matches(';').to_string();
            ("sql", vec![Cell { name: String::new(), code: CellCode::Sql { sql, into: None } }])
        } else {
            ("python", notebook::cells(&text)?)
        };
        Ok(Self { path: path.display().to_string(), language, cells })
    }

    /// Reads the file at `path` below the code folder.
    ///
    /// # Errors
    /// `Usage` with what is wrong with it; `Machine` when it cannot be read.
    pub fn read(code: &Path, path: &Path) -> Result<Self> {
        let bytes = fs::read(code.join(path))?;
        Self::parse(path, &bytes).map_err(|problem| {
            Error::new(Kind::Usage, format!("`{}` {}", path.display(), problem.why)).hint(problem.remedy)
        })
    }

    /// Returns the Python script that runs it.
    ///
    /// # Errors
    /// Never for what was read from a file.
    pub fn script(&self) -> Result<String> {
        let given = DriverSource { path: &self.path, language: self.language, cells: &self.cells };
        // A text in JSON is a text in Python.
        let literal = serde_json::to_string(&given).and_then(|given| serde_json::to_string(&given));
        let literal = literal.map_err(|error| Error::new(Kind::Internal, "a step has no text").caused_by(error))?;
        Ok(format!("{DRIVER}\n\nSOURCE = {literal}\n\nif __name__ == \"__main__\":\n    main(json.loads(SOURCE))\n"))
    }

    /// Returns all that decides what it does: the code, without cells' numbers, and what runs it.
    pub fn identity(&self) -> Vec<u8> {
        let code: Vec<&CellCode> = self.cells.iter().map(|cell| &cell.code).collect();
        let code = serde_json::to_vec(&code).unwrap_or_default();
        [DRIVER.as_bytes(), &code].concat()
    }

    /// Returns its statements of SQL.
    pub fn queries(&self) -> impl Iterator<Item = &str> {
        self.cells.iter().filter_map(|cell| match &cell.code {
            CellCode::Python { .. } => None,
            CellCode::Sql { sql, .. } => Some(sql.as_str()),
        })
    }

    /// Returns its Python as one text.
    pub fn python(&self) -> String {
        let python = self.cells.iter().filter_map(|cell| match &cell.code {
            CellCode::Python { python } => Some(python.as_str()),
            CellCode::Sql { .. } => None,
        });
        python.collect::<Vec<_>>().join("\n")
    }
}

/// Returns where the script that runs the step of a file is, in a bundle and below the code folder.
pub fn script_path(path: &Path) -> PathBuf {
    if StepSource::is_one(path) { Path::new(MADE).join(format!("{}.py", path.display())) } else { path.to_path_buf() }
}
