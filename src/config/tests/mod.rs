mod emr;
mod ingest;
mod mistakes;
mod values;

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::describe::{LAKE, MERGED, keys, title};
use super::*;
use crate::error::{Kind, Result};

fn layers(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str, &str)]) -> Layers {
    Layers {
        root: "/project".into(),
        file: (!file.is_empty()).then(|| ("config/soflow.yaml".into(), file.into())),
        environment: environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        flags: flags.iter().map(|(key, value, flag)| (key.to_string(), value.to_string(), flag.to_string())).collect(),
    }
}

/// Resolves in a project that has the file `scripts/prepare.sh` and no other.
fn resolve(layers: Layers) -> Result<Resolved> {
    Ok(read(layers, &|path| path == Path::new("/project/scripts/prepare.sh"))?)
}

fn refused(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str, &str)]) -> String {
    let error = resolve(layers(file, environment, flags)).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    error.detail.unwrap()
}

fn local(target: &Target) -> &Local {
    match &target.kind {
        TargetKind::Local(local) => local,
        TargetKind::Emr(_) => panic!("not a local target"),
    }
}

#[test]
fn without_a_file_everything_has_a_default() {
    let resolved = resolve(layers("", &[], &[])).unwrap();
    let settings = &resolved.settings;
    assert_eq!((settings.target.as_str(), settings.keep_seconds), ("local", 604_800));
    assert_eq!(
        (settings.jobs.as_path(), settings.code.as_path()),
        (Path::new("/project/jobs"), Path::new("/project/pyspark"))
    );
    let target = &settings.targets["local"];
    assert_eq!(target.lake.curated.as_str(), "file:///project/.soflow/lake/curated");
    let local = local(target);
    assert_eq!((local.engine, local.parallel, local.python.as_ref()), (Engine::Sail, None, None));
    assert_eq!(local.engine_dir, Path::new("/project/.soflow/engine"));
    assert!(resolved.warnings.is_empty());
    assert!(resolved.origins.iter().all(|origin| origin.origin == "default"));
    assert_eq!(settings.targets.len(), 1, "one without a lake is none");
}

#[test]
fn each_layer_is_stronger_than_the_one_before() {
    let file =
        "targets:\n  local:\n    engine: spark\n    parallel: 2\n    python: python3.12\n    engine-dir: /engines\n";
    let environment = [("SOFLOW_PARALLEL", "3"), ("SOFLOW_PYTHON", "bin/python"), ("SOFLOW_ENGINE", "")];
    let flags = [("python", "/usr/bin/python3", "--python")];
    let resolved = resolve(layers(file, &environment, &flags)).unwrap();
    let local = local(&resolved.settings.targets["local"]);
    assert_eq!((local.engine, local.parallel), (Engine::Spark, Some(3)));
    assert_eq!(local.python.as_deref(), Some(Path::new("/usr/bin/python3")));
    let origin = |key: &str| {
        let origin = resolved.origins.iter().find(|origin| origin.key == key).unwrap();
        (origin.value.clone(), origin.origin.clone())
    };
    let pair = |value: &str, origin: &str| (value.to_string(), origin.to_string());
    assert_eq!(origin("targets.local.engine"), pair("spark", "config/soflow.yaml:3"));
    assert_eq!(origin("targets.local.parallel"), pair("3", "env SOFLOW_PARALLEL"));
    assert_eq!(origin("targets.local.python"), pair("/usr/bin/python3", "--python"));
    assert_eq!(origin("targets.local.engine-dir"), pair("/engines", "config/soflow.yaml:6"));
    assert_eq!(origin("keep-for"), pair("7d", "default"));
}

#[test]
fn a_target_of_ones_own_has_the_defaults_of_its_kind() {
    let file = "default-target: big\ntargets:\n  big: { kind: local, engine: spark, lake: file:/data/lake/ }\n";
    let settings = resolve(layers(file, &[("SOFLOW_PARALLEL", "8")], &[])).unwrap().settings;
    let (big, small) = (&settings.targets["big"], &settings.targets["local"]);
    assert_eq!((big.lake.raw.as_str(), big.lake.logs.as_str()), ("file:///data/lake/raw", "file:///data/lake/logs"));
    assert_eq!(small.lake.raw.as_str(), "file:///project/.soflow/lake/raw");
    // Variables are for the target in use and leave the others alone.
    assert_eq!((local(big).parallel, local(small).parallel), (Some(8), None));
    assert_eq!(local(big).engine_dir, local(small).engine_dir);
}

