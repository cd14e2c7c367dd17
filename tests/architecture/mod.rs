//! Who may import whom, as a test: the table of docs/architecture.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Each module of `src/` and the modules it may use besides itself.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let base = ["encoding", "error", "event", "mask", "names"];
    let with = |more: &[&'static str]| base.iter().chain(more).copied().collect::<Vec<_>>();
    BTreeMap::from([
        ("encoding", vec!["error"]),
        ("names", vec!["error"]),
        ("error", vec![]),
        ("event", vec!["names"]),
        ("mask", vec![]),
        ("net", vec!["error"]),
        ("yaml", vec!["encoding", "error"]),
        ("config", with(&["yaml"])),
        ("cost", with(&["config"])),
        ("job", with(&["yaml"])),
        ("plan", with(&["config", "job"])),
        ("aws", with(&["diagnose", "net"])),
        ("store", with(&["aws", "net"])),
        ("machine", with(&[])),
        ("package", with(&["machine"])),
        ("diagnose", with(&[])),
        ("catalog", with(&["plan", "store", "aws"])),
        ("spark_connect", vec![]),
        ("tunnel", vec!["aws", "error", "net"]),
        (
            "targets",
            with(&["plan", "config", "cost", "store", "aws", "machine", "package", "diagnose", "spark_connect"]),
        ),
        ("audit", with(&["plan", "job", "store"])),
        ("ingest", with(&["store", "net"])),
        ("parity", with(&["audit", "store"])),
        ("query", with(&["aws", "config", "plan", "spark_connect"])),
        (
            "run",
            with(&[
                "config", "job", "plan", "cost", "store", "aws", "catalog", "package", "targets", "audit", "ingest",
            ]),
        ),
        ("doctor", with(&["config", "aws", "cost"])),
        ("deploy", with(&["config", "yaml", "aws", "store"])),
        ("report", with(&[])),
        ("page", with(&["audit", "catalog", "job", "report", "run"])),
        (
            "cli",
            with(&[
                "yaml",
                "aws",
                "config",
                "job",
                "plan",
                "cost",
                "store",
                "machine",
                "package",
                "diagnose",
                "catalog",
                "targets",
                "audit",
                "ingest",
                "parity",
                "query",
                "run",
                "page",
                "report",
                "doctor",
                "deploy",
                "spark_connect",
                "tunnel",
            ]),
        ),
    ])
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn module_of(src: &Path, file: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().iter().next().unwrap().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_string()
}

/// Returns the crate's modules that a line names, also in `use crate::{a, b::c}` and in full paths.
fn named(line: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let list = rest.strip_prefix('{').and_then(|inner| inner.split('}').next());
        let items: Vec<&str> = list.map_or_else(|| vec![rest], |list| list.split(',').collect());
        for item in items {
            let name: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            modules.push(name);
        }
    }
    modules
}

#[test]
fn modules_import_only_what_the_design_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed = allowed();
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 40, "only {} files found below src/", files.len());
    let mut wrong = Vec::new();
    for file in &files {
        let module = module_of(&src, file);
        if module == "lib" || module == "main" {
            continue;
        }
        let may = allowed.get(module.as_str()).unwrap_or_else(|| panic!("`{module}` is not in the table"));
        for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
            for used in named(line) {
                if used != module && !may.contains(&used.as_str()) && allowed.contains_key(used.as_str()) {
                    wrong.push(format!("{}:{}: `{module}` may not use `{used}`", file.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn plan_and_cost_are_pure() {
    let mut files = Vec::new();
    for folder in ["src/plan", "src/cost"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for impure in
            ["std::fs", "fs_err", "std::env", "std::net", "Timestamp::now", "SystemTime", "Instant", "tokio", "async "]
        {
            assert!(!text.contains(impure), "{}: `{impure}` in the pure part", file.display());
        }
    }
}

#[test]
fn the_reader_of_imports_sees_nested_lists() {
    assert_eq!(named("use crate::{store, plan::Facts};"), ["store", "plan"]);
    assert_eq!(named("let x = crate::run::drive();"), ["run"]);
    assert_eq!(named("// no import"), Vec::<String>::new());
}

#[test]
fn the_crates_of_aws_are_named_in_few_places() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    // The doctor asks S3 what nobody else asks.
    let may = [
        "aws/",
        "deploy/executions.rs",
        "doctor/buckets.rs",
        "doctor/settings.rs",
        "store/s3",
        "store/upload.rs",
        "targets/emr/",
    ];
    for file in files {
        let name = file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let named = fs::read_to_string(&file).unwrap().contains("aws_sdk_");
        assert!(!named || may.iter().any(|start| name.starts_with(start)), "{name} names an SDK crate of AWS");
    }
}
