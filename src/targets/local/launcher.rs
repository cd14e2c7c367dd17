//! What the environment is made from, carried in the binary: the locks and the launcher that starts an engine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use fs_err as fs;

use crate::config::Engine;
use crate::error::{Error, Kind, Result};
use crate::names::Digest;

/// Raised when the same files make another environment.
const LAYOUT: &str = "uv 1";

/// A lock: hash-pinned requirements.
pub struct Lock {
    /// Its name in `downloads.json`.
    pub name: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// What PySpark is built with, which is published as source only; a hash-pinned version instead of any.
pub const BUILD: Lock = Lock { name: "build", text: include_str!("../../../engine/build.lock") };
const SAIL: Lock = Lock { name: "sail", text: include_str!("../../../engine/sail.lock") };
const SPARK: Lock = Lock { name: "spark", text: include_str!("../../../engine/spark.lock") };
/// JupyterLab, without what both engines have.
const NOTEBOOK: Lock = Lock { name: "notebook", text: include_str!("../../../engine/notebook.lock") };
const JRE: Lock = Lock { name: "jre", text: include_str!("../../../engine/jre.lock") };

const DOWNLOADS: &str = include_str!("../../../engine/downloads.json");

/// The launcher's files; a test compares the list with the folder.
const FILES: &[(&str, &str)] = &[
    ("launch.py", include_str!("../../../engine/launch.py")),
    ("soflow_launch/__init__.py", include_str!("../../../engine/soflow_launch/__init__.py")),
    ("soflow_launch/archive.py", include_str!("../../../engine/soflow_launch/archive.py")),
    ("soflow_launch/columns.py", include_str!("../../../engine/soflow_launch/columns.py")),
    ("soflow_launch/java.py", include_str!("../../../engine/soflow_launch/java.py")),
    ("soflow_launch/jvm.py", include_str!("../../../engine/soflow_launch/jvm.py")),
    ("soflow_launch/life.py", include_str!("../../../engine/soflow_launch/life.py")),
    ("soflow_launch/memory.py", include_str!("../../../engine/soflow_launch/memory.py")),
    ("soflow_launch/network.py", include_str!("../../../engine/soflow_launch/network.py")),
    ("soflow_launch/pool.py", include_str!("../../../engine/soflow_launch/pool.py")),
    ("soflow_launch/query.py", include_str!("../../../engine/soflow_launch/query.py")),
    ("soflow_launch/result.py", include_str!("../../../engine/soflow_launch/result.py")),
    ("soflow_launch/sail.py", include_str!("../../../engine/soflow_launch/sail.py")),
    ("soflow_launch/script.py", include_str!("../../../engine/soflow_launch/script.py")),
    ("soflow_launch/serve.py", include_str!("../../../engine/soflow_launch/serve.py")),
    ("soflow_launch/spark.py", include_str!("../../../engine/soflow_launch/spark.py")),
    ("soflow_launch/trouble.py", include_str!("../../../engine/soflow_launch/trouble.py")),
    ("soflow_launch/warm.py", include_str!("../../../engine/soflow_launch/warm.py")),
];

/// The files of the kernel and of what starts JupyterLab; a test compares the list with the folder.
const NOTEBOOK_FILES: &[(&str, &str)] = &[
    ("soflow_notebook/__init__.py", include_str!("../../../engine/soflow_notebook/__init__.py")),
    ("soflow_notebook/execute.py", include_str!("../../../engine/soflow_notebook/execute.py")),
    ("soflow_notebook/kernel.py", include_str!("../../../engine/soflow_notebook/kernel.py")),
    ("soflow_notebook/link.py", include_str!("../../../engine/soflow_notebook/link.py")),
    ("soflow_notebook/server.py", include_str!("../../../engine/soflow_notebook/server.py")),
    (
        "soflow_notebook/settings/overrides.json",
        include_str!("../../../engine/soflow_notebook/settings/overrides.json"),
    ),
    ("soflow_notebook/shell.py", include_str!("../../../engine/soflow_notebook/shell.py")),
    ("soflow_notebook/warm.py", include_str!("../../../engine/soflow_notebook/warm.py")),
];

/// What an environment is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// An engine, and the launcher that starts it.
    Engine {
        /// The engine.
        engine: Engine,
        /// Whether it brings its own Java.
        with_jre: bool,
    },
    /// JupyterLab and its kernel, which see an engine's packages.
    Notebook,
}

