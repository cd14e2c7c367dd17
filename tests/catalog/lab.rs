//! A lake in moto's S3, its Glue database, and versions to publish.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use aws_credential_types::Credentials;
use jiff::SignedDuration;
use serde_json::{Value, json};
use soflow::aws::Session;
use soflow::catalog::{Catalog, GlueTables, Index};
use soflow::names::{Digest, Uri};
use soflow::plan::{Column, Partition, Version};
use soflow::store::{Owner, S3Store};

use super::late::Late;
use crate::twin::{REGION, Twin};

/// A lake of its own for a test.
pub struct Lab {
    pub twin: Twin,
    pub curated: Uri,
    pub name: String,
    pub runtime: tokio::runtime::Runtime,
}

impl Lab {
    /// Returns an empty lake; `name` is that of its bucket and its database.
    pub fn new(name: &str) -> Self {
        let twin = Twin::start();
        twin.bucket(name);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Self { twin, curated: Uri::in_bucket(name, "curated"), name: name.into(), runtime }
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Returns a client of its own, as another process has.
    pub async fn session(&self) -> Session {
        let keys = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
        let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
            .empty_test_environment()
            .endpoint_url(self.twin.url())
            .region(aws_config::Region::new(REGION))
            .credentials_provider(keys)
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        Session::of(loader.load().await, 1.0).unwrap()
    }

    pub async fn catalog(&self) -> Catalog {
        self.catalog_of(&self.curated, SignedDuration::ZERO).await
    }

    /// Returns the catalog of the tables at `curated`, by a clock that is so much ahead.
    pub async fn catalog_of(&self, curated: &Uri, later: SignedDuration) -> Catalog {
        self.catalog_by(Owner::me("anna@laptop", "laptop"), curated, later).await
    }

    /// Returns the catalog as another process has it.
    pub async fn catalog_by(&self, owner: Owner, curated: &Uri, later: SignedDuration) -> Catalog {
        let session = self.session().await;
        let store = Arc::new(Late(S3Store::new(&session), later));
        Catalog::new(store, curated, Some(GlueTables::new(session, &self.name, curated, owner)))
    }

    /// Publishes on top of what is there.
    pub async fn publish(&self, versions: &[Version]) {
        let catalog = self.catalog().await;
        let seen = catalog.index().await.unwrap();
        catalog.publish(&seen, versions).await.unwrap_or_else(|error| panic!("{error}: {:?}", error.causes()));
    }

    /// Asks moto's Glue about this database, past the twin.
    pub fn ask(&self, target: &'static str, mut input: Value) -> Value {
        input["DatabaseName"] = self.name.as_str().into();
        self.twin.ask("glue", target, &input).1
    }

    /// Returns a table as Glue has it.
    pub fn table(&self, name: &str) -> Value {
        self.ask("AWSGlue.GetTable", json!({ "Name": name }))["Table"].take()
    }

    /// Returns the places of a table's partitions, by their values.
    pub fn places(&self, table: &str) -> BTreeMap<String, String> {
        let place = |partition: &Value| {
            let values: Vec<&str> =
                partition["Values"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
            (values.join("|"), partition["StorageDescriptor"]["Location"].as_str().unwrap().to_string())
        };
        self.partitions(table).iter().map(place).collect()
    }

    /// Returns a table's partitions as Glue has them.
    fn partitions(&self, table: &str) -> Vec<Value> {
        match self.ask("AWSGlue.GetPartitions", json!({ "TableName": table }))["Partitions"].take() {
            Value::Array(found) => found,
            _ => Vec::new(),
        }
    }

    /// Fails unless Glue shows exactly what the catalog says: every current version, every partition in its place.
    pub async fn must_agree(&self, when: &str) -> Index {
        let catalog = self.catalog().await;
        let index = catalog.index().await.unwrap();
        for (table, entry) in &index.tables {
            let version = catalog.version(table, &entry.current).await.unwrap().unwrap();
            let shown = self.table(table);
            assert_eq!(shown["Parameters"]["soflow.run"], entry.current.to_string(), "{when}: {table}");
            assert_eq!(shown["TableType"], "EXTERNAL_TABLE", "{when}: {table}");
            let wanted: Vec<_> =
                version.schema.iter().map(|column| (column.name.clone(), hive(&column.kind))).collect();
            assert_eq!(columns(&shown["StorageDescriptor"]["Columns"]), wanted, "{when}: {table}");
            let keys: Vec<_> = version.partition_by.iter().map(|key| (key.clone(), "string".to_string())).collect();
            assert_eq!(columns(&shown["PartitionKeys"]), keys, "{when}: {table}");
            for partition in self.partitions(table) {
                assert_eq!(columns(&partition["StorageDescriptor"]["Columns"]), wanted, "{when}: {table}: {partition}");
            }
            if version.partition_by.is_empty() {
                let place = self.curated.join(&version.partitions[0].prefix).to_string();
                assert_eq!(shown["StorageDescriptor"]["Location"], place, "{when}: {table}");
            } else {
                assert_eq!(self.places(table), self.wanted(&version), "{when}: {table}");
            }
        }
        index
    }

    fn wanted(&self, version: &Version) -> BTreeMap<String, String> {
        let place = |partition: &Partition| {
            let values: Vec<&str> = partition.values.values().map(String::as_str).collect();
            let month = &partition.values["month"];
            (values.join("|"), format!("{}/{}/month={month}", self.curated, partition.prefix))
        };
        version.partitions.iter().map(place).collect()
    }

    /// Returns how many calls of each Glue operation there were.
    pub fn glue_calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for call in self.twin.calls().into_iter().filter(|call| call.service == "glue") {
            *calls.entry(call.operation).or_default() += 1;
        }
        calls
    }
}

/// Returns names and types of columns as Glue has them.
fn columns(found: &Value) -> Vec<(String, String)> {
    let text = |column: &Value, key: &str| column[key].as_str().unwrap().to_string();
    found.as_array().into_iter().flatten().map(|column| (text(column, "Name"), text(column, "Type"))).collect()
}

/// Returns what Hive calls a type of [`version`]'s columns: it has no timestamp without a zone of its own.
fn hive(kind: &str) -> String {
    kind.replace("timestamp_ntz", "timestamp")
}

/// Returns a version of a table partitioned by `month`, each partition written by the run named with it.
pub fn monthly(table: &str, run: &str, months: &[(&str, &str)]) -> Version {
    let partition = |(month, writer): &(&str, &str)| Partition {
        values: BTreeMap::from([("month".to_string(), (*month).to_string())]),
        prefix: format!("{table}/run={writer}"),
        directory: None,
        rows: 10,
        bytes: 1000,
        files: 1,
    };
    version(table, run, &["month"], months.iter().map(partition).collect())
}

/// Returns a version of a table without partitions.
pub fn whole(table: &str, run: &str) -> Version {
    let prefix = format!("{table}/run={run}");
    version(
        table,
        run,
        &[],
        vec![Partition { values: BTreeMap::new(), prefix, directory: None, rows: 10, bytes: 1000, files: 1 }],
    )
}

pub fn version(table: &str, run: &str, partition_by: &[&str], partitions: Vec<Partition>) -> Version {
    let column = |(name, kind): (&str, &str)| Column { name: name.into(), kind: kind.into(), nullable: true };
    let columns = [("id", "bigint"), ("tags", "array<string>"), ("seen_at", "timestamp_ntz")];
    Version {
        table: table.into(),
        run: run.parse().unwrap(),
        published_at: "2026-11-22T03:00:00Z".parse().unwrap(),
        published_with: [].into(),
        content: Digest::of([table, run]),
        base: None,
        made_by: BTreeMap::new(),
        applied: [].into(),
        brought: BTreeMap::new(),
        schema: columns.into_iter().map(column).collect(),
        partition_by: partition_by.iter().map(ToString::to_string).collect(),
        partitions,
    }
}
