//! Steps in Rust that do what their tasks say, and the Parquet files they write and read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray as _, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use fs_err as fs;
use futures_util::future::BoxFuture;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use soflow::error::Result;
use soflow::event::Sink;
use soflow::names::{PartitionValues, parse_partition_path, partition_path};
use soflow::targets::{Ended, StepEnd, StepOrder, Stop, Target};
use tokio::sync::watch;

use super::process::{Death, Process};

/// The bucket of lakes that are not local.
pub const BUCKET: &str = "s3://lab";

/// Steps in Rust that do what their tasks say, file by file.
pub struct Scripted {
    pub process: Arc<Process>,
    pub ran: Arc<Mutex<Vec<String>>>,
}

#[async_trait]
impl Target for Scripted {
    fn engine(&self) -> String {
        "scripted@1".into()
    }

    fn slots(&self) -> usize {
        2
    }

    async fn prepare(&self, _: &mut dyn Sink) -> Result<()> {
        self.process.alive()
    }

    fn start(&self, orders: Vec<StepOrder>, _: &watch::Receiver<Stop>) -> Vec<BoxFuture<'static, Result<Ended>>> {
        let run = |order: StepOrder| -> BoxFuture<'static, Result<Ended>> {
            let (process, ran) = (self.process.clone(), self.ran.clone());
            Box::pin(async move {
                process.alive()?;
                ran.lock().unwrap().push(order.step.clone());
                tokio::task::yield_now().await;
                let task: Value =
                    serde_json::from_slice(&fs::read(path_of(&order.task.as_str().into())).unwrap()).unwrap();
                let step = StepTask { process: &process, task: &task };
                match order.step.as_str() {
                    "questions" => step.questions()?,
                    "counts" => step.counts()?,
                    "scores" => step.scores()?,
                    _ => step.best()?,
                }
                Ok(StepEnd::Completed(BTreeMap::new()).into())
            })
        };
        orders.into_iter().map(run).collect()
    }
}

/// A row of every table: two numbers and the partition's values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub values: PartitionValues,
    pub key: String,
    pub number: i64,
}

pub struct StepTask<'a> {
    pub process: &'a Process,
    pub task: &'a Value,
}

