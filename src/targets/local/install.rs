//! Filling an environment: a venv, and pip with every artifact pinned by its hash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::launcher::{self, Phase};
use crate::config::Engine;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::machine::{Host, pip, python};

/// The Java that Spark 3.5 is run with here. Source: Spark 3.5's documentation, which names 8, 11 and 17.
const JAVA: u32 = 17;

/// Returns the home of a Java 17 on this machine, or `None` when one must be brought along.
pub fn java(host: &Host) -> Option<PathBuf> {
    let on_path = || host.program("java").and_then(|java| fs::canonicalize(java).ok()).and_then(|java| home_of(&java));
    let candidates = [host.java_home.clone(), on_path()];
    candidates.into_iter().flatten().find(|home| java_version(home) == Some(JAVA))
}

fn home_of(java: &Path) -> Option<PathBuf> {
    Some(java.parent()?.parent()?.to_path_buf())
}

/// Reads the `release` file every JDK and JRE carries; starting `java -version` would cost a quarter of a second.
fn java_version(home: &Path) -> Option<u32> {
    let release = fs::read_to_string(home.join("release")).ok()?;
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION="))?;
    version.trim_matches('"').split('.').next()?.parse().ok()
}

/// Makes a venv with all packages of an engine below `folder`.
pub fn install(engine: Engine, with_jre: bool, python: &Path, folder: &Path, sink: &mut dyn Sink) -> Result<()> {
    let downloads = launcher::downloads(engine, with_jre)?;
    sink.emit(Event::EngineInstall {
        engine: engine.name().into(),
        bytes: downloads.values().sum(),
        packages: downloads.len() as u64,
    });
    let venv = folder.join("venv");
    python::make_venv(python, &venv)?;
    let mut done = 0;
    for phase in launcher::phases(engine, with_jre) {
        fill(&venv, &phase, &downloads, &mut done, sink)?;
    }
    Ok(())
}

fn fill(
    venv: &Path,
    phase: &Phase,
    downloads: &BTreeMap<String, u64>,
    done: &mut u64,
    sink: &mut dyn Sink,
) -> Result<()> {
    let lock = venv.join(format!("{}.lock", phase.name));
    fs::write(&lock, phase.lock)?;
    let installed = pip::install(venv, &lock, phase.options, &mut |name| {
        sink.emit(Event::EnginePackage { name: name.into(), done: *done });
        *done += downloads.get(name).copied().unwrap_or(0);
    })?;
    sink.emit(Event::EnginePackage { name: String::new(), done: *done });
    installed.map_err(|failure| {
        let hint = if failure.no_network() || failure.text.contains("Could not find a version") {
            "the first run downloads the engine: connect to the network, or set `PIP_INDEX_URL` to a mirror, and run it again"
        } else if failure.text.contains("pip's settings cannot be read") {
            "mend that file, or leave it out: `PIP_CONFIG_FILE=/dev/null`"
        } else {
            "run the same command again; what was downloaded is kept"
        };
        Error::new(Kind::Machine, "the engine's packages cannot be installed").detail(failure.excerpt()).hint(hint)
    })
}
