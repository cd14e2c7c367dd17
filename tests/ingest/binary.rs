//! The program itself: its exit codes, what it says, and that the key stands nowhere.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;

use crate::stackexchange::{Double, Fault, FaultKind, Match, Options, World};

const KEY: &str = "U4DMV*8nvpm3EOpvf69Rxw((";

/// A project whose settings name the double.
struct Project {
    home: tempfile::TempDir,
    double: Arc<Double>,
}

impl Project {
    fn new(options: Options, world: World) -> Self {
        let home = tempfile::tempdir().unwrap();
        let double = Arc::new(Double::with(options, world));
        fs_err::create_dir_all(home.path().join("config")).unwrap();
        let settings = format!("ingest:\n  api: {}\n", double.url());
        fs_err::write(home.path().join("config/soflow.yaml"), settings).unwrap();
        Self { home, double }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soflow"));
        command.current_dir(self.home.path()).env_clear().env("PATH", "/usr/bin:/bin").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// All that a file says, decompressed if it is.
fn content(path: &Path) -> Vec<u8> {
    let bytes = fs_err::read(path).unwrap();
    let mut plain = Vec::new();
    match GzDecoder::new(bytes.as_slice()).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => bytes,
    }
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// Waits until the program says so; returns what it said by then.
fn until(child: &mut Child, word: &str) -> String {
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    while !said.contains(word) && lines.read_line(&mut said).unwrap() > 0 {}
    said
}

#[test]
fn the_key_is_in_no_file_no_word_and_no_command_line() {
    let options = Options { key: Some(KEY.into()), ..Options::default() };
    let project = Project::new(options, World::made(7, 250));
    // Errors of all sorts on the way: what they leave is looked at too.
    project.double.fault(Fault::new(Match::Number(2), FaultKind::Error(500)).times(1));
    project.double.fault(Fault::new(Match::Number(5), FaultKind::DropAfter).times(1));
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = lines.clone();
    project.double.before(move |_, _| {
        for process in fs_err::read_dir("/proc").unwrap().flatten() {
            if let Ok(line) = fs_err::read(process.path().join("cmdline")) {
                seen.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            }
        }
    });
    let mut said = String::new();
    for arguments in [
        &["ingest", "api", "--since", "2008-01-01", "--events", "ndjson"][..],
        &["ingest", "status", "--output", "json"],
        &["config", "show", "--origin"],
    ] {
        let output = project.command(arguments).env("SOFLOW_API_KEY", KEY).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        said += &text(&output);
    }
    assert!(
        project
            .double
            .requests()
            .iter()
            .any(|asked| asked.header("authorization").is_some_and(|sent| sent.contains(KEY)))
    );
    assert!(!said.contains(KEY), "{said}");
    let lines = lines.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains("ingest")), "the program was not among the processes");
    assert!(!lines.iter().any(|line| line.contains(KEY)));
    let mut found = Vec::new();
    files(project.home.path(), &mut found);
    assert!(found.iter().any(|path| path.display().to_string().contains("errors/")), "no error was kept");
    for path in found {
        let content = content(&path);
        assert!(!content.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", path.display());
    }
}

#[test]
fn exit_codes_say_what_happened() {
    let project = Project::new(Options { anonymous_quota: 2, ..Options::default() }, World::made(7, 350));
    let quota = project.run(&["ingest", "api", "questions", "--since", "2008-01-01"]);
    assert_eq!(quota.status.code(), Some(75), "{}", text(&quota));
    assert!(text(&quota).contains("the same command goes on from there"), "{}", text(&quota));
    let asked = project.double.requests().len();
    assert_eq!(project.run(&["ingest", "api", "questions", "--since", "2008-01-01"]).status.code(), Some(75));
    assert_eq!(project.double.requests().len(), asked, "asked although no requests are left");
    for (arguments, word) in [
        (&["ingest", "api", "qestions"][..], "is not an endpoint"),
        (&["ingest", "api", "--since", "2026-02-01", "--until", "2026-01-01"], "nothing lies between"),
        (&["ingest", "api", "--date", "2999-01-01"], "is still to come"),
        (&["ingest", "api", "--since", "yesterday"], "2026-01-31"),
        (&["ingest", "api", "--follow-watermark", "--date", "2026-01-01"], "cannot be used with"),
    ] {
        let output = project.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(word), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn an_interrupted_reading_gives_its_right_back_and_goes_on() {
    let project = Project::new(Options::default(), World::made(7, 350));
    // A wait of a minute is as good a moment as any.
    project.double.fault(Fault::new(Match::Number(3), FaultKind::Edge(429)).times(1));
    let mut child = project.command(&["ingest", "api", "questions", "--since", "2008-01-01"]).spawn().unwrap();
    let said = until(&mut child, "waiting");
    assert!(said.contains("waiting"), "{said}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let status = project.run(&["ingest", "status"]);
    assert!(text(&status).contains("unfinished: questions, 2 pages"), "{}", text(&status));
    assert!(!text(&status).contains("being read by"), "{}", text(&status));
    let output = project.run(&["ingest", "api", "questions", "--since", "2008-01-01"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(project.double.requests().len(), 5, "three of four pages, the one that was kept out, and the rest");
}

#[test]
fn a_reading_that_was_killed_is_gone_on_with_at_once() {
    let project = Project::new(Options::default(), World::made(7, 350));
    project.double.fault(Fault::new(Match::Number(3), FaultKind::Slow(Duration::from_secs(3_600))).times(1));
    let mut child = project
        .command(&["ingest", "api", "questions", "--since", "2008-01-01", "--events", "ndjson"])
        .spawn()
        .unwrap();
    let said = until(&mut child, "\"pages\":2");
    assert!(said.contains("\"pages\":2"), "{said}");
    let held = project.run(&["ingest", "api", "answers", "--since", "2008-01-01"]);
    assert_eq!(held.status.code(), Some(5), "{}", text(&held));
    assert!(text(&held).contains("the lake is being written by ingest api"), "{}", text(&held));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = project.run(&["ingest", "api", "questions", "--since", "2008-01-01"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("Going on with questions"), "{}", text(&output));
}
