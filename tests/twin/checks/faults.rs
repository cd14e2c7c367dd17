//! Every kind of fault, seen from outside; and what the twin notes about calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::twin::{Act, Fault, FaultKind, Moment, Twin};
use crate::twin_checks::client::{add, cluster_request, form_call, json_call, ok, s3, start, step};

/// Returns how many steps a cluster has and how the call that adds one is answered, under a fault.
fn adding(kind: FaultKind) -> (Option<u16>, String, usize) {
    let twin = Twin::start();
    let cluster = start(&twin, &json!({}));
    twin.fault(Fault::new("emr", "AddJobFlowSteps", kind));
    let request = json!({ "JobFlowId": cluster, "Steps": [step("one")] });
    let answer = json_call(&twin, "elasticmapreduce", "ElasticMapReduce.AddJobFlowSteps", &request);
    let code = answer.as_ref().map(|answer| answer.json()["__type"].as_str().unwrap_or_default().to_string());
    (answer.map(|answer| answer.status), code.unwrap_or_default(), twin.steps(&cluster).len())
}

#[test]
fn a_call_to_emr_meets_each_kind() {
    let seen = |status: Option<u16>, code: &str, steps: usize| (status, code.to_string(), steps);
    assert_eq!(adding(FaultKind::Throttle), seen(Some(400), "ThrottlingException", 0));
    assert_eq!(adding(FaultKind::Internal { done: false }), seen(Some(500), "InternalServerException", 0));
    assert_eq!(adding(FaultKind::Internal { done: true }), seen(Some(500), "InternalServerException", 1));
    assert_eq!(adding(FaultKind::DropBefore), seen(None, "", 0));
    assert_eq!(adding(FaultKind::DropAfter), seen(None, "", 1));
    assert_eq!(adding(FaultKind::AnswerAfter(200, "{}".into())), seen(Some(200), "", 1));
    assert_eq!(adding(FaultKind::AccessDenied), seen(Some(400), "AccessDeniedException", 0));
    assert_eq!(adding(FaultKind::ExpiredToken), seen(Some(400), "ExpiredTokenException", 0));
}

#[test]
fn a_call_whose_client_has_gone_is_executed_when_its_time_has_come() {
    let twin = Twin::start();
    let cluster = start(&twin, &json!({}));
    twin.hold();
    twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::Late(Duration::from_millis(20))));
    let request = json!({ "JobFlowId": cluster, "Steps": [step("one")] });
    let answer = json_call(&twin, "elasticmapreduce", "ElasticMapReduce.AddJobFlowSteps", &request);
    assert!(answer.is_none() && twin.steps(&cluster).is_empty());
    twin.tick();
    assert_eq!(twin.steps(&cluster).len(), 1);
}

#[test]
fn a_call_that_is_overtaken_is_executed_with_the_next_one() {
    for (moment, order) in [(Moment::Before, ["lost", "next"]), (Moment::After, ["next", "lost"])] {
        let twin = Twin::start();
        let cluster = start(&twin, &json!({}));
        twin.hold();
        twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::Overtaken(moment)));
        let add = |name: &str| {
            let request = json!({ "JobFlowId": cluster, "Steps": [step(name)] });
            json_call(&twin, "elasticmapreduce", "ElasticMapReduce.AddJobFlowSteps", &request)
        };
        assert!(add("lost").is_none() && twin.steps(&cluster).is_empty());
        assert!(add("next").is_some());
        let names: Vec<String> =
            twin.steps(&cluster).iter().map(|step| step["Name"].as_str().unwrap().into()).collect();
        assert_eq!(names, order);
    }
}

