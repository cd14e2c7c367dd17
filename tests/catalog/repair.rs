//! What others do to the tables in Glue, and rollback and garbage collection through the same catalog.

use jiff::SignedDuration;
use serde_json::json;
use soflow::error::Kind;
use soflow::names::{RunId, Uri};

use super::lab::{Lab, monthly, whole};
use crate::twin::{Fault, FaultKind};

const FIRST: &str = "daily.2026-11-21.1";
const SECOND: &str = "daily.2026-11-22.1";

fn run(text: &str) -> RunId {
    text.parse().unwrap()
}

#[test]
fn a_table_that_soflow_did_not_make_is_left_alone_and_nothing_is_published() {
    let lab = Lab::new("repair-foreign");
    lab.run(async {
        lab.publish(&[whole("tags", FIRST)]).await;
        let theirs = json!({ "TableInput": { "Name": "questions", "Parameters": { "owner": "finance" } } });
        lab.ask("AWSGlue.CreateTable", theirs);
        let catalog = lab.catalog().await;
        let seen = catalog.index().await.unwrap();
        let versions = [whole("tags", SECOND), whole("questions", SECOND)];
        let refused = catalog.publish(&seen, &versions).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Usage);
        insta::assert_snapshot!(format!("{refused}\n{}", refused.hints.join("\n")));
        assert_eq!(catalog.index().await.unwrap(), seen);
        assert_eq!(lab.table("questions")["Parameters"], json!({ "owner": "finance" }));
    });
}

#[test]
fn two_lakes_do_not_share_a_table() {
    let lab = Lab::new("repair-lakes");
    lab.run(async {
        lab.publish(&[whole("tags", FIRST)]).await;
        let other = lab.catalog_of(&Uri::in_bucket("repair-lakes", "other/curated"), SignedDuration::ZERO).await;
        let seen = other.index().await.unwrap();
        let refused = other.publish(&seen, &[whole("tags", SECOND)]).await.unwrap_err();
        assert!(refused.message.contains("shows another lake: `s3://repair-lakes/curated`"), "{refused}");
        lab.must_agree("after the refusal").await;
    });
}

#[test]
fn what_was_changed_by_hand_the_next_publication_repairs() {
    let lab = Lab::new("repair-hand");
    lab.run(async {
        let months = [("2026-08", FIRST), ("2026-09", FIRST), ("2026-10", FIRST)];
        lab.publish(&[monthly("questions", FIRST, &months), whole("tags", FIRST), monthly("gone", FIRST, &months)])
            .await;
        let values = json!({ "TableName": "questions", "PartitionsToDelete": [{ "Values": ["2026-08"] }] });
        lab.ask("AWSGlue.BatchDeletePartition", values);
        lab.ask("AWSGlue.DeleteTable", json!({ "Name": "gone" }));
        let mut theirs = lab.table("tags");
        theirs["StorageDescriptor"]["Location"] = "s3://elsewhere/tags".into();
        theirs["StorageDescriptor"]["Columns"][0]["Comment"] = "the tag's number".into();
        theirs["Parameters"]["team"] = "search".into();
        let theirs = json!({ "TableInput": {
            "Name": "tags", "TableType": theirs["TableType"], "Parameters": theirs["Parameters"],
            "StorageDescriptor": theirs["StorageDescriptor"], "Owner": "ada", "PartitionKeys": [],
        }});
        lab.ask("AWSGlue.UpdateTable", theirs);
        let again = |table: &str| monthly(table, SECOND, &months);
        lab.publish(&[again("questions"), whole("tags", SECOND), again("gone")]).await;
        lab.must_agree("after the publication").await;
        let tags = lab.table("tags");
        assert_eq!(tags["StorageDescriptor"]["Columns"][0]["Comment"], "the tag's number");
        assert_eq!((tags["Parameters"]["team"].as_str(), tags["Owner"].as_str()), (Some("search"), Some("ada")));
    });
}

#[test]
fn a_rollback_shows_the_old_partitions_and_mends_glue_when_it_goes_nowhere() {
    let lab = Lab::new("repair-rollback");
    lab.run(async {
        lab.publish(&[monthly("questions", FIRST, &[("2026-08", FIRST), ("2026-09", FIRST)])]).await;
        lab.publish(&[monthly("questions", SECOND, &[("2026-09", SECOND), ("2026-10", SECOND)])]).await;
        let catalog = lab.catalog().await;
        let seen = catalog.index().await.unwrap();
        catalog.point(&seen, &[("questions".into(), run(FIRST))].into()).await.unwrap();
        assert_eq!(lab.must_agree("after the rollback").await.tables["questions"].current, run(FIRST));
        let stale = catalog.point(&seen, &[("questions".into(), run(SECOND))].into()).await.unwrap_err();
        assert_eq!(stale.kind, Kind::Held);
        lab.ask("AWSGlue.DeleteTable", json!({ "Name": "questions" }));
        let seen = catalog.index().await.unwrap();
        catalog.point(&seen, &[("questions".into(), run(FIRST))].into()).await.unwrap();
        lab.must_agree("after the repair").await;
    });
}