#[test]
fn the_flag_decides_which_target_the_variables_are_for() {
    let file = "targets: { a: { kind: local }, b: { kind: local } }\n";
    let environment = [("SOFLOW_TARGET", "a"), ("SOFLOW_LAKE", "s3://bucket/prefix")];
    let settings = resolve(layers(file, &environment, &[("default-target", "b", "--target")])).unwrap().settings;
    assert_eq!(settings.target, "b");
    assert_eq!(settings.targets["b"].lake.artifacts.as_str(), "s3://bucket/prefix/artifacts");
    assert_eq!(settings.targets["a"].lake.artifacts.as_str(), "file:///project/.soflow/lake/artifacts");
}

#[test]
fn everything_wrong_with_a_file_is_shown_at_once() {
    let file = "\
defualt-target: local
keep-for: 7
targets:
  local:
    engine: spar
    parallel: 0
    lake: { raw: here, curated: file:x, logs: file:x/y }
  Mine: { kind: local }
  cloud: { kind: emt }
  other:
";
    let expected = "\
error: unknown key `defualt-target`
 --> config/soflow.yaml:1:1
  |
1 | defualt-target: local
  | ^^^^^^^^^^^^^^
  = hint: did you mean `default-target`?

error: `keep-for` must be a duration such as `7d`, `12h`, `30m`, `90s` or `1d12h`, found the number 7
 --> config/soflow.yaml:2:11
  |
2 | keep-for: 7
  |           ^

error: `engine` must be `sail` or `spark`, found `spar`
 --> config/soflow.yaml:5:13
  |
5 |     engine: spar
  |             ^^^^
  = hint: did you mean `spark`?

error: `parallel` must be a whole number from 1 to 256 or `auto`, found the number 0
 --> config/soflow.yaml:6:15
  |
6 |     parallel: 0
  |               ^

error: `here` is not a location: it must start with `file:` or `s3://`
 --> config/soflow.yaml:7:18
  |
7 |     lake: { raw: here, curated: file:x, logs: file:x/y }
  |                  ^^^^
  = hint: such as `file:lake` or `s3://bucket/prefix`

error: two locations of a lake are the same, or one is within the other
 --> config/soflow.yaml:7:47
  |
7 |     lake: { raw: here, curated: file:x, logs: file:x/y }
  |                                               ^^^^^^^^
 ::: config/soflow.yaml:7:33
  |
7 |     lake: { raw: here, curated: file:x, logs: file:x/y }
  |                                 ^^^^^^ the other one

error: `Mine` cannot name a target: a name starts with a lowercase letter and has only lowercase letters, digits, `_`, `-`
 --> config/soflow.yaml:8:3
  |
8 |   Mine: { kind: local }
  |   ^^^^

error: `kind` must be `local` or `emr`, found `emt`
 --> config/soflow.yaml:9:18
  |
9 |   cloud: { kind: emt }
  |                  ^^^
  = hint: did you mean `emr`?

error: target `other` has no `kind`
  --> config/soflow.yaml:10:3
   |
10 |   other:
   |   ^^^^^
   = hint: add one: `kind: local` or `kind: emr`";
    assert_eq!(refused(file, &[], &[]), expected);
}

#[test]
fn no_location_may_be_within_another_whichever_comes_first() {
    for lake in ["raw: file:x, curated: file:x/y", "raw: file:x/y, curated: file:x", "raw: file:x, curated: file:x/"] {
        let found = refused(&format!("targets: {{ local: {{ lake: {{ {lake} }} }} }}\n"), &[], &[]);
        assert_eq!(found.matches("error: two locations").count(), 1, "{found}");
    }
    assert!(resolve(layers("targets: { local: { lake: { raw: file:x, curated: file:xy } } }\n", &[], &[])).is_ok());
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let expected = "\
error: there is no target `loacl`
 --> --target
  |
  | --target loacl
  |          ^^^^^
  = hint: did you mean `local`?";
    let flags = [("default-target", "loacl", "--target")];
    assert_eq!(refused("", &[("SOFLOW_ENGINE", "spar")], &flags), expected);
    let expected = "\
error: `engine` must be `sail` or `spark`, found `spar`
 --> env SOFLOW_ENGINE
  |
  | SOFLOW_ENGINE=spar
  |               ^^^^
  = hint: did you mean `spark`?";
    assert_eq!(refused("", &[("SOFLOW_ENGINE", "spar")], &[]), expected);
    assert!(refused("", &[], &[("colour", "red", "--colour")]).contains("there is no setting `colour`"));
}

