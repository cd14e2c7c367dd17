//! The names of all settings, and the variables that set them.

/// The settings as shipped: every key with its default and what it means.
pub(super) const DEFAULTS: &str = include_str!("../../config/soflow.yaml");

/// What the shipped settings are called where a value's origin is shown.
pub(super) const DEFAULT_ORIGIN: &str = "default";

/// The keys at the top.
pub(super) const TOP: &[&str] = &["default-target", "jobs", "code", "keep-for", "targets", "clusters", "ingest"];

/// The keys of every target.
pub(super) const TARGET: &[&str] = &["kind", "lake"];

/// The kinds of target, each with the keys that only it has.
pub(super) const KINDS: [(&str, &[&str]); 2] = [
    ("local", &["engine", "parallel", "python", "engine-dir", "network"]),
    (
        "emr",
        &[
            "region",
            "profile",
            "database",
            "workgroup",
            "cluster",
            "execution-role",
            "dependencies",
            "queue-for",
            "poll-fastest",
            "poll-slowest",
            "lost-answer-wait",
            "api-quota",
        ],
    ),
];

/// The locations of a lake.
pub(super) const LAKE: &[&str] = &["raw", "curated", "artifacts", "logs"];

/// The shape that others take from what they do not say.
pub(super) const STANDARD: &str = "standard";

/// The keys of a cluster shape.
pub(super) const CLUSTER: &[&str] = &[
    "release",
    "applications",
    "service-role",
    "instance-profile",
    "subnets",
    "key-name",
    "security-configuration",
    "primary",
    "core",
    "task",
    "scaling",
    "step-concurrency",
    "python",
    "disk",
    "bootstrap",
    "configurations",
    "tags",
    "idle-timeout",
    "max-age",
    "max-dollars-per-hour",
    "cloudwatch-logs",
    "log-key",
];

/// The keys of `primary`, `core` and `task`.
pub(super) const FLEET: &[&str] = &["types", "on-demand", "spot", "spot-timeout", "when-no-spot"];

/// The keys of `scaling`.
pub(super) const SCALING: &[&str] = &["min", "max", "max-on-demand", "max-core"];

/// The keys of `disk`.
pub(super) const DISK: &[&str] = &["gigabytes", "count", "iops", "throughput"];

/// The keys of a bootstrap action.
pub(super) const BOOTSTRAP: &[&str] = &["name", "script", "args"];

/// The keys of `ingest`.
pub(super) const INGEST: &[&str] = &["site", "endpoints", "api", "auth", "key-file", "token-file", "secret", "filters"];

/// Takes away what a shape would have from `standard`, or a target from the defaults.
pub(super) const NONE: &str = "none";

/// Variables and the settings they give; those of a target are for the selected one.
pub(super) const VARIABLES: [(&str, &str); 6] = [
    ("SOFLOW_TARGET", "default-target"),
    ("SOFLOW_ENGINE", "engine"),
    ("SOFLOW_PARALLEL", "parallel"),
    ("SOFLOW_PYTHON", "python"),
    ("SOFLOW_ENGINE_DIR", "engine-dir"),
    ("SOFLOW_LAKE", "lake"),
];

/// Variables that hold a secret, and what it is: they are no settings, so that nothing that shows settings shows them.
pub(super) const SECRETS: [(&str, &str); 2] = [
    ("SOFLOW_API_KEY", "the application's key for the Stack Exchange API, stronger than `ingest.key-file`"),
    ("SOFLOW_API_TOKEN", "a user's access token, stronger than `ingest.token-file`"),
];

/// Variables that begin like ours but are not settings: who a run belongs to, and what the project's own tests read.
pub(super) const NOT_SETTINGS: [&str; 5] =
    ["SOFLOW_OWNER", "SOFLOW_REAL_DATA", "SOFLOW_TEST_DEPENDENCIES", "SOFLOW_TEST_ENGINE", "SOFLOW_TEST_PARITY"];

/// Returns the kind of target that has `key`; `None` when all have it, or none.
pub(super) fn kind_with(key: &str) -> Option<&'static str> {
    KINDS.iter().find(|(_, keys)| keys.contains(&key)).map(|(kind, _)| *kind)
}
