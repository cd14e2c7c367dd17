//! SQL on published tables with Spark, in a process of its own. The embedded engine has a server for that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::ipc::reader::FileReader;
use fs_err as fs;
use serde::Serialize;
use serde_json::json;

use super::engine::LocalEngine;
use super::{launcher, process};
use crate::error::{Error, Kind, Result};

/// One statement.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// Names its result file.
    pub id: String,
    /// Spark SQL, a query.
    pub sql: String,
    /// How many rows at most.
    pub limit: Option<u64>,
}

impl LocalEngine {
    /// Runs the statements; returns for each its Arrow IPC file in `output`, or the engine's message. `views` are those
    /// that statements may name, by name.
    ///
    /// # Errors
    /// `Machine` when the engine cannot run at all.
    pub async fn query(
        &self,
        views: &BTreeMap<String, impl Serialize>,
        statements: &[Statement],
        output: &Path,
    ) -> Result<Vec<Result<PathBuf, String>>> {
        let request = json!({ "views": views, "statements": statements, "output": output.to_string_lossy() });
        let file = output.join("request.json");
        fs::write(&file, request.to_string())?;
        // What it prints may be more than memory holds.
        let printed = output.join("stderr.log");
        fs::File::create(&printed)?;
        let mut arguments = vec!["--request".into(), file.into()];
        arguments.extend(self.memory.into_iter().flat_map(launcher::memory));
        self.run("query", &arguments, Path::new("/dev/null"), &printed)?.wait().await?;
        let result = |statement: &Statement| {
            let rows = output.join(format!("{}.arrow", statement.id));
            if rows.is_file() { Some(Ok(rows)) } else { error_of(output, &statement.id).map(Err) }
        };
        let results: Option<Vec<_>> = statements.iter().map(result).collect();
        if let Some(results) = results {
            return Ok(results);
        }
        Err(process::no_answer(fs::File::open(&printed)?))
    }
}

/// Returns the batches of an Arrow IPC file; a file without any is one empty batch, which has the columns.
///
/// # Errors
/// `Machine` when the file cannot be opened, or is not a whole Arrow file.
pub fn read_ipc(path: &Path) -> Result<Vec<RecordBatch>> {
    let broken =
        |error| Error::new(Kind::Machine, format!("`{}` is not a whole Arrow file", path.display())).caused_by(error);
    let reader = FileReader::try_new_buffered(fs::File::open(path)?.into_file(), None).map_err(broken)?;
    let schema = reader.schema();
    let mut batches = reader.collect::<Result<Vec<_>, _>>().map_err(broken)?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
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
        let local = Local { engine: Engine::Spark, parallel: None, memory: None, python: None, engine_dir, network };
        let engine = LocalEngine::new(&local, &Host::default(), folder.path());
        let error = engine.query(&BTreeMap::<String, ()>::new(), &[], &output).await.unwrap_err();
        assert!(output.join("request.json").is_file(), "{error}");
    }
}