#[test]
fn a_refusal_names_the_action_and_the_resource() {
    let twin = Twin::start();
    twin.bucket("faults-denied");
    twin.fault(Fault::new("*", "*", FaultKind::AccessDenied).always());
    let denied =
        json_call(&twin, "elasticmapreduce", "ElasticMapReduce.DescribeCluster", &json!({ "ClusterId": "j-1" }));
    let text = denied.unwrap().json()["message"].as_str().unwrap().to_string();
    let resource = "arn:aws:elasticmapreduce:us-east-1:123456789012:cluster/j-1";
    assert!(
        text.contains(&format!("to perform: elasticmapreduce:DescribeCluster on resource: {resource} because")),
        "{text}"
    );
    let put = s3(&twin, "PUT /faults-denied/a/b", b"body").unwrap();
    let text = put.text();
    assert!(put.status == 403 && text.contains("<Code>AccessDenied</Code>") && text.contains("s3:PutObject"), "{text}");
    let list = s3(&twin, "GET /faults-denied?list-type=2", b"").unwrap().text();
    assert!(list.contains("s3:ListBucket on resource: &quot;arn:aws:s3:::faults-denied&quot;"), "{list}");
    let role = form_call(&twin, "iam", "Action=GetRole&RoleName=x&Version=2010-05-08").unwrap();
    assert!(role.status == 403 && role.text().contains("iam:GetRole"), "{}", role.text());
}

#[test]
fn a_call_to_s3_meets_each_kind() {
    let twin = Twin::start();
    twin.bucket("faults-s3");
    let meet = |operation: &str, kind: FaultKind| twin.fault(Fault::new("s3", operation, kind));
    meet("PutObject", FaultKind::Throttle);
    let slow = s3(&twin, "PUT /faults-s3/a", b"body").unwrap();
    assert!(slow.status == 503 && slow.text().contains("<Code>SlowDown</Code>"), "{}", slow.text());
    meet("PutObject", FaultKind::ExpiredToken);
    assert!(s3(&twin, "PUT /faults-s3/a", b"body").unwrap().text().contains("<Code>ExpiredToken</Code>"));
    assert_eq!(twin.get("s3://faults-s3/a"), None);
    meet("PutObject", FaultKind::DropAfter);
    assert!(s3(&twin, "PUT /faults-s3/a", b"hello").is_none());
    assert_eq!(twin.get("s3://faults-s3/a").unwrap(), b"hello");
    meet("GetObject", FaultKind::Truncate);
    let cut = s3(&twin, "GET /faults-s3/a", b"").unwrap();
    assert_eq!((cut.status, cut.promised(), cut.text().as_str()), (200, 5, "he"));
    meet("HeadObject", FaultKind::AccessDenied);
    let head = s3(&twin, "HEAD /faults-s3/a", b"").unwrap();
    assert_eq!((head.status, head.body.len()), (403, 0));
    meet("HeadObject", FaultKind::Delay(Duration::from_millis(80)));
    let begin = Instant::now();
    let head = s3(&twin, "HEAD /faults-s3/a", b"").unwrap();
    assert_eq!((head.status, head.promised()), (200, 5));
    assert!(begin.elapsed() >= Duration::from_millis(80));
}

#[test]
fn a_fault_waits_for_its_turn_and_for_its_key() {
    let twin = Twin::start();
    twin.bucket("faults-nth");
    twin.fault(Fault::new("s3", "PutObject", FaultKind::Throttle).on("run.json").nth(2).times(2));
    let put = |key: &str| s3(&twin, &format!("PUT /faults-nth/{key}"), b"x").unwrap().status;
    assert_eq!(put("other"), 200);
    let seen: Vec<u16> = (0..4).map(|_| put("1/run.json")).collect();
    assert_eq!(seen, [200, 503, 503, 200]);
    let noted: Vec<bool> = twin.calls().iter().map(|call| call.fault.is_some()).collect();
    assert_eq!(noted, [false, false, true, true, false]);
}