impl StepTask<'_> {
    pub fn questions(&self) -> Result<()> {
        let mut rows: BTreeMap<(String, String), i64> = BTreeMap::new();
        let mut bad = Vec::new();
        for object in self.task["inputs"]["raw.questions"]["objects"].as_array().unwrap() {
            let file = fs::read(path_of(&object["uri"])).unwrap();
            let mut body = String::new();
            flate2::read::GzDecoder::new(&file[..]).read_to_string(&mut body).unwrap();
            let page: Value = serde_json::from_str(&body).unwrap();
            for item in page["items"].as_array().unwrap() {
                let (id, month) = (item["question_id"].to_string(), item["month"].as_str().unwrap().to_string());
                match month.as_str() {
                    // What was wrong with other dates' pages is in those dates' partitions.
                    "bad" if !object["date"].is_null() => {}
                    "bad" => bad.push(("reason".to_string(), item["question_id"].as_i64().unwrap())),
                    _ => _ = rows.insert((month, id), item["score"].as_i64().unwrap()),
                }
            }
        }
        let only = &self.task["outputs"]["quarantine"]["only"];
        self.write("quarantine", &serde_json::from_value(only.clone()).unwrap(), bad)?;
        let months: BTreeSet<String> = rows.keys().map(|(month, _)| month.clone()).collect();
        for old in read_published(&self.task["outputs"]["questions"]["current"]) {
            rows.entry((old.values["month"].clone(), old.key)).or_insert(old.number);
        }
        for month in months {
            let of_month = rows.iter().filter(|((m, _), _)| *m == month).map(|((_, id), score)| (id.clone(), *score));
            self.write("questions", &PartitionValues::from([("month".into(), month.clone())]), of_month.collect())?;
        }
        Ok(())
    }

    pub fn counts(&self) -> Result<()> {
        let (rows, changed) = self.input("questions", "month");
        let years: BTreeSet<String> = changed.iter().map(|month| month[..4].to_string()).collect();
        for year in years {
            let mut counts: BTreeMap<String, i64> = BTreeMap::new();
            for row in rows.iter().filter(|row| row.values["month"].starts_with(&year)) {
                *counts.entry(row.values["month"].clone()).or_default() += 1;
            }
            self.write("counts", &PartitionValues::from([("year".into(), year)]), counts.into_iter().collect())?;
        }
        Ok(())
    }

    pub fn scores(&self) -> Result<()> {
        let (rows, changed) = self.input("questions", "month");
        for month in changed {
            let of_month = rows.iter().filter(|row| row.values["month"] == month);
            let doubled = of_month.map(|row| (row.key.clone(), row.number * 2)).collect();
            self.write("scores", &PartitionValues::from([("month".into(), month)]), doubled)?;
        }
        Ok(())
    }

    pub fn best(&self) -> Result<()> {
        let (counts, _) = self.input("counts", "year");
        let (scores, _) = self.input("scores", "month");
        let best = |month: &str| scores.iter().filter(|row| row.values["month"] == month).map(|row| row.number).max();
        let rows = counts.iter().map(|row| (row.key.clone(), row.number * 100 + best(&row.key).unwrap()));
        self.write("best", &PartitionValues::new(), rows.collect())
    }

    /// Returns the rows of a table as this run leaves it, and the partitions to compute anew.
    pub fn input(&self, table: &str, column: &str) -> (Vec<Row>, BTreeSet<String>) {
        let input = &self.task["inputs"][table];
        let upstream = &input["upstream"];
        let upstream = if upstream.is_null() { Vec::new() } else { read_folder(&path_of(upstream), column) };
        let replaced: BTreeSet<&PartitionValues> = upstream.iter().map(|row| &row.values).collect();
        let mut rows = read_published(&input["published"]);
        rows.retain(|row| !replaced.contains(&row.values));
        let mut changed: BTreeSet<String> = replaced.iter().map(|values| values[column].clone()).collect();
        if self.task["scope"] == "all" {
            changed.extend(rows.iter().map(|row| row.values[column].clone()));
        }
        for group in input["published"].as_array().unwrap() {
            let listed = group["changed"].as_array().unwrap().iter();
            changed.extend(listed.map(|values| values[column].as_str().unwrap().to_string()));
        }
        rows.extend(upstream.iter().cloned());
        (rows, changed)
    }

    /// Writes a partition as one file a row.
    pub fn write(&self, table: &str, values: &PartitionValues, rows: Vec<(String, i64)>) -> Result<()> {
        let output = &self.task["outputs"][table];
        let columns: Vec<String> = serde_json::from_value(output["partition_by"].clone()).unwrap();
        let folder = path_of(&output["prefix"]).join(partition_path(&columns, values));
        for (number, (key, value)) in rows.into_iter().enumerate() {
            let path = folder.join(format!("part-{number}.parquet"));
            let death = self.process.write(&format!("step writes {}", path.display()))?;
            if death != Some(Death::Before) {
                fs::create_dir_all(&folder).unwrap();
                let body = parquet(key, value);
                let end = if death == Some(Death::Halfway) { body.len() / 2 } else { body.len() };
                fs::write(&path, &body[..end]).unwrap();
                self.process.unsynced.lock().unwrap().insert(path);
            }
            self.process.alive()?;
        }
        Ok(())
    }
}

/// Returns the file of a URI; the one bucket there is has the paths of this machine as its keys.
pub fn path_of(uri: &Value) -> PathBuf {
    let uri = uri.as_str().unwrap();
    PathBuf::from(uri.strip_prefix("file://").or_else(|| uri.strip_prefix(BUCKET)).unwrap())
}

pub fn parquet(key: String, number: i64) -> Vec<u8> {
    let columns: [(&str, arrow::array::ArrayRef); 2] =
        [("key", Arc::new(StringArray::from(vec![key]))), ("number", Arc::new(Int64Array::from(vec![number])))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut body = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut body, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    body
}

pub fn read_file(path: &Path, values: &PartitionValues) -> Vec<Row> {
    let file = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap().into_file()).unwrap();
    let mut rows = Vec::new();
    for batch in file.build().unwrap() {
        let batch = batch.unwrap();
        let (keys, numbers) = (&batch["key"], batch["number"].as_primitive::<Int64Type>().clone());
        let keys = arrow::compute::cast(keys, &arrow::datatypes::DataType::Utf8).unwrap();
        let keys = keys.as_string::<i32>();
        rows.extend((0..batch.num_rows()).map(|at| Row {
            values: values.clone(),
            key: keys.value(at).to_string(),
            number: numbers.value(at),
        }));
    }
    rows
}

pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

pub fn read_published(groups: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in groups.as_array().unwrap() {
        for values in group["partitions"].as_array().unwrap() {
            let values: PartitionValues = serde_json::from_value(values.clone()).unwrap();
            let columns: Vec<String> = values.keys().cloned().collect();
            let folder = path_of(&group["prefix"]).join(partition_path(&columns, &values));
            rows.extend(files_in(&folder).iter().flat_map(|file| read_file(file, &values)));
        }
    }
    rows
}

/// Reads all partitions below a prefix that are spelled with one column.
pub fn read_folder(folder: &Path, column: &str) -> Vec<Row> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut rows = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let values = parse_partition_path(&[column.to_string()], &name).unwrap();
        rows.extend(files_in(&path).iter().flat_map(|file| read_file(file, &values)));
    }
    rows
}
