//! What a test decides about clusters and steps before they are asked for.

use serde_json::Value;

/// What becomes of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It gets ready.
    Ready,
    /// EC2 has no instances of the kind, on demand or on the Spot market; ends while STARTING.
    NoCapacity {
        /// Spot instances were asked for.
        spot: bool,
    },
    /// A bootstrap action ends with a code other than 0; ends while BOOTSTRAPPING.
    BootstrapFails {
        /// Number of the action, from 1.
        action: u32,
        /// The instance it ran on, `i-…`.
        instance: String,
    },
    /// EMR refuses the request after it was accepted, such as an invalid instance profile; ends while STARTING.
    ValidationError {
        /// The text of the state change reason.
        message: String,
    },
    /// The account has no `AWSServiceRoleForEMRCleanup` and the caller may not make it; ends while STARTING.
    ServiceLinkedRoleMissing,
}

/// What becomes of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepFate {
    /// It is run if the twin runs steps, and otherwise completes.
    Completes,
    /// It fails without being run.
    Fails(Failure),
    /// It is cancelled by someone while it runs.
    Cancelled,
    /// It is interrupted while it runs.
    Interrupted,
    /// It enters a state that the API does not have, and stays there.
    State(&'static str),
    /// It runs until it is cancelled or its cluster ends.
    Hangs,
}

/// How a step fails, and what it leaves behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// What follows in the step's own stderr after what every step prints.
    pub stderr: String,
    /// What the driver printed to stdout.
    pub driver_stdout: String,
    /// What the driver printed to stderr.
    pub driver_stderr: String,
    /// `FailureDetails`, as the API shows them: `Reason`, `Message`, `LogFile`.
    pub details: Option<Value>,
    /// How many polls show the step as FAILED before `details` appear.
    pub details_after: u32,
}

/// How a cluster that is ready ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The primary ran on a Spot instance that EC2 took back.
    Spot,
    /// The primary instance was terminated.
    PrimaryLost,
    /// The auto-termination policy ended it; steps that run have not kept it from that.
    IdleTimer,
    /// Someone terminated it.
    Operator,
    /// A clean-up of old clusters terminated it: as the API shows it, another operator.
    MaxAge,
}
