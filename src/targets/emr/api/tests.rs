use super::*;

#[test]
fn odd_fields_that_are_only_shown_hide_nothing() {
    let odd = json!({ "Marker": null, "Clusters": [{
        "Id": "j-1", "Name": "n", "ReleaseLabel": null, "LogUri": 7, "TerminationProtected": "no",
        "Status": { "State": "WAITING", "StateChangeReason": null, "ErrorDetails": [3],
            "Timeline": { "CreationDateTime": "yesterday", "ReadyDateTime": 1.5 } },
    }] });
    let page: Page<Cluster> = serde_json::from_value(odd).unwrap();
    assert_eq!((page.next(), page.items.len()), (None, 1));
    let cluster = &page.items[0];
    assert_eq!((cluster.id.as_str(), cluster.status.state.as_str()), ("j-1", "WAITING"));
    let times = cluster.status.timeline;
    assert_eq!((times.creation_date_time, times.ready_date_time.is_some()), (None, true));
}

#[test]
fn what_an_answer_must_have_is_missed() {
    let cluster = |lacks: &str| {
        let mut cluster = json!({ "Id": "j-1", "Name": "n", "Status": { "State": "WAITING" } });
        cluster.as_object_mut().unwrap().remove(lacks);
        serde_json::from_value::<Page<Cluster>>(json!({ "Clusters": [cluster] })).is_ok()
    };
    assert!(cluster("nothing"));
    for lacks in ["Id", "Name", "Status"] {
        assert!(!cluster(lacks), "{lacks}");
    }
    let step = |status: Json| serde_json::from_value::<Step>(json!({ "Id": "s-1", "Name": "n", "Status": status }));
    assert!(step(json!({ "State": "PENDING" })).is_ok() && step(json!({})).is_err() && step(Json::Null).is_err());
    assert!(serde_json::from_value::<Page<Step>>(json!({})).is_err(), "a list that is not there is no empty one");
    assert!(serde_json::from_value::<Made>(json!({ "ClusterArn": "arn" })).is_err());
    assert!(serde_json::from_value::<Added>(json!({ "StepIds": null })).is_err());
}
