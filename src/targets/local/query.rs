//! SQL on published tables with the local engine.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::engine::LocalEngine;
use super::process;
use crate::error::{Error, Kind, Result};

/// One statement.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Names its result file.
    pub id: String,
    /// Spark SQL, a query.
    pub sql: String,
    /// How many rows at most; one more is returned when there are more.
    pub limit: Option<u64>,
}

impl LocalEngine {
    /// Runs the statements; returns for each its Arrow IPC file in `output`, or the engine's message. `tables` are those
    /// that statements may name, as the launcher takes them: see `engine/soflow_launch/tables.py`.
    ///
    /// # Errors
    /// `Machine` when the engine cannot run at all.
    pub async fn query(
        &self,
        tables: &Json,
        statements: &[Statement],
        output: &Path,
    ) -> Result<Vec<Result<PathBuf, String>>> {
        let request = json!({ "tables": tables, "statements": statements, "output": output.to_string_lossy() });
        let file = output.join("request.json");
        fs::write(&file, request.to_string())?;
        // What it prints may be more than memory holds.
        let printed = output.join("stderr.log");
        fs::File::create(&printed)?;
        self.run("query", &["--request".into(), file.into()], Path::new("/dev/null"), &printed)?.wait().await?;
        let result = |statement: &Statement| {
            let rows = output.join(format!("{}.arrow", statement.id));
            if rows.is_file() { Some(Ok(rows)) } else { error_of(output, &statement.id).map(Err) }
        };
        let results: Option<Vec<_>> = statements.iter().map(result).collect();
        if let Some(results) = results {
            return Ok(results);
        }
        let cause = process::probable_cause(fs::File::open(&printed)?, "stderr", "it printed nothing");
        Err(Error::new(Kind::Machine, "the local engine did not answer the query")
            .detail(cause.excerpt)
            .hint(process::MAKE_AGAIN))
    }
}

fn error_of(output: &Path, id: &str) -> Option<String> {
    let body = fs::read(output.join(format!("{id}.error.json"))).ok()?;
    let error: serde_json::Value = serde_json::from_slice(&body).ok()?;
    error.get("error")?.as_str().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;
    use crate::config::{Engine, Local, Network};
    use crate::machine::Host;

    #[tokio::test]
    async fn a_folder_whose_name_is_no_text_is_no_reason_to_panic() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join(OsStr::from_bytes(b"\xff"));
        if fs::create_dir(&output).is_err() {
            println!("skipped: this file system takes only text for a name");
            return;
        }
        let (engine_dir, network) = (folder.path().join("engines"), Network::Host);
        let local = Local { engine: Engine::Spark, parallel: None, python: None, engine_dir, network };
        let engine = LocalEngine::new(&local, &Host::default(), folder.path());
        let error = engine.query(&json!({}), &[], &output).await.unwrap_err();
        assert!(output.join("request.json").is_file(), "{error}");
    }
}
