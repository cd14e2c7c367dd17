//! How a version looks in Glue.

use serde_json::json;

use super::lab::{Lab, monthly, version, whole};
use soflow::names::parse_partition_path;
use soflow::plan::Partition;

#[test]
fn a_table_is_what_athena_would_have_made() {
    let lab = Lab::new("form");
    lab.run(lab.publish(&[monthly("questions", "daily.2026-11-22.1", &[("2026-10", "daily.2026-11-22.1")])]));
    let mut shown = lab.table("questions");
    for changing in [
        "CreateTime",
        "UpdateTime",
        "VersionId",
        "CatalogId",
        "Retention",
        "CreatedBy",
        "IsRegisteredWithLakeFormation",
    ] {
        shown.as_object_mut().unwrap().remove(changing);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown).unwrap());
    let mut partition = lab.ask("AWSGlue.GetPartitions", json!({ "TableName": "questions" }))["Partitions"][0].take();
    partition.as_object_mut().unwrap().remove("CreationTime");
    insta::assert_snapshot!(serde_json::to_string_pretty(&partition).unwrap());
    let database = lab.twin.ask("glue", "AWSGlue.GetDatabase", &json!({ "Name": "form" })).1;
    assert_eq!(database["Database"]["LocationUri"], "s3://form/curated");
}

#[test]
fn a_table_without_partitions_moves_as_a_whole() {
    let lab = Lab::new("form-whole");
    lab.run(async {
        lab.publish(&[whole("tags", "daily.2026-11-21.1")]).await;
        lab.publish(&[whole("tags", "daily.2026-11-22.1")]).await;
        lab.must_agree("after both").await;
    });
    let calls = lab.glue_calls();
    assert_eq!(calls.get("GetPartitions"), None, "{calls:?}");
}

