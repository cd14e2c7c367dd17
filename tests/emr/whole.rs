//! The daily job on real pages, on a cluster and on this machine: what readers of Glue see is what a laptop computes.
//!
//! Every step really runs, on the embedded engine. What came of it is read without soflow: tables and partitions as Glue
//! has them, objects as S3 lists them, steps as EMR has them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use serde_json::{Value, json};
use soflow::names::{PartitionValues, parse_partition_path};
use soflow::parity;

use crate::cli::{languages, notebook};
use crate::daily::lab::{block_on, side};
use crate::emr::lab::{DATE, Lab};
use crate::twin::{Exec, Options, Twin};

/// The tables of the daily job that have rows for these pages, and the key of each.
const TABLES: [(&str, &[&str]); 10] = [
    ("answers", &["site", "answer_id"]),
    ("comments", &["site", "comment_id"]),
    ("ingest_audit", &["site", "endpoint", "dt", "raw_run"]),
    ("question_tags", &["site", "question_id", "tag"]),
    ("questions", &["site", "question_id"]),
    ("tag_health_monthly", &["site", "month", "tag"]),
    ("tag_pairs_monthly", &["site", "month", "tag_a", "tag_b"]),
    ("tag_sentiment_weekly", &["site", "week_start", "tag", "unit_type"]),
    ("tag_trends_weekly", &["site", "week_start", "tag"]),
    ("text_sentiment", &["site", "unit_type", "unit_id"]),
];

/// Files of a table, each with the values of its partition.
type Files = Vec<(PathBuf, PartitionValues)>;

#[test]
fn the_daily_job_on_a_cluster_gives_what_it_gives_here() {
    let Some((lab, pages)) = lab() else { return };
    for target in ["twin", "local"] {
        let ingested = lab.run(&["ingest", "pages", &pages, "--date", DATE, "--target", target]);
        assert_eq!(ingested.code, Some(0), "{ingested}");
        let ran = lab.run(&["submit", "daily", "--date", DATE, "--target", target]);
        assert_eq!(ran.code, Some(0), "{target}: {ran}");
    }
    let cluster = lab.clusters().pop().unwrap();
    let first = steps_of(&lab, &cluster, 1);
    assert_eq!(lab.clusters().len(), 1);
    // One of the ten has Spark options of its own.
    assert_eq!(first.len(), 3, "{first:?}");

    let mut rows = 0;
    for (table, key) in TABLES {
        let (partition_by, there) = in_glue(&lab, table);
        let here = on_disk(&lab, table, "daily", &partition_by);
        let values = |files: &Files| {
            let mut values: Vec<PartitionValues> = files.iter().map(|(_, values)| values.clone()).collect();
            values.sort();
            values.dedup();
            values
        };
        assert!(!there.is_empty(), "{table} is empty");
        assert_eq!(values(&there), values(&here), "{table}: other partitions");
        let (there, here) = (side("cluster", there), side("laptop", here));
        let key: Vec<String> = key.iter().map(ToString::to_string).collect();
        // Sums depend on the order of their parts in the last digit, also on one engine: as `soflow parity` compares.
        let diff = block_on(parity::compare(&there, &here, &key, &["raw_uri".to_string()], 1e-9)).unwrap();
        assert!(diff.is_equal(), "{}", parity::describe(table, &diff));
        rows += diff.rows_left;
    }
    assert!(rows > 10_000, "only {rows} rows were compared");
    println!("real pages on the twin: {rows} rows in {} tables equal those of a local run", TABLES.len());

    lab.twin.reset_calls();
    let again = lab.run(&["submit", "daily", "--date", DATE]);
    assert!(again.stdout.starts_with("Nothing to do"), "{again}");
    let calls: Vec<String> = lab.twin.calls().iter().map(crate::emr::submit::told).collect();
    println!("{} calls for nothing to do: {calls:#?}", calls.len());
    assert!(calls.len() <= 12, "{calls:#?}");
    assert_eq!(steps_of(&lab, &cluster, 2), [""; 0], "nothing to do, and yet done");
    let forced = lab.run(&["submit", "daily", "--date", DATE, "--force", "--only", "tag_pairs"]);
    assert_eq!(forced.code, Some(0), "{forced}");
    assert_eq!(lab.clusters(), std::slice::from_ref(&cluster), "a second cluster was made");
    assert_eq!(steps_of(&lab, &cluster, 2), [format!("daily.{DATE}.2/tag_pairs")]);
    let sent = lab.twin.calls_of("s3", "PutObject").into_iter().map(|call| call.detail);
    let sent: Vec<String> = sent.filter(|key| key.contains("/code/") || key.contains("/dependencies/")).collect();
    assert!(sent.is_empty(), "sent again: {sent:?}");
}

