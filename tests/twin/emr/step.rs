//! A step: what was asked, and how far it is.

use std::time::Duration;

use serde_json::Value;

use super::fates::StepFate;

/// States in which a step counts against the limit of active steps.
const ACTIVE: [&str; 3] = ["PENDING", "RUNNING", "CANCEL_PENDING"];

/// How a step that ran for real has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub succeeded: bool,
    /// Printed by the driver.
    pub stdout: String,
    /// Printed by the driver.
    pub stderr: String,
    /// Where that is in S3.
    pub log_file: Option<String>,
}

/// A step of a cluster.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    /// As it was asked for: a StepConfig.
    pub asked: Value,
    pub role: Option<String>,
    pub state: &'static str,
    pub created: Duration,
    pub started: Option<Duration>,
    pub ended: Option<Duration>,
    /// When it was asked to end.
    pub cancelled: Option<Duration>,
    /// Text of the state change reason.
    pub message: Option<String>,
    pub fate: StepFate,
    /// Runs for real.
    pub real: bool,
    /// When the end of a real run is noticed, and how it was.
    pub outcome: Option<(Duration, Outcome)>,
    /// YARN's id, from the start on.
    pub application: Option<String>,
    /// How many polls have seen its end.
    pub polls: u32,
}

impl Step {
    pub fn new(id: String, asked: Value, fate: StepFate, created: Duration) -> Self {
        Self {
            id,
            asked,
            role: None,
            state: "PENDING",
            created,
            started: None,
            ended: None,
            cancelled: None,
            message: None,
            fate,
            real: false,
            outcome: None,
            application: None,
            polls: 0,
        }
    }

    pub fn is_active(&self) -> bool {
        ACTIVE.contains(&self.state)
    }

    pub fn holds_a_slot(&self) -> bool {
        ["RUNNING", "CANCEL_PENDING"].contains(&self.state)
    }

    pub fn name(&self) -> &str {
        self.asked["Name"].as_str().unwrap_or_default()
    }

    /// Returns what becomes of the cluster when it fails. The API's default is to end the cluster.
    pub fn action(&self) -> &str {
        self.asked["ActionOnFailure"].as_str().unwrap_or("TERMINATE_CLUSTER")
    }

    pub fn arguments(&self) -> Vec<String> {
        let arguments = self.asked["HadoopJarStep"]["Args"].as_array().into_iter().flatten();
        arguments.filter_map(Value::as_str).map(ToString::to_string).collect()
    }

    pub fn is_spark_submit(&self) -> bool {
        self.asked["HadoopJarStep"]["Args"][0] == "spark-submit"
    }

    /// Returns when it ends by itself, if it runs and does.
    pub fn due(&self, pace: Duration) -> Option<Duration> {
        match (self.state, &self.outcome) {
            ("CANCEL_PENDING", _) => self.cancelled.map(|at| at + pace),
            ("RUNNING", Some((at, _))) => Some(*at),
            ("RUNNING", None) if !self.real && self.fate != StepFate::Hangs => self.started.map(|at| at + pace),
            _ => None,
        }
    }

    /// Enters the state in which it stays.
    pub fn end(&mut self, state: &'static str, message: Option<&str>, at: Duration) {
        self.state = state;
        self.message = message.map(ToString::to_string);
        self.ended = Some(at);
    }
}
