//! The log of a Delta table beside the data: who reads the folder of a table as Delta sees what is published, and no other
//! file. One commit a publication or rollback; files are never copied.
//!
//! The log follows the index as Glue does. Source: the Delta transaction log protocol, reader version 1 (3 for
//! `timestamp_ntz`), writer version 2 (7).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AT_ONCE;
use super::ddl::{ColumnType, delta_field};
use crate::error::Result;
use crate::names::{Digest, NULL_PARTITION, RunId, Uri};
use crate::plan::{Partition, Version};
use crate::store::{Object, Store, is_hidden};

/// What a path in a log keeps as it is, besides letters and digits.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'=').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How far the log of a table is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaHead {
    /// The run whose version it shows.
    pub run: RunId,
    /// The number of the last commit; `None` where there is no log: Delta has no such columns, or nobody knows any.
    pub commit: Option<u64>,
}

/// A file of a table, as the log names it.
#[derive(Clone, Debug)]
struct AddedFile {
    path: String,
    values: Value,
    bytes: u64,
    modified: Timestamp,
}

/// What a commit changes.
struct LogChange {
    new: Vec<AddedFile>,
    /// The paths of files that are no more the table's.
    gone: Vec<String>,
    /// The columns, when they are others than before.
    schema: Option<Value>,
}

/// What a log says.
#[derive(Debug, Default)]
pub struct Replayed {
    last: Option<u64>,
    live: BTreeSet<String>,
    run: Option<RunId>,
}

/// The log of one table.
pub struct DeltaLog<'a> {
    pub store: &'a dyn Store,
    pub curated: &'a Uri,
    pub table: &'a str,
}

impl DeltaLog<'_> {
    /// Makes the log show `version` by one more commit; `known` is how far it was, with the version that it showed there.
    /// Returns how far it is then, or `None` when it goes on otherwise than is known. Where Delta has no type for a column
    /// there is no log.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn extend(&self, known: Option<(&DeltaHead, Version)>, version: &Version) -> Result<Option<DeltaHead>> {
        let Some(schema) = schema(version) else {
            // What a log of before says is wrong from now on.
            if known.is_none_or(|(head, _)| head.commit.is_some()) {
                self.store.remove(&self.folder()).await?;
            }
            return Ok(Some(DeltaHead { run: version.run.clone(), commit: None }));
        };
        let (last, before) = match known {
            Some((DeltaHead { commit: Some(commit), .. }, before)) => (Some(*commit), Some(before)),
            _ => (None, None),
        };
        let (gone, new) = changed(before.as_ref(), version);
        let gone = match &before {
            Some(before) => self.files(&before.partition_by, gone).await?,
            None => Vec::new(),
        };
        let gone = gone.into_iter().map(|file| file.path).collect();
        let new = self.files(&version.partition_by, new).await?;
        let is_same = before.is_some_and(|before| self::schema(&before).as_ref() == Some(&schema));
        self.commit(last, version, LogChange { new, gone, schema: Some(schema).filter(|_| !is_same) }).await
    }

    /// Does what [`Self::extend`] does, from what the log really says.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn correct(&self, log: Replayed, version: &Version) -> Result<Option<DeltaHead>> {
        if log.last.is_some() && log.run.as_ref() == Some(&version.run) {
            return Ok(Some(DeltaHead { run: version.run.clone(), commit: log.last }));
        }
        let all = self.files(&version.partition_by, version.partitions.iter().collect()).await?;
        let paths: BTreeSet<&String> = all.iter().map(|file| &file.path).collect();
        let gone = log.live.iter().filter(|path| !paths.contains(path)).cloned().collect();
        let new: Vec<AddedFile> = all.iter().filter(|file| !log.live.contains(&file.path)).cloned().collect();
        self.commit(log.last, version, LogChange { new, gone, schema: schema(version) }).await
    }

    fn folder(&self) -> Uri {
        self.curated.join(&format!("{}/_delta_log", self.table))
    }

    /// Returns the files of partitions: one listing for each run that wrote some of them.
    async fn files(&self, by: &[String], partitions: Vec<&Partition>) -> Result<Vec<AddedFile>> {
        let mut prefixes: BTreeMap<&str, BTreeMap<String, &Partition>> = BTreeMap::new();
        for partition in partitions.into_iter().filter(|partition| partition.files > 0) {
            prefixes.entry(&partition.prefix).or_default().insert(partition.place(by), partition);
        }
        let folders: Vec<Uri> = prefixes.keys().map(|prefix| self.curated.join(prefix)).collect();
        let mut lists = Vec::new();
        for folder in &folders {
            lists.push(self.store.list(folder));
        }
        let objects: Vec<Vec<Object>> = futures_util::stream::iter(lists).buffered(AT_ONCE).try_collect().await?;
        let wanted: BTreeMap<String, &Partition> = prefixes.into_values().flatten().collect();
        let file = |object: Object| {
            let below = object.uri.below(self.curated)?;
            let (place, name) = below.rsplit_once('/')?;
            let partition = wanted.get(place).filter(|_| !is_hidden(name) && name.ends_with(".parquet"))?;
            let path = below.strip_prefix(self.table)?.trim_start_matches('/');
            Some(AddedFile {
                path: utf8_percent_encode(path, KEPT).to_string(),
                values: values(by, partition),
                bytes: object.bytes,
                modified: object.modified,
            })
        };
        Ok(objects.into_iter().flatten().filter_map(file).collect())
    }

    /// Writes the commit after `last`; returns how far the log is then, or `None` when someone else has written one.
    async fn commit(&self, last: Option<u64>, version: &Version, change: LogChange) -> Result<Option<DeltaHead>> {
        let number = last.map_or(0, |last| last + 1);
        let at = self.store.now().as_millisecond();
        let mut actions = vec![json!({ "commitInfo": {
            "timestamp": at, "operation": "WRITE", "operationParameters": { "mode": "Overwrite" },
            "engineInfo": concat!("soflow/", env!("CARGO_PKG_VERSION")), "soflow.run": version.run,
        } })];
        if let Some(schema) = change.schema {
            actions.push(json!({ "protocol": protocol(version) }));
            actions.push(json!({ "metaData": {
                "id": self.id(), "name": self.table, "format": { "provider": "parquet", "options": {} },
                "schemaString": schema.to_string(), "partitionColumns": version.partition_by,
                "configuration": {}, "createdTime": at,
            } }));
        }
        let removed = |path: String| json!({ "remove": { "path": path, "dataChange": true, "deletionTimestamp": at } });
        let added = |file: &AddedFile| {
            json!({ "add": {
                "path": file.path, "partitionValues": file.values, "size": file.bytes,
                "modificationTime": file.modified.as_millisecond(), "dataChange": true,
            } })
        };
        actions.extend(change.gone.into_iter().map(removed));
        actions.extend(change.new.iter().map(added));
        let body: String = actions.iter().map(|action| format!("{action}\n")).collect();
        let uri = self.folder().join(&format!("{number:020}.json"));
        let written = self.store.put_if_absent(&uri, body.as_bytes()).await?;
        Ok(written.map(|_| DeltaHead { run: version.run.clone(), commit: Some(number) }))
    }

    /// Reads the whole log; one that is damaged is removed, to be begun anew.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn replay(&self) -> Result<Replayed> {
        let commits = self.store.list_all(&self.folder()).await?;
        let number = |object: &Object| {
            let name = object.uri.as_str().rsplit('/').next()?.strip_suffix(".json")?;
            (name.len() == 20).then(|| name.parse::<u64>().ok()).flatten()
        };
        let mut numbered: Vec<(u64, Uri)> =
            commits.iter().filter_map(|object| Some((number(object)?, object.uri.clone()))).collect();
        numbered.sort();
        let mut read = Vec::new();
        for (_, uri) in &numbered {
            read.push(self.store.get(uri));
        }
        let bodies: Vec<Option<Vec<u8>>> = futures_util::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
        let mut log = Replayed::default();
        for ((number, _), body) in numbered.iter().zip(bodies) {
            log.last = Some(*number);
            for line in String::from_utf8_lossy(&body.unwrap_or_default()).lines() {
                let Ok(action) = serde_json::from_str::<Value>(line) else {
                    // It says nothing that the catalog does not know.
                    self.store.remove(&self.folder()).await?;
                    return Ok(Replayed::default());
                };
                if let Some(path) = action["add"]["path"].as_str() {
                    log.live.insert(path.into());
                }
                if let Some(path) = action["remove"]["path"].as_str() {
                    log.live.remove(path);
                }
                if let Some(info) = action.get("commitInfo") {
                    log.run = info["soflow.run"].as_str().and_then(|run| run.parse().ok());
                }
            }
        }
        Ok(log)
    }

    /// Returns the table's id, a UUID that is always the same.
    fn id(&self) -> String {
        let digest = Digest::of([self.curated.as_str(), self.table]);
        let hex = &digest.as_str()[..32];
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }
}

