//! Readers that know nothing of soflow see what is published, and no other file.

use std::path::Path;
use std::process::Command;

use fs_err as fs;
use serde_json::Value;

use super::support::{Project, engine_is_there};
use crate::twin::tools;

pub const LOCK: &str = include_str!("../readers/readers.lock");

/// Returns whether readers are to be asked: their packages are a download of 300 MB.
pub fn is_wanted() -> bool {
    let wanted = std::env::var_os("SOFLOW_TEST_READERS").is_some_and(|value| value == "1");
    if !wanted {
        println!("skipped: readers of the lake: SOFLOW_TEST_READERS is not 1");
    }
    wanted
}

/// Returns a Python that has the readers, or `None` when they are not asked.
pub fn python() -> Option<Command> {
    if !is_wanted() {
        return None;
    }
    Some(tools::python("readers", LOCK))
}

/// Returns what readers count in a table, or `None` when they are not asked.
pub fn counted(table: &str, curated: &str, paths: &Path, environment: &[(&str, String)]) -> Option<Value> {
    let mut python = python()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers/read.py");
    let environment = environment.iter().map(|(name, value)| (*name, value.as_str()));
    let output = python.arg(script).args([curated, table]).arg(paths).envs(environment).output().unwrap();
    Some(tools::json(&output))
}

/// Asserts that each reader counts so many rows, and in the first version of the table what that had.
pub fn all_count(seen: &Value, rows: u64, first: u64) {
    for (reader, count) in seen["counts"].as_object().unwrap() {
        let wanted = if reader == "first version" { first } else { rows };
        assert_eq!(count, wanted, "{reader}: {seen:#}");
    }
}

const SUBMIT: [&str; 4] = ["submit", "sold", "--date", "2026-11-22"];

#[test]
fn readers_see_what_is_published_after_publications_a_rollback_and_a_collection() {
    engine_is_there();
    let project = Project::empty();
    project.soflow(["init", "."]).succeeded();
    project.write(
        "jobs/sold.yaml",
        "steps:\n  days: { sql: steps/days.sql, writes: [days] }\ntables:\n  days: { key: [day], partition-by: [kind] }\n",
    );
    let days = |count: u32| {
        format!(
            "select date_add(date'2026-01-01', cast(id as int)) as day, timestamp'2026-01-01 10:00:00' as at, \
             array(id) as ids, if(id < 2, 'a/b: 100% ü', if(id < 3, null, 'c')) as kind from range({count})"
        )
    };
    let lake = project.path().join(".soflow/lake");
    let curated = lake.join("curated");
    let look = || {
        let paths = project.path().join("paths");
        fs::write(&paths, project.command(&["tables", "paths", "days"]).output().unwrap().stdout).unwrap();
        let home = project.path().display().to_string();
        counted("days", curated.to_str().unwrap(), &paths, &[("HOME", home)])
    };
    for (count, seen) in [(5, 5), (7, 7), (6, 6)] {
        project.write("pyspark/steps/days.sql", &days(count));
        project.soflow(SUBMIT).succeeded();
        let Some(found) = look() else { return };
        all_count(&found, seen, 5);
        assert_eq!(found["schema"]["kind"], "string", "{found:#}");
    }
    project.soflow(["rollback", "days"]).succeeded();
    all_count(&look().unwrap(), 7, 5);
    project.soflow(["gc"]).succeeded();
    let found = look().unwrap();
    all_count(&found, 7, 5);
    println!("{found:#}");
}
