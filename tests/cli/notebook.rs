//! `soflow notebook`: cells that read what is published, JupyterLab around them, and the kernel for others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use fs_err as fs;
use serde_json::Value;

use super::languages::notebook;
use super::support::{Output, Project};

/// Returns whether notebooks are to be run: their environment is a download of 70 MB.
pub fn is_wanted() -> bool {
    let wanted = std::env::var_os("SOFLOW_TEST_NOTEBOOK").is_some_and(|value| value == "1");
    if !wanted {
        println!("skipped: notebooks and JupyterLab: SOFLOW_TEST_NOTEBOOK is not 1");
    }
    wanted
}

/// Returns what each code cell has shown: text as printed or as a result, or an error's name and its traceback.
pub fn shown(text: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap();
    let joined = |value: &Value| match value {
        Value::Array(lines) => lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join(""),
        _ => value.as_str().unwrap().to_string(),
    };
    let told = |output: &Value| match output["output_type"].as_str().unwrap() {
        "stream" => joined(&output["text"]),
        "error" => format!("{}: {}", output["ename"].as_str().unwrap(), joined(&output["traceback"])),
        _ => joined(&output["data"]["text/plain"]),
    };
    let cells = document["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
    cells.map(|cell| cell["outputs"].as_array().unwrap().iter().map(told).collect::<Vec<_>>().join("|")).collect()
}

fn executed(project: &Project, cells: &[&str]) -> (Output, Vec<String>) {
    let cells: Vec<(&str, &str, &[&str])> = cells.iter().map(|cell| ("code", *cell, &[][..])).collect();
    project.write("looks.ipynb", &notebook(&cells, "never shown"));
    let said = project.soflow(["notebook", "looks.ipynb", "--execute"]);
    (said, shown(&project.read("looks.ipynb")))
}

#[test]
fn cells_read_what_is_published_and_write_nothing() {
    if !is_wanted() {
        return;
    }
    let project = Project::published();
    let before = project.soflow(["tables"]);
    let (said, shown) = executed(
        &project,
        &[
            "tables",
            "%%sql\nselect count(*) as n from questions;",
            "%%sql top\nselect tag, sum(n_questions) as n from tag_trends_weekly group by tag order by n desc limit 2",
            "top.count(), spark.sql('select * from top').count(), tables['questions'].count()",
            "parameters['least'] = 2400",
            "%%sql\nselect count(*) > :least as enough from questions",
            "save('top_tags', top)",
            "save('rows', top.toPandas())",
            "%tables",
            "import os, matplotlib, numpy\nos.path.basename(os.getcwd()), [n for n in os.environ if n.startswith('SOFLOW')]",
        ],
    );
    assert_eq!(said.code, Some(0), "{said}");
    assert!(shown[0].contains("questions                    2,414 rows  daily."), "{}", shown[0]);
    assert_eq!(shown[1], "      n\n0  2414");
    assert_eq!(shown[3], "(2, 2, 2414)");
    assert_eq!(shown[5], "   enough\n0    True");
    for (cell, table) in [(6, "top_tags"), (7, "rows")] {
        let text =
            format!("{table}: 2 rows of tag string, n bigint. Nothing is written here: a step of a job does that.\n");
        assert_eq!(shown[cell], text);
    }
    assert_eq!(shown[8], "nothing new is published\n");
    assert_eq!(shown[9], "('project', [])");
    assert_eq!(project.soflow(["tables"]).stdout, before.stdout);
}

#[test]
fn what_cannot_be_done_is_one_line() {
    if !is_wanted() {
        return;
    }
    let project = Project::published();
    for (cell, told) in [
        ("%%sql\nselect tagg from questions", "tagg"),
        ("%%sql\nselct 1", "unexpected `selct`"),
        ("%%sql 1st\nselect 1", "`1st` is no name for a result"),
        ("tables['question']", "there is no table `question`; did you mean `questions`?"),
    ] {
        let (said, shown) = executed(&project, &["1", cell, "2"]);
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.stderr.starts_with("error: cell 2 of `looks.ipynb` failed\n  Refused: "), "{said}");
        let [before, failed, after] = &shown[..] else { panic!("{shown:?}") };
        assert!(failed.contains(told) && failed.lines().count() == 1, "{failed}");
        assert_eq!((&**before, &**after), ("1", ""));
    }
}