impl Contents {
    /// Returns what its folder's name begins with.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Engine { engine, .. } => engine.name(),
            Self::Notebook => "notebook",
        }
    }

    /// Returns its packages.
    pub fn locks(self) -> Vec<Lock> {
        match self {
            Self::Engine { engine: Engine::Sail, .. } => vec![BUILD, SAIL],
            Self::Engine { engine: Engine::Spark, with_jre: false } => vec![BUILD, SPARK],
            Self::Engine { engine: Engine::Spark, with_jre: true } => vec![BUILD, SPARK, JRE],
            Self::Notebook => vec![NOTEBOOK],
        }
    }

    /// Returns the package that is built here: it has no wheel.
    pub const fn source_only(self) -> Option<&'static str> {
        match self {
            Self::Engine { engine: Engine::Sail, .. } => Some("pyspark-client"),
            Self::Engine { engine: Engine::Spark, .. } => Some("pyspark"),
            Self::Notebook => None,
        }
    }

    const fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Engine { .. } => FILES,
            Self::Notebook => NOTEBOOK_FILES,
        }
    }

    /// Returns the digest of all that goes into it: packages, Java, files of ours.
    pub fn digest(self) -> Digest {
        let locks = self.locks().into_iter().map(|lock| lock.text);
        Digest::of(locks.chain(self.files().iter().map(|(_, text)| *text)).chain([LAYOUT]))
    }

    /// Writes the files of ours into `folder`.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write(self, folder: &Path) -> Result<()> {
        for (name, text) in self.files() {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap_or(folder))?;
            fs::write(file, text)?;
        }
        Ok(())
    }

    /// Returns the size in bytes of each package's artifact for the most common platform, by normalised name.
    ///
    /// # Errors
    /// `Internal` when the list is damaged.
    pub fn downloads(self) -> Result<BTreeMap<String, u64>> {
        let mut known: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(DOWNLOADS)
            .map_err(|error| Error::new(Kind::Internal, "the list of downloads is damaged").caused_by(error))?;
        Ok(self.locks().iter().flat_map(|lock| known.remove(lock.name).unwrap_or_default()).collect())
    }
}

/// Returns the version of an engine that is installed.
pub fn packaged_version(engine: Engine) -> &'static str {
    let (lock, package) = match engine {
        Engine::Sail => (SAIL, "pysail=="),
        Engine::Spark => (SPARK, "pyspark=="),
    };
    let line = lock.text.lines().find_map(|line| line.strip_prefix(package)).unwrap_or_default();
    line.split(' ').next().unwrap_or_default()
}

/// Returns the digest of an engine's packages: part of what makes results comparable.
pub fn packages_digest(engine: Engine) -> Digest {
    Digest::of(Contents::Engine { engine, with_jre: false }.locks().iter().map(|lock| lock.text))
}

/// Returns what tells the launcher how many bytes of memory a process may take.
pub fn memory(share: u64) -> [OsString; 2] {
    ["--memory".into(), share.to_string().into()]
}

/// Returns the Spark property that a `spark-submit` option sets. Source: `spark-submit --help` of Spark 3.5.
pub fn spark_property(option: &str) -> String {
    match option {
        "num-executors" => "spark.executor.instances".to_string(),
        _ if option.starts_with("spark.") => option.to_string(),
        _ => format!("spark.{}", option.replacen('-', ".", 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_carried_along() {
        let engine = Contents::Engine { engine: Engine::Sail, with_jre: false };
        for (contents, package) in [(engine, "soflow_launch"), (Contents::Notebook, "soflow_notebook")] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("engine").join(package);
            let there = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut there: Vec<String> =
                there.filter(|name| name.ends_with(".py")).map(|name| format!("{package}/{name}")).collect();
            there.sort();
            let carried = contents.files().iter().map(|(name, _)| *name);
            let carried: Vec<&str> = carried.filter(|name| *name != "launch.py" && name.ends_with(".py")).collect();
            assert_eq!(carried, there);
        }
    }

    #[test]
    fn every_locked_package_has_a_size() {
        let engine = |engine, with_jre| Contents::Engine { engine, with_jre };
        for contents in [engine(Engine::Sail, false), engine(Engine::Spark, true), Contents::Notebook] {
            let sizes = contents.downloads().unwrap();
            for lock in contents.locks() {
                let pinned = lock.text.lines().filter(|line| !line.starts_with([' ', '#']) && line.contains("=="));
                let names: Vec<&str> = pinned.filter_map(|line| line.split("==").next()).collect();
                assert!(!names.is_empty(), "{}", lock.name);
                let unknown = names.iter().filter(|name| !sizes.contains_key(**name)).count();
                // Packages of other platforms or older Pythons are not downloaded here.
                assert!(unknown * 2 < names.len(), "{}: {unknown} of {} have no size", lock.name, names.len());
            }
        }
    }
}
