//! A published version as Glue should show it. Pure.
//!
//! The form is that of `CREATE EXTERNAL TABLE … STORED AS PARQUET`, which Athena, Hive, Trino, Spark and Redshift Spectrum
//! read. Source: the DDL of "CREATE TABLE" in the Athena user guide, and what Hive writes for `STORED AS PARQUET`.

use std::collections::BTreeMap;

use super::calls::{GlueColumn, GluePartition, GlueTable, Serde, Storage};
use crate::names::Uri;
use crate::plan::{self, Version};

/// The table parameter that names the run whose version is shown completely.
pub const RUN: &str = "soflow.run";

/// The table parameter that names the lake the table is of, from its beginning: two lakes must not share a database, and
/// a table without it is not ours.
pub const LAKE: &str = "soflow.lake";

/// The table parameter with the catalog's generation that was shown last.
const GENERATION: &str = "soflow.generation";

const TABLE_TYPE: &str = "EXTERNAL_TABLE";
const INPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
const OUTPUT: &str = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat";
const SERDE: &str = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";

/// A version and where its lake is.
#[derive(Clone, Copy, Debug)]
pub struct ShownVersion<'a> {
    pub version: &'a Version,
    pub curated: &'a Uri,
    /// Of the catalog when this was published.
    pub generation: u64,
}

impl ShownVersion<'_> {
    /// Returns the table; what people have added to `found` in Glue (comments, an owner, parameters) stays.
    pub fn table(&self, found: Option<&GlueTable>) -> GlueTable {
        let mut table = found.cloned().unwrap_or_default();
        let mut storage = storage(self.columns(), self.location());
        for column in &mut storage.columns {
            let before = table.storage_descriptor.columns.iter().find(|before| before.name == column.name);
            column.comment = before.and_then(|before| before.comment.clone());
        }
        table.name.clone_from(&self.version.table);
        table.table_type = TABLE_TYPE.into();
        table.partition_keys = self.keys();
        table.storage_descriptor = storage;
        table.parameters.extend(self.parameters());
        table.parameters.insert(GENERATION.into(), self.generation.to_string());
        table
    }

    /// Returns the table as long as its partitions are not there: it names no run and has no columns to ask for.
    pub fn unfinished(&self) -> GlueTable {
        let mut table = self.table(None);
        table.parameters.remove(RUN);
        table.storage_descriptor.columns.clear();
        table
    }

    /// Returns whether `found` says all that [`ShownVersion::table`] would.
    pub fn is_shown_by(&self, found: &GlueTable) -> bool {
        let ours = self.parameters();
        found.table_type == TABLE_TYPE
            && self.has_keys_of(found)
            && same(&found.storage_descriptor, &storage(self.columns(), self.location()))
            && ours.iter().all(|(name, value)| found.parameters.get(name) == Some(value))
    }

    /// Returns whether `found` has the same partition columns.
    pub fn has_keys_of(&self, found: &GlueTable) -> bool {
        same_columns(&found.partition_keys, &self.keys())
    }

    /// Returns the partitions; none for a table without partition columns.
    pub fn partitions(&self) -> Vec<GluePartition> {
        if self.version.partition_by.is_empty() {
            return Vec::new();
        }
        let columns = self.columns();
        let value = |partition: &plan::Partition, column| partition.values.get(column).cloned().unwrap_or_default();
        let one = |partition: &plan::Partition| GluePartition {
            values: self.version.partition_by.iter().map(|column| value(partition, column)).collect(),
            // Readers refuse a partition whose columns are not the table's: HIVE_PARTITION_SCHEMA_MISMATCH.
            storage_descriptor: storage(columns.clone(), self.folder(partition)),
            parameters: statistics(partition.rows, partition.bytes, partition.files),
        };
        self.version.partitions.iter().map(one).collect()
    }

    fn parameters(&self) -> BTreeMap<String, String> {
        let version = self.version;
        let files = version.partitions.iter().map(|partition| partition.files).sum();
        let mut parameters = statistics(version.rows(), version.bytes(), files);
        parameters.extend([
            ("EXTERNAL".into(), "TRUE".into()),
            ("classification".into(), "parquet".into()),
            (RUN.into(), version.run.to_string()),
            (LAKE.into(), self.curated.to_string()),
            ("soflow.content".into(), version.content.as_str().into()),
        ]);
        parameters
    }

    fn columns(&self) -> Vec<GlueColumn> {
        let column = |column: &plan::Column| GlueColumn {
            name: column.name.to_lowercase(),
            kind: hive_type(&column.kind),
            comment: None,
        };
        self.version.schema.iter().map(column).collect()
    }

    fn keys(&self) -> Vec<GlueColumn> {
        let key = |name: &String| GlueColumn { name: name.to_lowercase(), kind: "string".into(), comment: None };
        self.version.partition_by.iter().map(key).collect()
    }

    /// A table without partitions moves as a whole; with partitions each of them has a place of its own.
    fn location(&self) -> String {
        let version = self.version;
        match version.partitions.first() {
            Some(only) if version.partition_by.is_empty() => self.folder(only),
            None if version.partition_by.is_empty() => {
                self.curated.join(&plan::run_prefix(&version.table, &version.run)).to_string()
            }
            _ => self.curated.join(&version.table).to_string(),
        }
    }

    fn folder(&self, partition: &plan::Partition) -> String {
        self.curated.join(&partition.place(&self.version.partition_by)).to_string()
    }
}

