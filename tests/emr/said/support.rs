//! What the tests of what people see share: output that is the same each time, a clock that is moved by hand, clusters
//! that need not be made.

use std::process::{Child, Command};

use serde_json::{Value, json};

use crate::emr::lab::{DATE, Lab, Said};
use crate::twin::{Call, Fault, FaultKind};

/// Returns what differs between two runs of the same test and is not what the test is about.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    let mut all = vec![
        (r"\blake-\d+-\d+\b", "LAKE"),
        (r"\bs-[0-9A-Z]{13}\b", "s-STEP"),
        (r"\bapplication_\d+_(\d{4})", "application_$1"),
        (r"\bcontainer_\d+_(\d{4}_\d\d_\d{6})", "container_$1"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"anna@[\w.-]+", "anna@host"),
        (r"\bup-[0-9a-f]{10}\b", "up-TOKEN"),
        (r"@[0-9a-f]{12}\b", "@PACKAGES"),
        (r#"("age_seconds": )\d+"#, "${1}N"),
        (r", \d+\.\d s old\)", ", N.N s old)"),
        (r"\b30 m \d\d s\b", "30 m 0N s"),
        (r"idle for \d+ h \d+ m", "idle for H h M m"),
        (r" twin, emr-7.14.0@\S+, ", " twin, emr-7.14.0@PACKAGES, "),
    ];
    all.extend(crate::cli::support::filters());
    all
}

/// Returns what `runs show` said without what the run cost: dollars depend on how long it took.
pub fn without_cost(mut said: Said) -> Said {
    let lines: Vec<Vec<char>> = said.stdout.lines().map(|line| line.chars().collect()).collect();
    let text = |line: &[char]| line.iter().collect::<String>();
    let Some(header) = lines.iter().position(|line| text(line).starts_with("step ") && text(line).contains(" cost "))
    else {
        return said;
    };
    let end = text(&lines[header]).find(" cost ").unwrap() + " cost".len();
    let rows = lines[header..].iter().take_while(|line| !line.is_empty());
    // The cells end where the column's name ends, and begin behind two spaces.
    let begins = |row: &&Vec<char>| {
        let before = text(&row[..end.min(row.len())]);
        (row.len() >= end && !before.ends_with([' ', '─'])).then(|| before.rfind("  ").unwrap_or(0))
    };
    let start = rows.clone().filter_map(|row| begins(&row)).min().unwrap_or(end);
    let size = rows.count();
    let mut kept: Vec<String> = lines[..header].iter().map(|line| text(line)).collect();
    for row in &lines[header..header + size] {
        let (left, right) = (text(&row[..start.min(row.len())]), text(&row[end.min(row.len())..]));
        kept.push(format!("{left}{right}").trim_end().to_string());
    }
    let rest: Vec<String> = lines[header + size..].iter().map(|line| text(line)).collect();
    let mut paid = false;
    kept.extend(rest.into_iter().filter(|line| {
        paid = line.starts_with("Cost ") || (paid && !line.is_empty());
        !paid
    }));
    said.stdout = format!("{}\n", kept.join("\n").replace("\n\n\n", "\n\n").trim_end());
    said
}

/// Returns what was said with clusters called by their order, as wide as they are, and the upload, which goes on beside all else, told first.
pub fn told(lab: &Lab, mut said: Said) -> String {
    let (uploads, others): (Vec<&str>, Vec<&str>) =
        said.stderr.split_inclusive('\n').partition(|line| line.contains(" uploaded "));
    let at = others.iter().position(|line| line.contains(" started on ")).map_or(0, |at| at + 1);
    said.stderr = [&others[..at], &uploads[..], &others[at..]].concat().concat();
    let ended = said.code.map_or("ended by a signal".to_string(), |code| format!("exit {code}"));
    let mut text = format!("{}--- stderr ---\n{}[{ended}]", said.stdout, said.stderr);
    for (number, id) in lab.clusters().iter().enumerate() {
        text = text.replace(id, &format!("j-CLUSTER{:06}", number + 1));
    }
    text
}

/// Returns a lab whose steps end only when the program has seen them run.
pub fn lab() -> Lab {
    let lab = Lab::new();
    let path = lab.home.path().join("launcher.py");
    let launcher = fs_err::read_to_string(&path).unwrap();
    let (before, after) = launcher.split_once("\narguments = sys.argv").unwrap();
    lab.write("launcher.py", &format!("{before}\n{SEEN}\narguments = sys.argv{after}"));
    lab
}

