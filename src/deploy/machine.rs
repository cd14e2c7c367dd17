//! The state machine that drives a run of a job: a state for each handler, a choice after it, a wait where it may take long.
//!
//! ```text
//! Begin -> Cluster -> Submit -> Check -> Publish -> Done
//!    each: -> What its answer says comes next; -> Wait, and the same again; any error -> Ended -> Failed
//! ```
//!
//! All that one state knows is in its input, so that the history of an execution shows it. The record of the run knows the
//! rest, and makes every handler one that may be called twice.

use serde_json::{Value as Json, json};

/// A Lambda function of the stack: what it handles, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// What `_HANDLER` says.
    pub name: &'static str,
    /// After how many seconds Lambda ends it; it ends itself ten seconds before.
    pub seconds: u32,
    /// Its memory, in MB; its processor time is in proportion.
    pub memory: u32,
}

/// The functions, those that drive a run first.
pub const HANDLERS: [Handler; 8] = [
    Handler { name: "begin", seconds: 120, memory: 512 },
    Handler { name: "cluster", seconds: 180, memory: 256 },
    Handler { name: "submit", seconds: 180, memory: 256 },
    Handler { name: "check", seconds: 120, memory: 256 },
    Handler { name: "publish", seconds: 900, memory: 1024 },
    Handler { name: "ended", seconds: 120, memory: 256 },
    Handler { name: "reap", seconds: 120, memory: 256 },
    Handler { name: "ingest", seconds: 900, memory: 512 },
];

/// After how many seconds an execution is ended where no settings say so: as the shipped ones have it.
pub const LONGEST_RUN: u32 = 12 * 60 * 60;

/// Errors after which a handler is called again: nothing is known of what it did, and the record of the run tells it. Source:
/// Step Functions developer guide, "Handle transient Lambda service exceptions"; a time-out of the function itself is
/// `Sandbox.Timedout`, one whose process ended, of its memory or its machine, `Runtime.ExitError`, and one whose answer never
/// came `States.Timeout`.
const PASSING: [&str; 9] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
];

/// Seconds by which a state waits longer for its function than that may take: two calls at once never know of each other.
const GRACE: u32 = 30;

/// A state that drives a part of a run.
struct Part {
    /// Its name, that of its handler with a capital.
    name: &'static str,
    /// What it may be followed by, besides itself after a wait and `Done`: the answer's `next`, and the state.
    then: &'static [(&'static str, &'static str)],
}

const PARTS: [Part; 5] = [
    Part { name: "Begin", then: &[("cluster", "Cluster"), ("publish", "Publish"), ("begin", "Begin")] },
    Part { name: "Cluster", then: &[("submit", "Submit"), ("begin", "Begin")] },
    Part { name: "Submit", then: &[("check", "Check"), ("cluster", "Cluster"), ("begin", "Begin")] },
    Part { name: "Check", then: &[("publish", "Publish"), ("cluster", "Cluster"), ("begin", "Begin")] },
    Part { name: "Publish", then: &[("cluster", "Cluster"), ("begin", "Begin")] },
];

/// Returns the definition of the state machine of a job, in Amazon States Language with JSONata. Functions are named by
/// `${BeginFunction}` and so on. `longest`: after how many seconds an execution is ended.
#[must_use]
pub fn machine(job: &str, longest: u32) -> Json {
    let mut states = serde_json::Map::new();
    for Part { name, then } in &PARTS {
        let mut choices = vec![
            json!({ "Condition": "{% $states.input.next = 'wait' %}", "Next": format!("{name}Wait") }),
            json!({ "Condition": "{% $states.input.next = 'done' %}", "Next": "Done" }),
        ];
        choices.extend(then.iter().map(
            |(next, state)| json!({ "Condition": format!("{{% $states.input.next = '{next}' %}}"), "Next": state }),
        ));
        states.insert((*name).into(), part(job, name));
        states.insert(format!("After{name}"), json!({ "Type": "Choice", "Choices": choices, "Default": "Odd" }));
        states.insert(
            format!("{name}Wait"),
            json!({ "Type": "Wait", "Seconds": "{% $states.input.wait %}", "Next": name }),
        );
    }
    states.insert(
        "Odd".into(),
        json!({
            "Type": "Pass",
            "Output": {
                "job": "{% $states.input.job %}",
                "run": "{% $exists($states.input.run) ? $states.input.run : null %}",
                "execution": "{% $states.context.Execution.Id %}",
                "error": { "Error": "Bug", "Cause": "a handler has answered what this state machine does not know" },
            },
            "Next": "Ended",
        }),
    );
    states.insert("Ended".into(), ended());
    states.insert(
        "Failed".into(),
        // The language keeps names that begin with `States.` to itself.
        json!({ "Type": "Fail", "Error": "{% $replace($states.input.error.Error, /^States\\./, '') %}", "Cause": "{% $states.input.error.Cause %}" }),
    );
    states.insert("Done".into(), json!({ "Type": "Succeed" }));
    json!({
        "Comment": format!("Runs the job `{job}` for a date: soflow compile {job}"),
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": longest,
        "StartAt": "Begin",
        "States": states,
    })
}