fn storage(columns: Vec<GlueColumn>, location: String) -> Storage {
    let parameters = BTreeMap::from([("serialization.format".into(), "1".into())]);
    Storage {
        columns,
        location,
        input_format: INPUT.into(),
        output_format: OUTPUT.into(),
        serde_info: Serde { serialization_library: SERDE.into(), parameters },
    }
}

/// What Hive and Trino plan with. Source: Hive's StatsSetupConst.
fn statistics(rows: u64, bytes: u64, files: u64) -> BTreeMap<String, String> {
    [("numRows", rows), ("totalSize", bytes), ("numFiles", files)]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .into()
}

/// Returns whether two places hold the same; comments and what the format may be told beyond its name do not count.
pub fn same(left: &Storage, right: &Storage) -> bool {
    left.location.trim_end_matches('/') == right.location
        && left.input_format == right.input_format
        && left.output_format == right.output_format
        && left.serde_info.serialization_library == right.serde_info.serialization_library
        && same_columns(&left.columns, &right.columns)
}

fn same_columns(left: &[GlueColumn], right: &[GlueColumn]) -> bool {
    let pairs = || left.iter().zip(right);
    left.len() == right.len() && pairs().all(|(left, right)| left.name == right.name && left.kind == right.kind)
}

/// Returns the Hive type of a Spark type: `bigint` and `struct<a:int,b:array<string>>` stay as they are,
/// `timestamp_ntz`, which Hive does not tell apart, is `timestamp`, and a column of nulls only is `string`.
pub fn hive_type(spark: &str) -> String {
    let mut hive = String::with_capacity(spark.len());
    let mut rest = spark;
    while !rest.is_empty() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let after = &rest[word..];
        // A word before a colon names a member of a struct.
        let member = after.starts_with(':');
        hive.push_str(match &rest[..word] {
            "timestamp_ntz" | "timestamp_ltz" if !member => "timestamp",
            "void" if !member => "string",
            word => word,
        });
        let next = after.chars().next().map_or(0, char::len_utf8);
        hive.push_str(&after[..next]);
        rest = &after[next..];
    }
    hive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_hive() {
        for (spark, hive) in [
            ("bigint", "bigint"),
            ("array<string>", "array<string>"),
            ("timestamp_ntz", "timestamp"),
            ("decimal(20,0)", "decimal(20,0)"),
            ("void", "string"),
            ("map<string,array<timestamp_ntz>>", "map<string,array<timestamp>>"),
            (
                "struct<void:void,größe:timestamp_ntz,timestamp_ntz:int>",
                "struct<void:string,größe:timestamp,timestamp_ntz:int>",
            ),
        ] {
            assert_eq!(hive_type(spark), hive);
        }
    }
}
