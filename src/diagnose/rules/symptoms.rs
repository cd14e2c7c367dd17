//! What follows from a failure in a step's logs, or only says that there was one. Never stronger than a cause.

use super::logs::{DRIVER, EXECUTOR, LOST};
use super::{Rule, Weight};
use crate::diagnose::Class::{Capacity, Code};

/// What is known about consequences of failures.
pub const SYMPTOMS: &[Rule] = &[
    Rule::new(
        Capacity,
        &["FetchFailedException", "MetadataFetchFailedException", "ExecutorLostFailure", "Lost executor {}"],
    )
    .weight(Weight::Symptom)
    .says("executors were lost, and what they had computed with them")
    .hint(LOST),
    Rule::new(Capacity, &["Python worker exited unexpectedly"])
        .weight(Weight::Symptom)
        .says("a Python worker died without a word, as happens when memory runs out")
        .hint(EXECUTOR)
        .laptop("run fewer steps at once: `--parallel 1`"),
    Rule::new(
        Capacity,
        &[
            "Py4JNetworkError",
            "Answer from Java side is empty",
            "ConnectionRefusedError:",
            "because SparkContext was shut down",
            "stopped SparkContext",
        ],
    )
    .weight(Weight::Symptom)
    .says("Spark ended while the step was using it, as happens when memory runs out")
    .hint(DRIVER),
    Rule::new(Capacity, &["Cannot allocate memory", "Initial job has not accepted any resources"])
        .weight(Weight::Symptom)
        .hint(
            "the cluster had no room for the step: wait, ask for less below `spark:` in the job file, \
             or take a larger cluster shape",
        ),
    Rule::new(
        Code,
        &[
            "User application exited with status {status}",
            "waitProcessCompletion ended with exit code {status} :",
            "Step failed with exitCode {status} ",
        ],
    )
    .weight(Weight::Pointer)
    .says("the step ended with exit code {status}; the log of its driver, which says why, is not there")
    .hint("logs arrive up to 5 minutes after the end: look again then"),
    Rule::new(
        Code,
        &["Application application_{id} finished with failed status", "Final app status: FAILED, exitCode: {id},"],
    )
    .weight(Weight::Pointer)
    .says("the step failed; the log of its driver, which says why, is not there")
    .hint("logs arrive up to 5 minutes after the end: look again then"),
];
