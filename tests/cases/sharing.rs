//! A lake that several people of one machine use: its files have the permissions that the umask gives.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use crate::cases::project::{Table, add_job, empty};
use crate::daily::lab::{Lab, Ran, engine_dir, page, question, ran};

/// Returns the command run by another program, in the same place with the same environment.
fn through(lab: &Lab, program: &[&str], arguments: &[&str]) -> Command {
    let command = lab.command(arguments);
    let mut outer = Command::new(program[0]);
    outer.args(&program[1..]).arg(command.get_program()).args(command.get_args());
    outer.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.current_dir(command.get_current_dir().unwrap());
    outer
}

fn with_umask(lab: &Lab, umask: &str, arguments: &[&str]) -> Ran {
    ran(through(lab, &["sh", "-c", &format!("umask {umask} && exec \"$0\" \"$@\"")], arguments))
}

/// Adds all that is in a folder, and the folder.
fn all(folder: &Path, found: &mut Vec<PathBuf>) {
    found.push(folder.to_path_buf());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all(&path, found) } else { found.push(path) }
    }
}

#[test]
fn files_follow_the_umask_and_other_users_can_read_what_it_lets_them() {
    for (umask, taken) in [("022", 0o022), ("027", 0o027), ("077", 0o077)] {
        let lab = empty();
        let table =
            Table { name: "ok", ddl: "id bigint, tag string", rows: r#"[[1,"a"],[2,"b"]]"#, partition_by: "tag" };
        add_job(&lab, &table);
        lab.write("pages/questions/1.json", page(&[question(1, "2026-11-22T10:00:00Z", &["rust"], 1)]));
        with_umask(&lab, umask, &["ingest", "pages", "pages", "--date", "2026-11-22"]).expect(0);
        with_umask(&lab, umask, &["submit", "ok", "--date", "2026-11-22"]).expect(0);
        let mut found = Vec::new();
        all(&lab.lake(), &mut found);
        let has = |part: &str| found.iter().any(|path| path.display().to_string().contains(part));
        let kinds =
            [".json.gz", "_manifest", ".parquet", "catalog.json", "versions/ok", "run.json", "tasks/", ".log", "/lock"];
        assert!(kinds.iter().all(|kind| has(kind)), "{found:?}");
        for path in found {
            let about = fs::metadata(&path).unwrap();
            let most = if about.is_dir() { 0o777 } else { 0o666 };
            assert_eq!(about.permissions().mode() & 0o777, most & !taken, "umask {umask}: {}", path.display());
        }
        if umask == "022" {
            others_can_read(&lab);
        }
    }
}

fn others_can_read(lab: &Lab) {
    let me = fs::metadata(lab.root()).unwrap().uid();
    if me != 0 {
        println!("skipped: reading a lake as another user: only root can become one");
        return;
    }
    // The folder of a test is its user's alone.
    fs::set_permissions(lab.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let can = |test: &str, path: &Path| {
        let mut command = Command::new(nobody[0]);
        command.args(&nobody[1..]).args(["test", test]).arg(path).status().is_ok_and(|status| status.success())
    };
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_soflow"));
    if !can("-x", &binary) {
        println!(
            "skipped: reading a lake as another user: there is no `setpriv`, or {} is not theirs",
            binary.display()
        );
        return;
    }
    let read = |arguments: &[&str]| ran(through(lab, &nobody, arguments));
    let run = "ok.2026-11-22.1";
    read(&["tables"]).expect(0).says(run);
    read(&["tables", "show", "ok"]).expect(0).says("tag");
    read(&["runs"]).expect(0).says("succeeded");
    read(&["runs", "show", run]).expect(0).says("completed");
    read(&["logs", run, "ok"]).expect(0);
    if can("-r", &engine_dir()) {
        read(&["query", "select count(*) as n from ok"]).expect(0).says("2");
    } else {
        println!("skipped: a query as another user: the engine in {} is not theirs", engine_dir().display());
    }
    // What they may not write they are told.
    read(&["rollback", "ok"]).expect(3).says("Permission denied");
}