#[test]
fn versions_are_forgotten_only_when_glue_does_not_show_them() {
    let lab = Lab::new("repair-forget");
    lab.run(async {
        lab.publish(&[whole("tags", FIRST)]).await;
        lab.twin.fault(Fault::new("glue", "UpdateTable", FaultKind::AccessDenied));
        let catalog = lab.catalog().await;
        let seen = catalog.index().await.unwrap();
        assert!(catalog.publish(&seen, &[whole("tags", SECOND)]).await.unwrap().is_some());
        assert_eq!(lab.table("tags")["Parameters"]["soflow.run"], FIRST);
        let seen = catalog.index().await.unwrap();
        catalog.forget(&seen, &[("tags".into(), run(FIRST))]).await.unwrap();
        assert!(!lab.must_agree("after forgetting").await.tables["tags"].keeps(&run(FIRST)));
        assert!(catalog.version("tags", &run(FIRST)).await.unwrap().is_some(), "a run may have begun with it");
    });
}

#[test]
fn a_damaged_index_is_made_anew_and_glue_shows_it() {
    let lab = Lab::new("repair-index");
    lab.run(async {
        lab.publish(&[whole("tags", FIRST), monthly("questions", FIRST, &[("2026-08", FIRST)])]).await;
        lab.publish(&[monthly("questions", SECOND, &[("2026-08", FIRST), ("2026-09", SECOND)])]).await;
        let before = lab.must_agree("before").await;
        lab.twin.put("s3://repair-index/curated/_catalog/catalog.json", "{");
        lab.ask("AWSGlue.DeleteTable", json!({ "Name": "tags" }));
        let catalog = lab.catalog().await;
        let published = [FIRST, SECOND].map(run).into();
        assert!(catalog.index().await.unwrap_err().hints[0].contains("`soflow tables repair`"));
        let found = catalog.restore(&published, false).await.unwrap();
        assert!(catalog.index().await.is_err(), "only looked");
        assert_eq!(catalog.restore(&published, true).await.unwrap(), found);
        assert_eq!((found.lost, found.added.len()), (true, 3));
        let after = lab.must_agree("after").await;
        assert!(after.generation > before.generation);
        let seen = |index: &soflow::catalog::Index, table: &str| index.tables[table].current.clone();
        assert!(["tags", "questions"].iter().all(|table| seen(&after, table) == seen(&before, table)));
    });
}

#[test]
fn partitions_that_glue_refuses_one_by_one_are_looked_at_again() {
    let lab = Lab::new("repair-items");
    lab.run(async {
        lab.publish(&[monthly("questions", FIRST, &[("2026-08", FIRST)])]).await;
        let stale = |key: &str, code: &str| {
            json!({ "Errors": [{ key: ["2026-09"], "ErrorDetail": { "ErrorCode": code, "ErrorMessage": "as it is" } }] })
        };
        for (operation, status, answer) in [
            ("BatchCreatePartition", 200, stale("PartitionValues", "AlreadyExistsException")),
            ("BatchUpdatePartition", 200, stale("PartitionValueList", "EntityNotFoundException")),
            ("BatchDeletePartition", 200, stale("PartitionValues", "EntityNotFoundException")),
            ("UpdateTable", 400, json!({ "__type": "ConcurrentModificationException", "message": "busy" })),
        ] {
            lab.twin.fault(Fault::new("glue", operation, FaultKind::Answer(status, answer.to_string())));
        }
        lab.publish(&[monthly("questions", SECOND, &[("2026-08", SECOND), ("2026-09", SECOND)])]).await;
        lab.must_agree("after refusals").await;
        let answer = stale("PartitionValues", "InvalidInputException");
        lab.twin.fault(Fault::new("glue", "BatchCreatePartition", FaultKind::Answer(200, answer.to_string())));
        let (catalog, third) = (lab.catalog().await, "daily.2026-11-23.1");
        let seen = catalog.index().await.unwrap();
        let refused = catalog.publish(&seen, &[monthly("questions", third, &[("2026-12", third)])]).await.unwrap();
        let refused = refused.unwrap();
        assert_eq!(refused.message, "Glue refused `BatchCreatePartition`: as it is: partition `2026-09` of `questions`");
    });
}

#[test]
fn all_pages_of_partitions_are_read() {
    let lab = Lab::new("repair-pages");
    lab.run(async {
        lab.publish(&[monthly("questions", FIRST, &[("2026-08", FIRST), ("2026-09", FIRST)])]).await;
        // AWS may return an empty page that is not the last; moto returns all at once.
        let empty = json!({ "Partitions": [], "NextToken": "more" }).to_string();
        lab.twin.fault(Fault::new("glue", "GetPartitions", FaultKind::Answer(200, empty)));
        lab.twin.reset_calls();
        lab.publish(&[monthly("questions", SECOND, &[("2026-08", FIRST), ("2026-09", FIRST)])]).await;
        let calls = lab.twin.calls_of("glue", "GetPartitions");
        assert_eq!(calls[1].body.as_ref().unwrap()["NextToken"], "more");
        assert_eq!(lab.glue_calls().get("BatchCreatePartition"), None, "what the second page has is there");
    });
}
