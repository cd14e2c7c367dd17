//! Filling an environment: a venv, and uv with every artifact pinned by its hash.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::environment::Environment;
use super::launcher;
use crate::error::Result;
use crate::event::{Event, Sink};
use crate::machine::{Host, Uv};

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

/// Makes a venv below `folder` with all packages of an environment; returns the uv that did.
pub fn install(
    environment: &Environment,
    host: &Host,
    python: &Path,
    folder: &Path,
    sink: &mut dyn Sink,
) -> Result<Uv> {
    let (engine, with_jre, venv) = (environment.engine, environment.with_jre, folder.join("venv"));
    let (downloads, mut done) = (launcher::downloads(engine, with_jre)?, 0);
    sink.emit(Event::EngineInstall {
        engine: engine.name().into(),
        bytes: downloads.values().sum(),
        packages: downloads.len() as u64,
    });
    let uv = Uv::get(host, python, environment.home(), engine.name())?;
    uv.venv(&venv)?;
    let source = launcher::source_only(engine);
    let mut options: Vec<OsString> = ["--no-binary", source, "--python"].into_iter().map(Into::into).collect();
    options.push(venv.join("bin/python").into());
    for lock in launcher::locks(engine, with_jre) {
        let file = venv.join(format!("{}.lock", lock.name));
        fs::write(&file, lock.text)?;
        if lock.name == launcher::BUILD.name {
            options.extend(["--build-constraints".into(), file.clone().into()]);
        }
        options.extend(["-r".into(), file.into()]);
    }
    let installed = uv.install(options, &mut |name| {
        done += downloads.get(name).copied().unwrap_or(0);
        sink.emit(Event::EnginePackage { name: name.into(), done });
    })?;
    installed.map_err(|failure| failure.error("the engine's packages cannot be installed"))?;
    Ok(uv)
}