#[test]
fn calls_are_named_as_the_api_names_them() {
    let twin = Twin::start();
    // Names are read before anything is done, so none of these need be possible.
    twin.fault(Fault::new("s3", "*", FaultKind::AccessDenied).always());
    for line in [
        "PUT /faults-names",
        "PUT /faults-names/a%20b/c",
        "HEAD /faults-names/a%20b/c",
        "GET /faults-names?list-type=2&prefix=a",
        "GET /faults-names/a%20b/c?x-id=GetObject",
        "POST /faults-names/big?uploads",
        "PUT /faults-names/big?partNumber=1&uploadId=u",
        "GET /faults-names/big?uploadId=u",
        "POST /faults-names/big?uploadId=u",
        "DELETE /faults-names/big?uploadId=u",
        "POST /faults-names?delete",
        "GET /faults-names?versioning",
        "DELETE /faults-names/a%20b/c",
    ] {
        s3(&twin, line, b"");
    }
    json_call(&twin, "glue", "AWSGlue.GetDatabases", &json!({ "MaxResults": 5 }));
    json_call(&twin, "athena", "AmazonAthena.ListWorkGroups", &json!({}));
    json_call(&twin, "logs", "Logs_20140328.DescribeLogGroups", &json!({}));
    form_call(&twin, "sts", "Action=GetCallerIdentity&Version=2011-06-15");
    form_call(&twin, "ec2", "Action=DescribeSubnets&Version=2016-11-15");
    let named: Vec<String> = twin
        .calls()
        .iter()
        .map(|call| format!("{} {} {}", call.service, call.operation, call.detail).trim().to_string())
        .collect();
    insta::assert_snapshot!(named.join("\n"), @r"
    s3 CreateBucket faults-names
    s3 PutObject faults-names/a b/c
    s3 HeadObject faults-names/a b/c
    s3 ListObjectsV2 faults-names/a
    s3 GetObject faults-names/a b/c
    s3 CreateMultipartUpload faults-names/big
    s3 UploadPart faults-names/big
    s3 ListParts faults-names/big
    s3 CompleteMultipartUpload faults-names/big
    s3 AbortMultipartUpload faults-names/big
    s3 DeleteObjects faults-names
    s3 GetBucketVersioning faults-names
    s3 DeleteObject faults-names/a b/c
    glue GetDatabases
    athena ListWorkGroups
    logs DescribeLogGroups
    sts GetCallerIdentity
    ec2 DescribeSubnets
    ");
    let answered: Vec<u16> = twin.calls().iter().rev().take(5).map(|call| call.status).collect();
    assert_eq!(answered, [200; 5]);
    assert_eq!(twin.calls_of("glue", "GetDatabases")[0].body, Some(json!({ "MaxResults": 5 })));
}

#[test]
fn a_hook_stops_a_call_before_it_is_executed_or_its_answer_after() {
    let twin = Twin::start();
    let cluster = start(&twin, &json!({}));
    twin.reset_calls();
    for (moment, steps) in [(Moment::Before, 0), (Moment::After, 1)] {
        let met = Arc::new(AtomicUsize::new(0));
        let count = met.clone();
        twin.kill_hook(move |call, now| {
            if now != moment || call.operation != "AddJobFlowSteps" {
                return Act::Go;
            }
            count.fetch_add(1, Ordering::SeqCst);
            Act::Drop
        });
        let request = json!({ "JobFlowId": cluster, "Steps": [step("one")] });
        assert!(json_call(&twin, "elasticmapreduce", "ElasticMapReduce.AddJobFlowSteps", &request).is_none());
        assert_eq!((met.load(Ordering::SeqCst), twin.steps(&cluster).len()), (1, steps));
    }
    let calls = twin.calls();
    assert_eq!(calls.iter().map(|call| (call.number, call.status)).collect::<Vec<_>>(), [(1, 0), (2, 0)]);
    assert_eq!(calls[0].detail, cluster);
}

#[test]
fn the_sdk_for_s3_gets_along_with_it() {
    let twin = Twin::start();
    twin.bucket("faults-sdk");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let keys = aws_sdk_s3::config::Credentials::new("a", "b", None, None, "test");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::v2026_01_12())
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .endpoint_url(twin.url())
            .credentials_provider(keys)
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        let body = vec![7_u8; 3_000_000];
        client.put_object().bucket("faults-sdk").key("a").body(body.clone().into()).send().await.unwrap();
        let got = client.get_object().bucket("faults-sdk").key("a").send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec(), body);
        let again = client.put_object().bucket("faults-sdk").key("a").if_none_match("*").send().await.unwrap_err();
        assert_eq!(again.raw_response().unwrap().status().as_u16(), 412);
    });
    let seen: Vec<String> =
        twin.calls().into_iter().map(|call| format!("{} {}", call.operation, call.status)).collect();
    assert_eq!(seen, ["PutObject 200", "GetObject 200", "PutObject 412"]);
}

#[test]
fn two_twins_do_not_share_clusters() {
    let (one, other) = (Twin::start(), Twin::start());
    let cluster = start(&one, &json!({}));
    add(&one, &cluster, &[step("a")]);
    assert_eq!(ok(&other, "ListClusters", &json!({}))["Clusters"], json!([]));
    assert_eq!(cluster_request(&json!({}))["Name"], one.clusters()[0]["Name"]);
}
