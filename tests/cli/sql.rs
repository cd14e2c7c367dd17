//! `soflow sql`: statements that are typed, piped in, or in a file.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use arrow::array::RecordBatch;
use fs_err as fs;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cli::support::{Output, Project, Terminal};

const SLOW: &str = "select count(*) from questions a, comments b, comments c where a.score + b.score > c.score;";

fn piped(project: &Project, text: &str, more: &[&str]) -> Output {
    let mut command = project.command(&[&["sql"], more].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    project.seen(&child.wait_with_output().unwrap())
}

#[test]
fn statements_from_a_pipe_are_run_until_one_fails() {
    let project = Project::published();
    let text =
        "select count(*) n from questions;\n\\csv\nselect 'a;b' as x, -- one; two\n 2 as y; select nope;\nselect 3";
    shot!(piped(&project, text, &[]));
}

#[test]
fn ctrl_c_ends_a_shell_that_waits_for_a_silent_pipe() {
    let project = Project::published();
    let mut command = project.command(&["sql"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut statements = child.stdin.take().unwrap();
    statements.write_all(b"select 1;\n").unwrap();
    // Once it has answered, it waits for more.
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).unwrap();
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130), "its pipe is still open");
}

#[test]
fn the_last_statement_of_a_pipe_needs_no_semicolon() {
    let project = Project::published();
    let said = piped(&project, "select 1 as one", &["--output", "json"]);
    assert_eq!(said.json()["rows"], serde_json::json!([{ "one": 1 }]));
}

#[test]
fn statements_of_a_file_and_of_an_option() {
    let project = Project::published();
    project.write("report.sql", "describe tag_pairs_monthly;\n\\d tag_pairs_monthly\n");
    let of_file = project.soflow(["sql", "-f", "report.sql"]);
    let of_option = project.soflow(["sql", "-c", "values (1), (2); explain select 1", "--csv"]);
    shot!(format!("{of_file}\n{of_option}"));
}

#[test]
fn all_tables_are_there_when_they_are_listed() {
    let said = Project::published().soflow(["sql", "-c", "show tables", "--output", "json"]);
    let mut names: Vec<_> =
        said.json()["rows"].as_array().unwrap().iter().map(|row| row["tableName"].clone()).collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!((names.len(), &names[0], &names[13]), (14, &"answers".into(), &"text_sentiment".into()));
}

#[test]
fn rows_are_written_to_files_whole_or_not_at_all() {
    let project = Project::published();
    let query = "select site, question_id, tags, created_at from questions order by question_id";
    for file in ["rows.parquet", "rows.csv", "rows.json"] {
        project.soflow(["query", query, "--limit", "0", "--to", file]).succeeded();
    }
    let file = fs::File::open(project.path().join("rows.parquet")).unwrap().into_file();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let rows: usize = batches.map(|batch| batch.as_ref().map(RecordBatch::num_rows).unwrap()).sum();
    let json: Vec<serde_json::Value> = serde_json::from_str(&project.read("rows.json")).unwrap();
    let lines = project.read("rows.csv").lines().count() - 1;
    assert!(rows == json.len() && rows == lines && rows > 2000, "{rows} {} {lines}", json.len());

    let mode = |file: &str| fs::metadata(project.path().join(file)).unwrap().permissions().mode();
    project.write("beside", "");
    assert_eq!(mode("rows.csv"), mode("beside"), "what the umask says");

    let before = project.read("rows.csv");
    let failed = project.soflow(["query", "select tagg from questions", "--to", "rows.csv"]);
    let odd = project.soflow(["query", "select 1", "--to", "rows.xlsx"]);
    assert_eq!(project.read("rows.csv"), before);
    let left: Vec<_> = fs::read_dir(project.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tmp")), "{left:?}");
    shot!(format!("{failed}\n{odd}"));
}

#[test]
fn a_person_completes_recalls_interrupts_and_leaves() {
    let project = Project::published();
    let mut terminal = Terminal::start(&project, ["sql"]);
    let at_prompt = |screen: &str| screen.trim_end().ends_with("local>");
    terminal.wait_for(at_prompt);
    terminal.type_keys("select count(*) as n\rfrom answ\t;\r");
    terminal.wait_for(|screen| screen.contains("(1 row)") && at_prompt(screen));
    terminal.type_keys("select sum(1) both;\r");
    terminal.wait_for(|screen| screen.contains("hint: `both`") && at_prompt(screen));
    terminal.type_keys(&format!("{SLOW}\r"));
    terminal.wait_for(|screen| screen.contains("It is still running"));
    terminal.type_keys("\u{3}");
    terminal.wait_for(|screen| screen.contains("the query was stopped") && at_prompt(screen));
    terminal.type_keys("\\q\r");
    shot!(terminal.end());
    assert!(project.read(".soflow/sql-history").contains("from answers;"));
}