/// Returns the state that calls a handler: its answer is added to what is known.
fn part(job: &str, name: &str) -> Json {
    json!({
        "Type": "Task",
        "Resource": "arn:${AWS::Partition}:states:::lambda:invoke",
        "Arguments": {
            "FunctionName": format!("${{{name}Function}}"),
            "Payload": format!(
                "{{% $merge([$states.input, {{'job': '{job}', 'execution': $states.context.Execution.Id, \
                 'started': $states.context.Execution.StartTime}}]) %}}"
            ),
        },
        "Output": "{% $merge([$states.input, $states.result.Payload]) %}",
        "TimeoutSeconds": seconds(name) + GRACE,
        "Retry": retry(),
        "Catch": [{
            "ErrorEquals": ["States.ALL"],
            "Output": format!(
                "{{% $merge([$states.input, {{'job': '{job}', 'execution': $states.context.Execution.Id, 'at': '{name}', \
                 'error': $states.errorOutput}}]) %}}"
            ),
            "Next": "Ended",
        }],
        "Next": format!("After{name}"),
    })
}

/// Returns the state after an error: gives back what the run has, and tells people. What fails here is told by the rule on
/// executions that have failed; the first error is the one that the execution ends with.
fn ended() -> Json {
    json!({
        "Type": "Task",
        "Resource": "arn:${AWS::Partition}:states:::lambda:invoke",
        "Arguments": { "FunctionName": "${EndedFunction}", "Payload": "{% $states.input %}" },
        "Output": "{% $states.input %}",
        "TimeoutSeconds": seconds("Ended") + GRACE,
        "Retry": retry(),
        "Catch": [{ "ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": "Failed" }],
        "Next": "Failed",
    })
}

fn retry() -> Json {
    json!([{
        "ErrorEquals": PASSING,
        "IntervalSeconds": 2,
        "MaxAttempts": 5,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
    }])
}

fn seconds(state: &str) -> u32 {
    let name = state.to_lowercase();
    HANDLERS.iter().find(|handler| handler.name == name).map_or(60, |handler| handler.seconds)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_state_is_reached_and_leads_to_one_that_is_there() {
        let machine = machine("daily", 21_600);
        let states = machine["States"].as_object().unwrap();
        let mut reached = BTreeSet::from(["Begin".to_string()]);
        let follow = |value: &Json, found: &mut BTreeSet<String>| {
            let mut rest = vec![value];
            while let Some(value) = rest.pop() {
                match value {
                    Json::Object(fields) => {
                        found.extend(
                            ["Next", "Default"].iter().filter_map(|key| Some(fields.get(*key)?.as_str()?.into())),
                        );
                        rest.extend(fields.values());
                    }
                    Json::Array(items) => rest.extend(items),
                    _ => {}
                }
            }
        };
        for state in states.values() {
            follow(state, &mut reached);
        }
        let there: BTreeSet<String> = states.keys().cloned().collect();
        assert_eq!(reached, there);
    }

    #[test]
    fn the_definition_is_reviewed() {
        insta::assert_snapshot!(format!("{:#}\n", machine("daily", 21_600)));
    }
}
