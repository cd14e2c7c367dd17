//! Partition values of any characters, written by a real engine to S3 and found again through Glue.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use soflow::names::parse_partition_path;

use crate::emr::lab::{DATE, Lab};
use crate::twin::{Exec, Options, Twin};

/// Writes the rows of its parameter `rows`, partitioned by `tag`.
const STEP: &str = r#"
import argparse
import json

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
parser.add_argument("--task", required=True)
spark = SparkSession.builder.getOrCreate()
task = json.loads(spark.read.text(parser.parse_args().task, wholetext=True).collect()[0][0])
rows = [tuple(row) for row in json.loads(task["parameters"]["rows"])]
frame = spark.createDataFrame(rows, "id bigint, tag string")
frame.write.partitionBy("tag").parquet(task["outputs"]["odd"]["prefix"])
"#;

#[test]
fn odd_partition_values_come_back_through_glue() {
    let Some(exec) = Exec::find() else {
        println!("skipped: partition values in S3: no engine environment, `soflow engine install` makes it");
        return;
    };
    let options = Options { exec: Some(exec), pace: Duration::from_millis(20), ..Options::default() };
    let bucket = format!("values-{}", std::process::id());
    let lab = Lab { twin: Twin::with(options), home: tempfile::tempdir().unwrap(), bucket };
    lab.twin.bucket(&lab.bucket);
    let signs = (0x20..0x7f_u8).map(char::from).filter(|sign| !sign.is_ascii_alphanumeric());
    let mut values: Vec<String> = signs.map(|sign| format!("v{sign}w")).collect();
    let others =
        ["10:00", "São Paulo", "Sa\u{303}o Paulo", "日本", "🎉", "%41", "100%", ".", "..", "a/b/c", "v\tw", "_v"];
    values.extend(others.map(str::to_string));
    let null = "__HIVE_DEFAULT_PARTITION__".to_string();
    let mut rows: Vec<Value> = values.iter().enumerate().map(|(id, value)| json!([id, value])).collect();
    rows.push(json!([values.len(), null]));
    values.push(null);
    let rows = serde_json::to_string(&Value::from(rows).to_string()).unwrap();
    lab.write("pyspark/steps/odd.py", STEP);
    lab.write(
        "jobs/odd.yaml",
        &format!(
            "steps:\n  odd: {{ script: steps/odd.py, reads: [], writes: [odd], parameters: {{ rows: {rows} }} }}\n\
             tables:\n  odd: {{ key: [id], partition-by: [tag] }}\n"
        ),
    );
    lab.write(
        "config/soflow.yaml",
        &format!(
            "default-target: twin\nkeep-for: 0s\ntargets:\n  twin:\n    kind: emr\n    lake: s3://{}/lake\n    database: odd\n    \
             dependencies: none\n    api-quota: 10000\n    poll-fastest: 20ms\n    poll-slowest: 200ms\n",
            lab.bucket
        ),
    );
    let ran = lab.run(&["submit", "odd", "--date", DATE]);
    assert_eq!(ran.code, Some(0), "{ran}");

    let (_, found) =
        lab.twin.ask("glue", "AWSGlue.GetPartitions", &json!({ "DatabaseName": "odd", "TableName": "odd" }));
    let place = |partition: &Value| {
        let text = |value: &Value| value.as_str().unwrap().to_string();
        (text(&partition["Values"][0]), text(&partition["StorageDescriptor"]["Location"]))
    };
    let shown: BTreeMap<String, String> = found["Partitions"].as_array().unwrap().iter().map(place).collect();
    assert_eq!(shown.keys().cloned().collect::<Vec<_>>(), sorted(values), "{shown:#?}");
    let prefix = format!("s3://{}/lake/curated/odd/run-odd.{DATE}.1/", lab.bucket);
    for (value, place) in &shown {
        let spelled = parse_partition_path(&["tag".into()], place.strip_prefix(&prefix).unwrap()).unwrap();
        assert_eq!(spelled["tag"], *value, "{place}");
    }
    // All files are where the catalog says, so that nothing is left over.
    let garbage = lab.run(&["gc", "--dry-run"]);
    assert!(garbage.stdout.starts_with("Nothing to remove"), "{garbage}");
}

fn sorted(mut values: Vec<String>) -> Vec<String> {
    values.sort();
    values
}
