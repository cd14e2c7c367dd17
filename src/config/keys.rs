//! The settings as shipped, and the variables that set them.

/// The settings as shipped: every key with its default and what it means.
pub(super) const DEFAULTS: &str = include_str!("../../config/soflow.yaml");

/// What the shipped settings are called where a value's origin is shown.
pub(super) const DEFAULT_ORIGIN: &str = "default";

/// The shape that others take from what they do not say.
pub(super) const STANDARD: &str = "standard";

/// The locations of a lake.
pub(super) const LAKE: [&str; 4] = ["raw", "curated", "artifacts", "logs"];

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
