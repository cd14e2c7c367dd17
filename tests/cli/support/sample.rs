//! The lake after `submit daily --sample`, which takes long enough to be made once for all tests, and kept for as long
//! as neither the program nor the job has changed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use fs_err as fs;
use serde_json::Value;

use super::project::{Project, SOFLOW, copy};

/// Makes the engine environment when there is none; it is the same for all tests.
pub fn engine_is_there() {
    static THERE: OnceLock<()> = OnceLock::new();
    THERE.get_or_init(|| Project::empty().soflow(["engine", "install"]).succeeded());
}

/// Puts a copy of the lake into the project at `to`.
pub fn copy_lake_to(to: &Path) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = fs::File::create(folder.join("cli-sample.lock")).unwrap();
    lock.file().lock().unwrap();
    let made = folder.join("cli-sample");
    if fs::read_to_string(made.join("made-from")).ok() != Some(made_from()) {
        make(&made);
    }
    copy(&made.join("lake"), &to.join(".soflow/lake"));
    for file in json_files(&to.join(".soflow/lake/artifacts")) {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("/[project]", &to.display().to_string())).unwrap();
    }
}

fn make(made: &Path) {
    let _ = fs::remove_dir_all(made);
    let project = Project::daily();
    engine_is_there();
    project.soflow(["submit", "daily", "--sample", "--parallel", "2"]).succeeded();
    let lake = project.path().join(".soflow/lake");
    for file in json_files(&lake.join("artifacts")).into_iter().chain(json_files(&lake.join("curated"))) {
        settle_file(&file);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&project.path().display().to_string(), "/[project]")).unwrap();
    }
    copy(&lake, &made.join("lake"));
    fs::write(made.join("made-from"), made_from()).unwrap();
}

/// Sets all times in the records of a project's runs to moments that stay the same however fast the machine is.
pub fn settle_runs(project: &Path) {
    json_files(&project.join(".soflow/lake/artifacts/runs")).iter().for_each(|file| settle_file(file));
}

fn settle_file(file: &Path) {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    settle(&mut value);
    fs::write(file, serde_json::to_string_pretty(&value).unwrap()).unwrap();
}

/// Sets all times to moments that stay the same however late a test looks at them.
fn settle(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "at" | "published_at" | "ended_at" if field.is_string() => *field = "2025-11-01T06:00:12Z".into(),
                    "started_at" if field.is_string() => *field = "2025-11-01T06:00:00Z".into(),
                    "seconds" if field.is_number() => *field = 1.5.into(),
                    _ => settle(field),
                }
            }
        }
        _ => {}
    }
}

/// Says what the lake depends on: the program and what the repository's projects consist of, by time of change.
fn made_from() -> String {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut newest = changed(Path::new(SOFLOW));
    for name in ["jobs", "pyspark", "config"] {
        newest = newest.max(files(&repository.join(name)).iter().map(|file| changed(file)).max().unwrap());
    }
    format!("{newest:?}")
}

fn changed(file: &Path) -> SystemTime {
    fs::metadata(file).unwrap().modified().unwrap()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    // A line of a Delta log is a document of its own.
    let is_document = |file: &PathBuf| {
        let in_log = file.components().any(|part| part.as_os_str() == "_delta_log");
        !in_log && file.extension().is_some_and(|extension| extension == "json")
    };
    files(folder).into_iter().filter(is_document).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "__pycache__") {
                found.extend(files(&path));
            }
        } else {
            found.push(path);
        }
    }
    found
}