/// Returns the partitions that only `before` has, and those that only `after` has.
fn changed<'a>(before: Option<&'a Version>, after: &'a Version) -> (Vec<&'a Partition>, Vec<&'a Partition>) {
    let keys = |version: &'a Version| -> BTreeSet<String> {
        version.partitions.iter().map(|partition| partition.place(&version.partition_by)).collect()
    };
    let only = |of: &'a Version, others: &BTreeSet<String>| -> Vec<&'a Partition> {
        of.partitions.iter().filter(|partition| !others.contains(&partition.place(&of.partition_by))).collect()
    };
    let gone = before.map_or_else(Vec::new, |before| only(before, &keys(after)));
    (gone, only(after, &before.map(keys).unwrap_or_default()))
}

/// Returns the columns as a Delta schema; `None` when there are none, or one that Delta has no type for.
fn schema(version: &Version) -> Option<Value> {
    let column =
        |column: &crate::plan::Column| Some(delta_field(&column.name, ColumnType::parse(&column.kind)?.delta()?));
    let mut fields = version.schema.iter().map(column).collect::<Option<Vec<_>>>()?;
    if fields.is_empty() {
        return None;
    }
    fields.extend(version.partition_by.iter().map(|name| delta_field(name, "string".into())));
    Some(json!({ "type": "struct", "fields": fields }))
}

fn protocol(version: &Version) -> Value {
    let ntz = "timestamp_ntz";
    if version.schema.iter().any(|column| ColumnType::parse(&column.kind).is_some_and(|kind| kind.has(ntz))) {
        let features = ["timestampNtz"];
        return json!({ "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features });
    }
    json!({ "minReaderVersion": 1, "minWriterVersion": 2 })
}

fn values(by: &[String], partition: &Partition) -> Value {
    let value = |column: &String| {
        let value = partition.values.get(column).map_or(NULL_PARTITION, String::as_str);
        (column.clone(), if value == NULL_PARTITION { Value::Null } else { value.into() })
    };
    Value::Object(by.iter().map(value).collect())
}
