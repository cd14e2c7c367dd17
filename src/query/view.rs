//! How a published table is read: its live partitions and no other file. Its rows lie under the prefixes of several runs,
//! and one prefix also holds partitions that a later run has replaced.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::config::Engine;
use crate::names::{NULL_PARTITION, PartitionValues, Uri};
use crate::plan::{Partition, Version};
use crate::spark_connect::Relation;

/// A table as the union of reads.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// Its columns in Spark's DDL, those of the partitions last.
    pub schema: String,
    /// What is read of which folder. Nothing is, of a table without rows.
    pub reads: Vec<TableRead>,
}

/// One read of Parquet files.
#[derive(Clone, Debug, Serialize)]
pub struct TableRead {
    /// As the engine wants to be told it.
    pub folder: String,
    /// The columns to read, in Spark's DDL.
    pub schema: String,
    /// The view's columns, each an expression over those that are read.
    pub columns: Vec<String>,
    /// Which rows.
    pub condition: Option<String>,
}

/// What a path in a URI keeps as it is, besides letters and digits.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl View {
    /// Returns how `engine` reads a version of a table.
    ///
    /// # Errors
    /// A sentence: a partition is not where it was published, or nobody knows the table's columns.
    pub fn of(version: &Version, curated: &Uri, engine: Engine) -> Result<Self, String> {
        let stored = version.schema.iter().map(|column| (column.name.as_str(), column.kind.as_str()));
        let keys = version.partition_by.iter().map(|key| (key.as_str(), "string"));
        let table = TableReads {
            version,
            curated,
            engine,
            stored: stored.clone().collect(),
            all: stored.chain(keys).collect(),
        };
        if table.all.is_empty() {
            let name = &version.table;
            return Err(format!("`{name}` has never had a row, and its step did not say which columns it has"));
        }
        Ok(Self { schema: ddl(&table.all), reads: table.reads()? })
    }

    /// Returns the view's rows.
    pub fn relation(&self) -> Relation {
        let read = |read: &TableRead| {
            let rows = Relation::parquet(&read.folder, &read.schema).select(&read.columns);
            match &read.condition {
                Some(condition) => rows.filter(condition),
                None => rows,
            }
        };
        self.reads.iter().map(read).reduce(Relation::union_all).unwrap_or_else(|| Relation::empty(&self.schema))
    }
}

struct TableReads<'a> {
    version: &'a Version,
    curated: &'a Uri,
    engine: Engine,
    stored: Vec<(&'a str, &'a str)>,
    all: Vec<(&'a str, &'a str)>,
}

impl TableReads<'_> {
    fn reads(&self) -> Result<Vec<TableRead>, String> {
        let mut prefixes: BTreeMap<&str, Vec<&Partition>> = BTreeMap::new();
        for partition in &self.version.partitions {
            self.check(partition)?;
            prefixes.entry(&partition.prefix).or_default().push(partition);
        }
        let mut reads = Vec::new();
        for (prefix, partitions) in prefixes {
            let (mut plain, mut odd): (Vec<_>, Vec<_>) =
                partitions.into_iter().partition(|partition| partition.values.values().all(|value| is_plain(value)));
            // One directory that Spark cannot list, such as `hour=10:00`, would make it fail for the whole prefix.
            if self.engine == Engine::Spark && !odd.is_empty() {
                odd.append(&mut plain);
            }
            if !plain.is_empty() {
                reads.push(self.whole(prefix, &plain));
            }
            reads.extend(odd.into_iter().map(|partition| self.single(partition)));
        }
        Ok(reads)
    }

    /// Sail reads a directory that is not there as an empty one; a published partition that is lost is no such.
    fn check(&self, partition: &Partition) -> Result<(), String> {
        let place = partition.place(&self.version.partition_by);
        let is_lost = |path: std::path::PathBuf| partition.files > 0 && !path.is_dir();
        if self.curated.join(&place).to_path().is_some_and(is_lost) {
            let (prefix, table) = (self.curated.join(&partition.prefix), &self.version.table);
            return Err(match place[partition.prefix.len()..].trim_start_matches('/') {
                "" => format!("`{table}` is missing: there is no {prefix}"),
                directory => format!("partition {directory} of `{table}` is missing in {prefix}"),
            });
        }
        Ok(())
    }

    /// Returns one read of a whole prefix, filtered: hundreds of partitions, one branch of the union.
    fn whole(&self, prefix: &str, live: &[&Partition]) -> TableRead {
        TableRead {
            folder: self.folder(prefix),
            schema: ddl(&self.all),
            columns: self.all.iter().map(|(name, _)| quoted(name)).collect(),
            condition: live_condition(&self.version.partition_by, live),
        }
    }

    /// Returns the read of one partition, its values put back by hand.
    ///
    /// Each engine decodes the directories that it spells, and not those of the other. Sail looks for `k=x=y` where the
    /// directory is `k=x%3Dy` as soon as a query says `k = 'x=y'`, and so returns nothing; and it shows a null partition
    /// as text.
    fn single(&self, partition: &Partition) -> TableRead {
        let stored = self.stored.iter().map(|(name, _)| quoted(name));
        let keys = self.version.partition_by.iter();
        let keys = keys.map(|key| format!("{} as {}", literal(value_of(&partition.values, key)), quoted(key)));
        TableRead {
            folder: self.folder(&partition.place(&self.version.partition_by)),
            schema: ddl(&self.stored),
            columns: stored.chain(keys).collect(),
            condition: None,
        }
    }

    /// Sail decodes the URI it is given, as URIs are; Spark takes the text behind `file://` as the path.
    fn folder(&self, place: &str) -> String {
        let uri = self.curated.join(place);
        match uri.as_str().strip_prefix("file://") {
            Some(path) if self.engine == Engine::Sail => format!("file://{}", utf8_percent_encode(path, KEPT)),
            _ => uri.to_string(),
        }
    }
}

/// Returns the condition that only these partitions meet, short even with a year of days for each of a few.
fn live_condition(keys: &[String], live: &[&Partition]) -> Option<String> {
    let (inner, outer) = keys.split_last()?;
    let mut groups: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for partition in live {
        let first = outer.iter().map(|key| value_of(&partition.values, key)).collect();
        groups.entry(first).or_default().push(literal(value_of(&partition.values, inner)));
    }
    let condition = |(first, last): (Vec<&str>, Vec<String>)| {
        let equal = outer.iter().zip(first).map(|(key, value)| format!("{} = {}", quoted(key), literal(value)));
        let within = format!("{} in ({})", quoted(inner), last.join(", "));
        format!("({})", equal.chain([within]).collect::<Vec<_>>().join(" and "))
    };
    Some(groups.into_iter().map(condition).collect::<Vec<_>>().join(" or "))
}

fn value_of<'a>(values: &'a PartitionValues, key: &str) -> &'a str {
    values.get(key).map_or(NULL_PARTITION, String::as_str)
}

/// Returns whether a value's directory is the value itself with every engine.
fn is_plain(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    value != NULL_PARTITION && !value.is_empty() && value.bytes().all(plain)
}

fn literal(value: &str) -> String {
    match value {
        NULL_PARTITION => "cast(null as string)".into(),
        _ => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn ddl(columns: &[(&str, &str)]) -> String {
    let columns = columns.iter().map(|(name, kind)| format!("{} {kind}", quoted(name)));
    columns.collect::<Vec<_>>().join(", ")
}