#[test]
fn a_variable_that_sets_nothing_is_a_warning() {
    let ours = ["SOFLOW_TRAGET", "SOFLOW_COLOUR", "SOFLOW_REAL_DATA", "SOFLOW_OWNER", "PATH"];
    let environment = ours.map(|name| (name, "x"));
    let warnings = resolve(layers("", &environment, &[])).unwrap().warnings;
    let expected = [
        "the variable `SOFLOW_COLOUR` sets nothing",
        "the variable `SOFLOW_TRAGET` sets nothing: did you mean `SOFLOW_TARGET`?",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn a_file_that_says_nothing_changes_nothing() {
    for file in ["# later\n", "targets:\n", "targets: { local: { python: } }\n", "keep-for:\n"] {
        let resolved = resolve(layers(file, &[], &[])).unwrap();
        assert!(resolved.origins.iter().all(|origin| origin.origin == "default"), "{file}");
    }
    for file in ["just text\n", "- a list\n", "targets: local\n", "targets: { local: fast }\n", "a: [\n"] {
        assert_eq!(refused(file, &[], &[]).matches("error: ").count(), 1, "{file}");
    }
}

#[test]
fn the_root_is_the_nearest_folder_with_jobs_or_settings() {
    let exists = |path: &Path| path == Path::new("/a/jobs") || path == Path::new("/a/b/c/config/soflow.yaml");
    let root = |from: &str| find_root(Path::new(from), &exists);
    assert_eq!(root("/a/b/c/d/e"), Some(PathBuf::from("/a/b/c")));
    assert_eq!(root("/a/b"), Some(PathBuf::from("/a")));
    assert_eq!(root("/x"), None);
}

#[test]
fn the_reference_is_the_shipped_file() {
    let page = fs::read_to_string(reference_path()).unwrap_or_default();
    assert_eq!(page, reference(), "run `just docs`");
}

fn reference_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md")
}

#[test]
fn every_default_is_explained_in_the_reference() {
    let page = reference();
    for section in page.split("\n## ").skip(1) {
        let mut lines = section.lines().filter(|line| !line.is_empty());
        let (title, text) = (lines.next().unwrap(), lines.next().unwrap_or_default());
        assert!(!text.is_empty() && !text.starts_with("Default:"), "{title} has no comment");
    }
    let mut all: Vec<String> = MERGED["properties"].as_object().unwrap().keys().map(|key| key.to_string()).collect();
    let mut add = |parent: &str, names: Vec<&str>| all.extend(names.iter().map(|key| format!("{parent}.{key}")));
    add("targets.local", keys("LocalTarget"));
    // The lake of an EMR target has no defaults to explain.
    add("targets.emr", keys("EmrTarget").into_iter().filter(|key| *key != "lake").collect());
    add("targets.local.lake", LAKE.to_vec());
    add("clusters.standard", keys("Shape"));
    for (part, own) in PARTS {
        add(&format!("clusters.standard.{part}"), keys(own));
    }
    add("ingest", keys("Ingest"));
    add("ingest.filters", ENDPOINTS.to_vec());
    for key in all {
        assert!(page.contains(&format!("## {}\n", title(&key))), "{key:?}");
    }
}

/// The parts of a shape, each with its type in the schema.
const PARTS: [(&str, &str); 5] =
    [("primary", "Fleet"), ("core", "Fleet"), ("task", "Fleet"), ("scaling", "Scaling"), ("disk", "Disk")];

/// The keys of a bootstrap action.
const BOOTSTRAP: [&str; 3] = ["name", "script", "args"];
