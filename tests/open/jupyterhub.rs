//! What clusters with JupyterHub are made with: notebooks that stay, and a password that only their owners know.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use fs_err as fs;
use serde_json::Value;

use super::lab::with_cluster;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/targets/emr/jupyterhub.sh");

/// Programs of a node, which note how they are called and what they are given. Secrets Manager is the file `secret`; the
/// container is there when it is asked for the third time.
const NODE: [(&str, &str); 5] = [
    (
        "aws",
        r#"case "$2" in
  get-secret-value) [ -e denied ] && exit 254; cat secret 2>/dev/null || exit 254 ;;
  create-secret) [ -e denied ] && exit 254; [ -e secret ] || cat - >secret; cat secret >/dev/null ;;
esac"#,
    ),
    ("sudo", r#"echo >>tries; [ "$(wc -l <tries)" -gt 2 ] && cat >set || { cat >/dev/null; exit 1; }"#),
    ("sleep", "exit 0"),
    ("grep", r#"[ -e primary ]"#),
    ("setsid", r#"echo "$@" >started"#),
];

/// A folder that is a node.
fn node() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, does) in NODE {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/bash\necho {name} \"$@\" >>calls\n{does}\n")).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let path = format!("{}:{}", folder.display(), std::env::var_os("PATH").unwrap().display());
    Command::new("bash").arg(SCRIPT).args(args).current_dir(folder).env("PATH", path).output().unwrap()
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[test]
fn a_cluster_with_jupyterhub_is_made_with_both_and_one_without_has_neither() {
    let (lab, _) = with_cluster("");
    let asked = lab.twin.calls_of("emr", "RunJobFlow").pop().unwrap().body.unwrap();
    let found = |list: &Value, key: &str, name: &str| {
        list.as_array().into_iter().flatten().find(|one| one[key] == name).cloned().unwrap_or_default()
    };
    let persistence = found(&asked["Configurations"], "Classification", "jupyter-s3-conf");
    assert_eq!(persistence["Properties"]["s3.persistence.enabled"], "true");
    assert_eq!(persistence["Properties"]["s3.persistence.bucket"], *lab.bucket);
    let action =
        found(&asked["BootstrapActions"], "Name", "soflow: JupyterHub's password")["ScriptBootstrapAction"].clone();
    let script = lab.twin.get(action["Path"].as_str().unwrap()).unwrap();
    assert_eq!(script, fs::read(SCRIPT).unwrap());
    let secret = action["Args"][0].as_str().unwrap();
    assert!(secret.starts_with("soflow/") && secret.ends_with("/jupyterhub"), "{action}");
    // Hive's, Trino's and Spark's editors see the tables in Glue.
    for (classification, key) in [
        ("hive-site", "hive.metastore.client.factory.class"),
        ("trino-connector-hive", "hive.metastore"),
        ("spark-hive-site", "hive.metastore.client.factory.class"),
    ] {
        let known = found(&asked["Configurations"], "Classification", classification);
        assert!(
            known["Properties"][key].as_str().is_some_and(|value| value.to_lowercase().contains("glue")),
            "{known}"
        );
    }
    let (lab, _) = with_cluster("clusters:\n  standard:\n    applications: [Spark, Hue]\n    cloudwatch-logs: false\n");
    let asked = lab.twin.calls_of("emr", "RunJobFlow").pop().unwrap().body.unwrap();
    assert!(asked["BootstrapActions"].is_null() && !asked.to_string().contains("jupyter"), "{asked}");
}

#[test]
fn the_first_cluster_makes_the_password_and_the_next_one_takes_it() {
    let first = node();
    run(first.path(), &["rotate", "soflow/1/jupyterhub", "eu-west-1"]);
    let secret = text(first.path(), "secret");
    assert_eq!(secret.len(), 32, "{secret:?}");
    assert_eq!(text(first.path(), "set").trim(), format!("jovyan:{}", secret.trim()));
    assert!(text(first.path(), "calls").contains("sudo docker exec -i jupyterhub chpasswd"));
    assert!(!text(first.path(), "calls").contains(secret.trim()), "it is on a command line");
    let next = node();
    fs::write(next.path().join("secret"), "theirs\n").unwrap();
    run(next.path(), &["rotate", "soflow/1/jupyterhub", "eu-west-1"]);
    assert_eq!(text(next.path(), "set").trim(), "jovyan:theirs");
    assert!(!text(next.path(), "calls").contains("create-secret"));
}

#[test]
fn a_node_that_may_not_use_the_secret_sets_a_password_that_nobody_knows() {
    let folder = node();
    fs::write(folder.path().join("denied"), "").unwrap();
    run(folder.path(), &["rotate", "soflow/1/jupyterhub", "eu-west-1"]);
    let set = text(folder.path(), "set");
    let password = set.trim().strip_prefix("jovyan:").unwrap();
    assert!(password.len() == 32 && password != "jupyter", "{set}");
}

#[test]
fn only_the_primary_node_does_it() {
    let args = ["soflow/1/jupyterhub", "eu-west-1"];
    let primary = node();
    fs::write(primary.path().join("primary"), "").unwrap();
    let started = primary.path().join("started");
    assert!(Command::new("mkfifo").arg(&started).status().unwrap().success());
    // It ends although what it started has not.
    assert!(run(primary.path(), &args).status.success());
    assert_eq!(
        fs::read_to_string(&started).unwrap().trim(),
        format!("bash {SCRIPT} rotate soflow/1/jupyterhub eu-west-1")
    );
    let core = node();
    assert!(run(core.path(), &args).status.success());
    assert!(!text(core.path(), "calls").contains("setsid"));
}