/// Waits until the run's record says that the step runs.
const SEEN: &str = "
import pathlib, time
place = sys.argv[sys.argv.index('--task') + 1]
name = pathlib.PurePath(place).stem
while not any(
    step['name'] == name and step['state'] == 'running'
    for step in json.loads(send(place.split('/tasks/')[0] + '/run.json', 'GET'))['steps']
):
    time.sleep(0.01)
";

/// Starts the program with the twin's clock held: nothing moves until `walk` moves it.
pub fn begin(lab: &Lab, args: &[&str]) -> Child {
    lab.twin.hold();
    lab.spawn(args)
}

/// How many looks in a row, with nothing else between, say that the program has nothing to do but look.
const QUIET: usize = 4;

/// Moves the clock each time the program has nothing to do but look, so that it sees every state, until `there` or the
/// program's end.
pub fn walk(lab: &Lab, child: &mut Child, there: impl Fn(&Lab) -> bool) {
    while !there(lab) && child.try_wait().unwrap().is_none() {
        let before = lab.twin.calls().len();
        let child = std::cell::RefCell::new(&mut *child);
        lab.twin.until("the program looks, or ends", |_| {
            is_quiet(&lab.twin.calls()[before..]) || there(lab) || child.borrow_mut().try_wait().unwrap().is_some()
        });
        lab.twin.tick();
    }
}

fn is_quiet(calls: &[Call]) -> bool {
    let Some(last) = calls.len().checked_sub(QUIET).map(|from| &calls[from..]) else { return false };
    let looks =
        last.iter().filter(|call| ["DescribeCluster", "DescribeStep", "ListSteps"].contains(&&call.operation[..]));
    // A cluster and its steps are looked at one after the other: not between the two.
    let pairs = last.iter().any(|call| call.operation == "ListSteps");
    looks.count() == QUIET && (!pairs || last[QUIET - 1].operation == "ListSteps")
}

/// Returns what a program said that has ended or is about to.
pub fn end(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
}

/// Runs the program while the clock is moved with its looks.
pub fn walked(lab: &Lab, args: &[&str]) -> Said {
    let mut child = begin(lab, args);
    walk(lab, &mut child, |_| false);
    lab.twin.release();
    end(child)
}

/// Sends Ctrl-C.
pub fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
}

/// Returns the state of a step in the record of the first run, if it has one.
pub fn state(lab: &Lab, step: &str) -> Option<String> {
    let body = lab.twin.get(&format!("s3://{}/lake/artifacts/runs/chain/{DATE}/1/run.json", lab.bucket))?;
    let record: Value = serde_json::from_slice(&body).unwrap();
    let steps = record["steps"].as_array().unwrap();
    steps.iter().find(|one| one["name"] == step)?["state"].as_str().map(String::from)
}

/// Lets someone else hold a cluster's lease for as long as the test lasts.
pub fn hold_lease(lab: &Lab, cluster: &str) {
    hold(lab, cluster, "2099-11-22T08:00:00Z".parse().unwrap());
}

/// Lets someone else hold the lease of that name.
pub fn hold(lab: &Lab, name: &str, until: jiff::Timestamp) {
    let owner = json!({ "who": "ben@desk", "host": "desk", "process": 77, "started": null });
    let claim = json!({
        "what": "other.2026-11-22.1", "owner": owner, "since": "2026-11-22T08:00:00Z", "until": until.to_string(),
    });
    let book = json!({ "holders": [claim], "queue": [], "forced": [], "writing": "x" });
    lab.twin.put(&format!("s3://{}/lake/artifacts/leases/{name}.json", lab.bucket), book.to_string());
}

/// A cluster that ListClusters shows though nobody made it.
pub struct Shown {
    pub id: &'static str,
    pub state: &'static str,
    pub hours: f64,
    /// Changes a part of its name: what the name of a cluster that fits has, and what it has instead.
    pub instead: Option<(&'static str, &'static str)>,
}

/// Makes ListClusters show these clusters from now on. `like`: a cluster that fits.
pub fn show_clusters(lab: &Lab, like: &Value, shown: &[Shown]) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let one = |shown: &Shown| {
        let mut name = like["Name"].as_str().unwrap().to_string();
        if let Some((part, other)) = shown.instead {
            assert!(name.contains(part), "{name} has no {part}");
            name = name.replacen(part, other, 1);
        }
        let made = (now - shown.hours * 3600.0).floor();
        let timeline = json!({ "CreationDateTime": made, "ReadyDateTime": made + 1.0 });
        json!({ "Id": shown.id, "Name": name, "Status": { "State": shown.state, "StateChangeReason": {}, "Timeline": timeline } })
    };
    let answer = json!({ "Clusters": shown.iter().map(one).collect::<Vec<_>>() });
    lab.twin.fault(Fault::new("emr", "ListClusters", FaultKind::Answer(200, answer.to_string())).always());
}