#[test]
fn nothing_is_installed_for_what_cannot_be() {
    let project = Project::small();
    let engines = project.path().join("engines").display().to_string();
    let project = project.with("SOFLOW_ENGINE_DIR", &engines);
    project.write(
        "config/soflow.yaml",
        "targets:\n  dev: { kind: emr, lake: s3://bucket/lake, cluster: seven }\n  next: { kind: emr, lake: s3://bucket/lake, \
         cluster: eight }\nclusters: { seven: { release: emr-7.14.0 }, eight: { release: emr-spark-8.1.0 } }\n",
    );
    let said = [
        project.soflow(["notebook", "--target", "dev"]),
        project.soflow(["notebook", "--target", "next"]),
        project.soflow(["notebook", "trends.py"]),
        project.soflow(["notebook", "trends.ipynb", "--execute"]),
    ];
    shot!(said.map(|said| said.to_string()).join("\n"));
    assert!(!project.path().join("engines").exists());
}

#[test]
fn the_kernel_for_other_jupyters_is_theirs_to_start() {
    if !is_wanted() {
        return;
    }
    let project = Project::published();
    let said = project.soflow(["notebook", "--kernel-only", "--output", "json"]);
    let folder = project.path().parent().unwrap().join("home/.local/share/jupyter/kernels/soflow-project");
    assert_eq!(said.json()["kernel"], "soflow-project", "{said}");
    let file = folder.join("kernel.json");
    let spec: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let words: Vec<&str> = spec["argv"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert!(words.contains(&project.path().to_str().unwrap()) && words.contains(&"{connection_file}"), "{words:?}");
    assert_eq!(spec["env"].as_object().unwrap().keys().collect::<Vec<_>>(), ["SOFLOW_ENGINE_DIR"]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
}

/// Returns the status and the body of an answer of JupyterLab's.
fn asked(port: &str, path: &str, token: &str) -> (String, String) {
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let ask = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: token {token}\r\n\r\n");
    connection.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_string(), body.to_string())
}

#[test]
fn jupyterlab_is_one_persons_and_asks_nobody_for_news() {
    if !is_wanted() {
        return;
    }
    let project = Project::published();
    let mut command = project.command(&["notebook", "first.ipynb", "--no-browser"]);
    let mut lab = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(lab.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    let (place, token) = url.trim().split_once("/lab/tree/first%2Eipynb?token=").unwrap_or_else(|| panic!("{url}"));
    let port = place.strip_prefix("http://127.0.0.1:").unwrap();

    let processes = Command::new("ps").args(["axww", "-o", "args"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&processes.stdout).contains(token), "the token is on a command line");
    assert_eq!(asked(port, "/api/contents", "wrong").0, "403");
    let kernels: Value = serde_json::from_str(&asked(port, "/api/kernelspecs", token).1).unwrap();
    assert_eq!(kernels["default"], "soflow-project", "{kernels:#}");
    let settings = asked(port, "/lab/api/settings/@jupyterlab/apputils-extension:notification", token).1;
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let properties = &settings["schema"]["properties"];
    assert_eq!(
        (&properties["fetchNews"]["default"], &properties["checkForUpdates"]["default"]),
        (&"false".into(), &false.into())
    );

    assert!(Command::new("kill").args(["-s", "INT", &lab.id().to_string()]).status().unwrap().success());
    let ended = lab.wait_with_output().unwrap();
    let said = project.seen(&ended);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(!said.stderr.contains(token) && said.stderr.contains("Ctrl-C ends it"), "{said}");
    assert_eq!(fs::read_dir(project.path().parent().unwrap().join("tmp")).unwrap().count(), 0, "what it made is gone");
    let (_, shown) = (said, shown(&project.read("first.ipynb")));
    assert_eq!(shown, ["", ""], "the first notebook has two cells that nobody has run");
}