#[test]
fn steps_in_sql_and_in_notebooks_give_on_a_cluster_what_they_give_here() {
    for fuse in [false, true] {
        let name = if fuse { "languages-fused" } else { "languages" };
        let Some(lab) = daily(name, &format!("    fuse: {fuse}\n")) else { return };
        let settings = fs::read_to_string(lab.home.path().join("config/soflow.yaml")).unwrap();
        let own = settings.lines().filter(|line| !line.starts_with("jobs:") && !line.starts_with("code:"));
        lab.write("config/soflow.yaml", &own.map(|line| format!("{line}\n")).collect::<String>());
        languages::files().iter().for_each(|(name, text)| lab.write(name, text));
        for target in ["twin", "local"] {
            let ran = lab.run(&["submit", "sold", "--date", DATE, "--target", target]);
            assert_eq!(ran.code, Some(0), "{target}: {ran}");
        }
        assert_eq!(lab.steps(&lab.clusters()[0]).len(), if fuse { 1 } else { 3 });
        for (table, key) in [("sales", "day"), ("best", "weekday")] {
            let by = ["weekday".to_string()];
            let (there, here) = (in_glue(&lab, table).1, on_disk(&lab, table, "sold", &by));
            let (there, here) = (side("cluster", there), side("laptop", here));
            let diff = block_on(parity::compare(&there, &here, &[key.to_string()], &[], 0.0)).unwrap();
            assert!(diff.is_equal() && diff.rows_left > 1, "{}", parity::describe(table, &diff));
        }
    }
}