#[test]
fn a_value_is_told_as_it_is_and_its_place_as_the_files_are() {
    let lab = Lab::new("form-values");
    let values = ["a/b=c d", "größe 日本", "it's \"50%\"", "__HIVE_DEFAULT_PARTITION__", "[x]{y}:*?^#\\"];
    let partition = |value: &str| Partition {
        values: [("tag".to_string(), value.to_string())].into(),
        prefix: "odd/run=daily.2026-11-22.1".into(),
        directory: None,
        rows: 1,
        bytes: 1,
        files: 1,
    };
    let odd = version("odd", "daily.2026-11-22.1", &["tag"], values.map(partition).to_vec());
    lab.run(lab.publish(&[odd]));
    let shown: Vec<_> = lab.places("odd").into_iter().map(|(value, place)| format!("{value} -> {place}")).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_value_comes_back_from_glue_whichever_engine_spelled_its_directory() {
    let lab = Lab::new("form-spelled");
    let by = ["tag".to_string()];
    let directories = [
        ("10:00", "tag=10:00"),
        ("a=b", "tag=a=b"),
        ("it's ~<|>", "tag=it's %7E%3C%7C%3E"),
        ("São", "tag=S%C3%A3o"),
        ("Sa\u{303}o", "tag=Sa\u{303}o"),
        ("__HIVE_DEFAULT_PARTITION__", "tag="),
        ("100%", "tag=100%25"),
    ];
    let partition = |(value, directory): (&str, &str)| Partition {
        values: [("tag".to_string(), value.to_string())].into(),
        prefix: "odd/run=daily.2026-11-22.1".into(),
        directory: Some(directory.into()),
        rows: 1,
        bytes: 1,
        files: 1,
    };
    let odd = version("odd", "daily.2026-11-22.1", &["tag"], directories.map(partition).to_vec());
    lab.run(lab.publish(&[odd]));
    let shown = lab.places("odd");
    assert_eq!(shown.len(), directories.len());
    for (value, directory) in directories {
        assert_eq!(shown[value], format!("s3://form-spelled/curated/odd/run=daily.2026-11-22.1/{directory}"));
        let below = shown[value].rsplit('/').next().unwrap();
        assert_eq!(parse_partition_path(&by, below).unwrap()["tag"], value);
    }
}

#[test]
fn a_table_without_rows_has_its_columns() {
    let lab = Lab::new("form-empty");
    let run = "daily.2026-11-22.1";
    lab.run(lab.publish(&[version("none", run, &["month"], vec![]), version("whole", run, &[], vec![])]));
    for table in ["none", "whole"] {
        let shown = lab.table(table);
        assert_eq!(shown["StorageDescriptor"]["Columns"][0], json!({ "Name": "id", "Type": "bigint" }));
        assert_eq!(shown["Parameters"]["soflow.run"], run);
        assert_eq!(lab.places(table).len(), 0);
    }
    assert_eq!(lab.table("whole")["StorageDescriptor"]["Location"], format!("s3://form-empty/curated/whole/run-{run}"));
}

#[test]
fn a_new_column_reaches_the_table_and_every_partition() {
    let lab = Lab::new("form-column");
    let months = [("2026-09", "daily.2026-11-21.1"), ("2026-10", "daily.2026-11-21.1")];
    lab.run(async {
        lab.publish(&[monthly("questions", "daily.2026-11-21.1", &months)]).await;
        let mut wider = monthly("questions", "daily.2026-11-22.1", &months);
        wider.schema.push(soflow::plan::Column { name: "score".into(), kind: "int".into(), nullable: true });
        lab.publish(&[wider]).await;
    });
    let columns = lab.table("questions")["StorageDescriptor"]["Columns"].take();
    assert_eq!(columns[3], json!({ "Name": "score", "Type": "int" }));
    let partitions = lab.ask("AWSGlue.GetPartitions", json!({ "TableName": "questions" }));
    for partition in partitions["Partitions"].as_array().unwrap() {
        assert_eq!(partition["StorageDescriptor"]["Columns"], columns);
    }
}

#[test]
fn new_partition_columns_make_the_table_anew() {
    let lab = Lab::new("form-keys");
    lab.run(async {
        lab.publish(&[monthly("questions", "daily.2026-11-21.1", &[("2026-09", "daily.2026-11-21.1")])]).await;
        lab.publish(&[whole("questions", "daily.2026-11-22.1")]).await;
        lab.must_agree("without partitions").await;
        lab.publish(&[monthly("questions", "daily.2026-11-23.1", &[("2026-09", "daily.2026-11-23.1")])]).await;
        lab.must_agree("with partitions again").await;
    });
}

#[test]
fn hundreds_of_partitions_go_in_batches() {
    let lab = Lab::new("form-many");
    let names: Vec<String> = (0..250).map(|at| format!("{at:03}")).collect();
    let by = |run: &'static str| names.iter().map(|name| (name.as_str(), run)).collect::<Vec<_>>();
    lab.run(async {
        lab.publish(&[monthly("many", "daily.2026-11-21.1", &by("daily.2026-11-21.1"))]).await;
        assert_eq!(lab.glue_calls()["BatchCreatePartition"], 3);
        lab.publish(&[monthly("many", "daily.2026-11-22.1", &by("daily.2026-11-22.1"))]).await;
        assert_eq!(lab.glue_calls()["BatchUpdatePartition"], 3);
        lab.publish(&[monthly("many", "daily.2026-11-23.1", &by("daily.2026-11-22.1")[..190])]).await;
        assert_eq!(lab.glue_calls()["BatchDeletePartition"], 3);
        lab.must_agree("after all").await;
    });
}

#[test]
fn a_publication_calls_only_about_what_changed() {
    let lab = Lab::new("form-few");
    let run = "daily.2026-11-21.1";
    lab.run(async {
        lab.publish(&[monthly("a", run, &[("1", run)]), monthly("b", run, &[("1", run)]), whole("c", run)]).await;
        lab.twin.reset_calls();
        let next = "daily.2026-11-22.1";
        lab.publish(&[monthly("b", next, &[("1", run), ("2", next)])]).await;
    });
    let calls: Vec<String> =
        lab.glue_calls().into_iter().map(|(operation, times)| format!("{operation} {times}")).collect();
    assert_eq!(calls, ["BatchCreatePartition 1", "GetPartitions 1", "GetTable 1", "UpdateTable 1"]);
    let objects: Vec<String> =
        lab.twin.calls().into_iter().filter(|c| c.service == "s3").map(|c| c.operation).collect();
    insta::assert_snapshot!(objects.join(" "));
}
