//! What the environment is made from, carried in the binary: the locks and the launcher that starts an engine.

use std::path::Path;

use fs_err as fs;
use serde::Deserialize;

use crate::config::Engine;
use crate::error::{Error, Kind, Result};
use crate::names::Digest;

/// One call of pip: a lock, and what its packages need beyond the usual.
pub struct Phase {
    /// The name in `downloads.json`.
    pub name: &'static str,
    /// The hash-pinned requirements.
    pub lock: &'static str,
    /// Further options.
    pub options: &'static [&'static str],
}

const SAIL: Phase = Phase { name: "sail", lock: include_str!("../../../engine/sail.lock"), options: &["--only-binary=:all:"] };
const BUILD: Phase = Phase { name: "build", lock: include_str!("../../../engine/build.lock"), options: &["--only-binary=:all:"] };
// PySpark 3.5 is published as source only; its build tools come from the phase before instead of from anywhere.
const SPARK: Phase =
    Phase { name: "spark", lock: include_str!("../../../engine/spark.lock"), options: &["--no-build-isolation"] };
const JRE: Phase = Phase { name: "jre", lock: include_str!("../../../engine/jre.lock"), options: &["--only-binary=:all:"] };

const DOWNLOADS: &str = include_str!("../../../engine/downloads.json");

const FILES: &[(&str, &str)] = &[
    ("launch.py", include_str!("../../../engine/launch.py")),
];

/// Returns the pip calls that make an engine's environment, in order.
pub fn phases(engine: Engine, with_jre: bool) -> Vec<Phase> {
    match (engine, with_jre) {
        (Engine::Sail, _) => vec![SAIL],
        (Engine::Spark, false) => vec![BUILD, SPARK],
        (Engine::Spark, true) => vec![BUILD, SPARK, JRE],
    }
}

/// Returns the digest of all that goes into an environment.
pub fn lock_digest(engine: Engine, with_jre: bool) -> Digest {
    let locks = phases(engine, with_jre).into_iter().map(|phase| phase.lock);
    Digest::of(locks.chain(FILES.iter().map(|(_, text)| *text)))
}

/// Writes the launcher's files into `folder`.
pub fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in FILES {
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// A package and how much it downloads.
#[derive(Clone, Debug, Deserialize)]
pub struct Download {
    /// Its normalised name.
    pub name: String,
    /// Bytes of the artifact for the most common platform.
    pub bytes: u64,
}

/// Returns what the phases download when nothing is cached.
pub fn downloads(engine: Engine, with_jre: bool) -> Result<Vec<Download>> {
    let mut known: std::collections::BTreeMap<String, Vec<Download>> = serde_json::from_str(DOWNLOADS)
        .map_err(|error| Error::new(Kind::Internal, "the list of downloads is damaged").caused_by(error))?;
    Ok(phases(engine, with_jre).iter().flat_map(|phase| known.remove(phase.name).unwrap_or_default()).collect())
}

/// Returns the Spark property that a `spark-submit` option sets. Source: `spark-submit --help` of Spark 3.5.
pub fn spark_property(option: &str) -> String {
    match option {
        "num-executors" => "spark.executor.instances".to_string(),
        _ if option.starts_with("spark.") => option.to_string(),
        _ => format!("spark.{}", option.replacen('-', ".", 1)),
    }
}
