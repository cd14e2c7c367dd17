//! What a function measures: a line of its log that CloudWatch takes for a metric. No call, and no right to make one. Source:
//! CloudWatch user guide, "Embedded metric format".

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::cli::app::App;

/// The namespace of all metrics.
const NAMESPACE: &str = "soflow";

/// Whose they are: the name of the stack, set for its functions.
const STACK: &str = "SOFLOW_STACK";

/// Writes a time as a metric of the stack. Without a stack there is nobody to look at it.
pub fn write(app: &App, name: &str, seconds: i64) {
    if let Some(stack) = app.environment.get(STACK) {
        // A metric that cannot be written is missed by its alarm.
        let _ = writeln!(std::io::stdout(), "{}", line(stack, name, seconds, Timestamp::now()));
    }
}

fn line(stack: &str, name: &str, seconds: i64, now: Timestamp) -> Json {
    let metrics = [json!({ "Name": name, "Unit": "Seconds" })];
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": metrics });
    let about = json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive] });
    json!({ "_aws": about, "Stack": stack, name: seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_one_line_that_the_log_is_read_for() {
        let line = line("soflow-prod", "IngestLag", 7, "2026-11-22T02:15:00Z".parse().unwrap());
        insta::assert_snapshot!(
            line.to_string(),
            @r#"{"_aws":{"Timestamp":1795313700000,"CloudWatchMetrics":[{"Namespace":"soflow","Dimensions":[["Stack"]],"Metrics":[{"Name":"IngestLag","Unit":"Seconds"}]}]},"Stack":"soflow-prod","IngestLag":7}"#
        );
    }

    #[test]
    fn the_alarms_look_at_what_is_written() {
        let stack = include_str!("../../../config/stack/stack.yaml");
        for name in [super::super::INGEST_LAG, super::super::CLUSTER_OVER_AGE] {
            assert!(stack.contains(&format!("MetricName: {name}\n      Dimensions: [{{ Name: Stack,")), "{name}");
        }
        assert!(stack.contains(&format!("Namespace: {NAMESPACE}\n")));
    }
}
