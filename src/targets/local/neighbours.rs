//! Who else is on this machine and could reach the engine while a step runs: it listens on loopback and asks nobody who
//! they are.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;

use fs_err as fs;

use super::environment::EngineEnvironment;
use super::process;
use crate::config::Network;
use crate::error::Result;

/// The ids of people, other than those of services and of nobody. Source: login.defs(5), UID_MIN and UID_MAX.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60_000;

/// Returns what to say where other people have processes on this machine and the engine cannot have a network of its own.
///
/// # Errors
/// Those of starting the launcher, which is asked only then.
pub fn warning(environment: &EngineEnvironment) -> Result<Option<String>> {
    match (others(), environment.network) {
        (0, _) => Ok(None),
        (others, Network::Host) => Ok(Some(told(others, "`network: host` is set"))),
        (others, Network::None) => Ok(refused(environment)?.map(|why| told(others, &why))),
    }
}

/// Returns what to say where other people have processes on this machine and a notebook's engine is there for all.
pub fn notebook_warning() -> Option<String> {
    match others() {
        0 => None,
        others => Some(told(others, "cells may want the network, so a notebook's engine has none of its own")),
    }
}

fn told(others: usize, why: &str) -> String {
    let people = if others == 1 { "another user has" } else { "other users have" };
    format!(
        "{people} processes on this machine and can reach the engine while it runs, and so run code as you: {why}; \
         docs/decisions/017-engine-network.md says what to do"
    )
}

/// Returns why the engine cannot have a network of its own, if so.
fn refused(environment: &EngineEnvironment) -> Result<Option<String>> {
    let mut launcher = process::launch(environment, "network");
    launcher.stdout(Stdio::piped()).stderr(Stdio::null());
    let said = process::output(launcher)?;
    Ok(match process::told(said.stdout.as_slice())?.remove("network") {
        Some(serde_json::Value::Null) => None,
        Some(why) => Some(format!("the kernel allows it no network of its own ({why})")),
        None => Some("whether it has a network of its own cannot be found out".into()),
    })
}

/// Returns how many other people have processes here, as far as they can be seen; none where there is no `/proc`.
fn others() -> usize {
    let owner = |path: &str| fs::metadata(path).map(|found| found.uid()).ok();
    let Some(me) = owner("/proc/self") else { return 0 };
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(std::result::Result::ok);
    let owners = processes.filter_map(|entry| {
        entry.file_name().to_string_lossy().parse::<u32>().ok()?;
        entry.metadata().map(|found| found.uid()).ok()
    });
    owners.filter(|owner| PEOPLE.contains(owner) && *owner != me).collect::<BTreeSet<u32>>().len()
}