#[test]
fn a_notebook_on_this_machine_reads_what_a_cluster_has_published() {
    if !notebook::is_wanted() {
        return;
    }
    let Some(lab) = daily("notebook", "") else { return };
    let settings = fs::read_to_string(lab.home.path().join("config/soflow.yaml")).unwrap();
    let own = settings.lines().filter(|line| !line.starts_with("jobs:") && !line.starts_with("code:"));
    lab.write("config/soflow.yaml", &own.map(|line| format!("{line}\n")).collect::<String>());
    languages::files().iter().for_each(|(name, text)| lab.write(name, text));
    let ran = lab.run(&["submit", "sold", "--date", DATE]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let cells: [(&str, &str, &[&str]); 2] = [
        ("code", "%%sql\nselect count(*) as orders, sum(amount) > 1000 as enough from orders", &[]),
        ("code", "sorted(tables), tables['best'].count()", &[]),
    ];
    lab.write("looks.ipynb", &languages::notebook(&cells, "never shown"));
    let ran = lab.run(&["notebook", "looks.ipynb", "--execute", "--here"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let shown = notebook::shown(&fs::read_to_string(lab.home.path().join("looks.ipynb")).unwrap());
    assert_eq!(shown, ["   orders  enough\n0    1000    True", "(['best', 'orders', 'sales'], 2)"]);
}

/// Returns a project whose steps share applications, and the folder of the pages, or `None` after saying why the test is skipped.
fn lab() -> Option<(Lab, String)> {
    let Some(data) = std::env::var_os("SOFLOW_REAL_DATA").filter(|folder| !folder.is_empty()) else {
        println!("skipped: the daily job on the twin: SOFLOW_REAL_DATA is not set");
        return None;
    };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join(data).join("stackoverflow-pages");
    Some((daily("whole", "    fuse: true\n")?, data.display().to_string()))
}

/// Returns the jobs and the code of this repository with a lake of that name in the twin, and more lines of settings of it, or
/// `None` after saying why there is none.
pub fn daily(name: &str, more: &str) -> Option<Lab> {
    let Some(exec) = Exec::find() else {
        println!("skipped: the daily job on the twin: no engine environment, `soflow engine install` makes it");
        return None;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engines = exec.python.ancestors().nth(4).unwrap().to_path_buf();
    let options = Options { exec: Some(exec), pace: Duration::from_millis(20), ..Options::default() };
    let bucket = format!("{name}-{}", std::process::id());
    let lab = Lab { twin: Twin::with(options), home: tempfile::tempdir().unwrap(), bucket };
    lab.twin.bucket(&lab.bucket);
    let settings = format!(
        "default-target: twin\njobs: {root}/jobs\ncode: {root}/pyspark\ntargets:\n  local: {{ engine-dir: {engines} }}\n  twin:\n    \
         kind: emr\n    lake: s3://{bucket}/lake\n    database: {database}\n    dependencies: none\n    api-quota: 10000\n    \
         poll-fastest: 20ms\n    poll-slowest: 200ms\n{more}",
        root = root.display(),
        engines = engines.display(),
        bucket = lab.bucket,
        database = database(&lab),
    );
    lab.write("config/soflow.yaml", &settings);
    Some(lab)
}

fn database(lab: &Lab) -> String {
    lab.bucket.replace('-', "_")
}

/// Returns the names of the steps of a run of the daily job, oldest first. Asserts that all have completed.
fn steps_of(lab: &Lab, cluster: &str, number: u32) -> Vec<String> {
    let steps = lab.steps(cluster).into_iter().filter(|(name, _)| name.starts_with(&format!("daily.{DATE}.{number}/")));
    let (names, states): (Vec<String>, Vec<String>) = steps.unzip();
    assert!(states.iter().all(|state| state == "COMPLETED"), "{names:?}: {states:?}");
    names
}

/// Returns a table's partition columns and files, as whoever reads through Glue finds them.
fn in_glue(lab: &Lab, table: &str) -> (Vec<String>, Files) {
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let asked = json!({ "DatabaseName": database(lab), "Expression": format!("^{table}$") });
    let (_, tables) = lab.twin.ask("glue", "AWSGlue.GetTables", &asked);
    let columns = tables["TableList"][0]["PartitionKeys"].as_array().unwrap_or_else(|| panic!("{table}: {tables}"));
    let columns: Vec<String> = columns.iter().map(|column| text(&column["Name"])).collect();
    let mut files = Files::new();
    let mut next = Value::Null;
    loop {
        let mut asked = json!({ "DatabaseName": database(lab), "TableName": table });
        if next.is_string() {
            asked["NextToken"] = next;
        }
        let (_, page) = lab.twin.ask("glue", "AWSGlue.GetPartitions", &asked);
        for partition in page["Partitions"].as_array().unwrap() {
            let values = partition["Values"].as_array().unwrap().iter().map(text);
            let values: PartitionValues = columns.iter().cloned().zip(values).collect();
            let place = text(&partition["StorageDescriptor"]["Location"]);
            files.extend(fetch(lab, &place).into_iter().map(|file| (file, values.clone())));
        }
        next = page["NextToken"].clone();
        if !next.is_string() {
            return (columns, files);
        }
    }
}

/// Downloads the Parquet files below a prefix, and returns where they are now.
fn fetch(lab: &Lab, prefix: &str) -> Vec<PathBuf> {
    let (bucket, key) = prefix.strip_prefix("s3://").unwrap().split_once('/').unwrap();
    let page = listed(lab, bucket, &format!("{}/", key.trim_end_matches('/')));
    assert!(page.contains("<IsTruncated>false</IsTruncated>"), "more than one page of files: {page}");
    let keys = page.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
    let download = |key: &str| {
        let file = lab.home.path().join("downloaded").join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, lab.twin.get(&format!("s3://{bucket}/{key}")).unwrap()).unwrap();
        file
    };
    keys.filter(|key| key.ends_with(".parquet")).map(download).collect()
}

/// Returns the XML of a listing. Keys of these tables have nothing in them that XML would escape.
fn listed(lab: &Lab, bucket: &str, prefix: &str) -> String {
    let scope = "Credential=whole/20261122/us-east-1/s3/aws4_request";
    let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
    let address = format!("{}/{bucket}?list-type=2&prefix={prefix}", lab.twin.moto_url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Nothing is encrypted here, but the client wants to know how it would be.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(address).header("authorization", signed).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer.text().await.unwrap()
    })
}

/// Returns the files that the local run has written for a table: its first run, so all of them are live.
fn on_disk(lab: &Lab, table: &str, job: &str, partition_by: &[String]) -> Files {
    let root = lab.home.path().join(format!(".soflow/lake/curated/{table}/run-{job}.{DATE}.1"));
    let mut files = Files::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let below = path.parent().unwrap().strip_prefix(&root).unwrap();
                let values = parse_partition_path(partition_by, below.to_str().unwrap()).unwrap();
                files.push((path, values));
            }
        }
    }
    files
}
