//! An engine that somebody else has made: in a container image, on a read-only file system, by an administrator.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::cases::project::{Table, add_job, empty};
use crate::daily::lab::{BETWEEN_LOOKS, Lab, ran};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the command of somebody who may not write where permissions forbid it, as a superuser may; `None` after
/// saying why there is none.
fn ordinary(lab: &Lab, arguments: &[&str]) -> Option<Command> {
    let command = lab.command(arguments);
    let user = Command::new("id").arg("-u").output().unwrap().stdout;
    if user.trim_ascii() != b"0" {
        return Some(command);
    }
    if Command::new("setpriv").arg("--version").output().is_err() {
        println!("skipped: an engine of another user: this is a superuser, and there is no `setpriv`");
        return None;
    }
    let mut without = Command::new("setpriv");
    without.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(command.get_program()).args(command.get_args());
    without.env_clear().current_dir(lab.root()).stdin(Stdio::null());
    without.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(without)
}

#[test]
fn an_engine_that_cannot_be_written_to_is_used() {
    let mut lab = empty();
    add_job(&lab, &Table { name: "ok", ddl: "id bigint, tag string", rows: r#"[[1,"a"]]"#, partition_by: "" });
    let made = lab.run(&["engine", "install"]).expect(0).stdout.trim().to_string();
    let made = Path::new(&made);
    // Whoever may use what Python has made there may use all of it.
    let allowed = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(allowed(made), allowed(&made.join("venv")));

    let engines = lab.home().join("engines");
    fs::create_dir_all(&engines).unwrap();
    lab.variables.insert("SOFLOW_ENGINE_DIR".into(), engines.display().to_string());
    mode(&engines, 0o555);
    let Some(command) = ordinary(&lab, &["submit", "ok", "--date", "2026-11-22"]) else { return };
    ran(command).expect(3).says("cannot be written to").says("SOFLOW_ENGINE_DIR=FOLDER");

    // Its owner is making it just now.
    mode(&engines, 0o755);
    let folder = engines.join(made.file_name().unwrap());
    let lock = PathBuf::from(format!("{}.lock", folder.display()));
    let making = fs::File::create(&lock).unwrap();
    making.file().lock().unwrap();
    mode(&lock, 0o444);
    mode(&engines, 0o555);
    let mut waiting = ordinary(&lab, &["engine", "install"]).unwrap().stderr(Stdio::piped()).spawn().unwrap();
    let opened = format!("/proc/{}/fd", waiting.id());
    // A system that does not show what a process has open shows no wait either.
    let has_lock = || match fs::read_dir(&opened) {
        Ok(mut open) => open.any(|fd| fd.is_ok_and(|fd| fs::read_link(fd.path()).is_ok_and(|to| to == lock))),
        Err(_) => true,
    };
    while waiting.try_wait().unwrap().is_none() && !has_lock() {
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
    mode(&engines, 0o755);
    symlink(made, &folder).unwrap();
    mode(&engines, 0o555);
    drop(making);
    let waited = waiting.wait_with_output().unwrap();
    assert!(waited.status.success(), "{}", String::from_utf8_lossy(&waited.stderr));
    mode(&engines, 0o755);
    fs::remove_file(&lock).unwrap();
    mode(&engines, 0o555);
    let again = |arguments: &[&str]| ran(ordinary(&lab, arguments).unwrap());
    again(&["submit", "ok", "--date", "2026-11-22"]).expect(0);
    again(&["engine", "install"]).expect(0);
    assert_eq!(fs::read_dir(&engines).unwrap().count(), 1, "something was written");
    mode(&engines, 0o755);
}
