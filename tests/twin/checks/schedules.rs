//! Schedules of a twin that is deployable: they go by a clock that a test moves.

use serde_json::{Value, json};

use crate::twin::{Options, Twin};
use crate::twin_checks::client::{json_call, send, signed};

#[test]
fn a_schedule_fires_when_its_time_has_come_and_says_which_that_was() {
    let twin = Twin::with(Options { deployable: true, ..Options::default() });
    let sqs = |operation: &str, body: &Value| {
        json_call(&twin, "sqs", &format!("AmazonSQS.{operation}"), body).unwrap().json()
    };
    let queue = sqs("CreateQueue", &json!({ "QueueName": "fired" }))["QueueUrl"].clone();
    let schedule = json!({
        "ScheduleExpression": "cron(15 2 * * ? *)",
        "FlexibleTimeWindow": { "Mode": "OFF" },
        "Target": {
            "Arn": "arn:aws:sqs:us-east-1:123456789012:fired",
            "RoleArn": "arn:aws:iam::123456789012:role/schedules",
            "Input": "{\"at\": \"<aws.scheduler.scheduled-time>\"}",
        },
    });
    let headers = [("authorization", signed("scheduler")), ("content-type", "application/json".to_string())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    twin.clock("2026-11-22T00:00:00Z".parse().unwrap());
    let made = send(&twin, "POST /schedules/nightly", &headers, schedule.to_string().as_bytes()).unwrap();
    assert_eq!(made.status, 200, "{}", made.text());
    for (time, told) in [
        ("2026-11-22T02:14:00Z", None),
        ("2026-11-22T02:15:00Z", Some("2026-11-22T02:15:00Z")),
        ("2026-11-22T02:16:00Z", None),
        ("2026-11-23T02:15:00Z", Some("2026-11-23T02:15:00Z")),
    ] {
        twin.clock(time.parse().unwrap());
        let asked = json!({ "QueueUrl": queue, "WaitTimeSeconds": if told.is_some() { 10 } else { 0 } });
        let received = sqs("ReceiveMessage", &asked);
        let expected = told.map(|told| format!("{{\"at\": \"{told}\"}}"));
        assert_eq!(received["Messages"][0]["Body"].as_str(), expected.as_deref(), "{time}: {received}");
    }
}
