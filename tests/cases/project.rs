//! A project whose jobs write the rows that a test gives them.

use std::fmt::Write as _;

use crate::daily::lab::Lab;

/// A step that writes the rows of its parameter `rows` (JSON) with the columns of `ddl`.
const FREE: &str = r#"
import argparse
import json

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
parser.add_argument("--task", required=True)
uri = parser.parse_args().task
with open(uri.removeprefix("file://"), encoding="utf-8") as file:
    task = json.load(file)
spark = SparkSession.builder.getOrCreate()
((name, out),) = task["outputs"].items()
rows = [tuple(row) for row in json.loads(task["parameters"]["rows"])]
writer = spark.createDataFrame(rows, task["parameters"]["ddl"]).write
if out["partition_by"]:
    writer = writer.partitionBy(*out["partition_by"])
writer.parquet(out["prefix"])
"#;

/// The table of a job that [`add_job`] makes.
pub struct Table<'a> {
    /// The job, its step and its table have this name.
    pub name: &'a str,
    /// Its columns in Spark's DDL.
    pub ddl: &'a str,
    /// Its rows as JSON.
    pub rows: &'a str,
    /// The column it is partitioned by, or nothing.
    pub partition_by: &'a str,
}

/// Makes a project without the shipped jobs.
pub fn empty() -> Lab {
    let lab = Lab::new();
    fs_err::remove_dir_all(lab.root().join("jobs")).unwrap();
    lab.write("pyspark/steps/free.py", FREE);
    lab
}

/// Adds a job that writes one table.
pub fn add_job(lab: &Lab, table: &Table<'_>) {
    let Table { name, ddl, rows, partition_by } = table;
    let rows = serde_json::to_string(rows).unwrap();
    let mut text = String::new();
    write!(
        text,
        "steps:\n  {name}:\n    script: steps/free.py\n    writes: [{name}]\n    parameters:\n      ddl: \"{ddl}\"\n      \
         rows: {rows}\ntables:\n  {name}: {{ key: [id], partition-by: [{partition_by}] }}\n"
    )
    .unwrap();
    lab.write(&format!("jobs/{name}.yaml"), text);
}
