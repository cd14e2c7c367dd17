//! The names of all settings, and the variables that set them.

/// The settings as shipped: every key with its default and what it means.
pub(super) const DEFAULTS: &str = include_str!("../../config/soflow.yaml");

/// What the shipped settings are called where a value's origin is shown.
pub(super) const DEFAULT_ORIGIN: &str = "default";

/// The keys at the top.
pub(super) const TOP: &[&str] = &["default-target", "jobs", "code", "keep-for", "targets"];

/// The keys of a target.
pub(super) const TARGET: &[&str] = &["kind", "engine", "parallel", "python", "engine-dir", "lake"];

/// The locations of a lake.
pub(super) const LAKE: &[&str] = &["raw", "curated", "artifacts", "logs"];

/// Variables and the settings they give; those of a target are for the selected one.
pub(super) const VARIABLES: [(&str, &str); 6] = [
    ("SOFLOW_TARGET", "default-target"),
    ("SOFLOW_ENGINE", "engine"),
    ("SOFLOW_PARALLEL", "parallel"),
    ("SOFLOW_PYTHON", "python"),
    ("SOFLOW_ENGINE_DIR", "engine-dir"),
    ("SOFLOW_LAKE", "lake"),
];

/// Variables that begin like ours but are not settings: the project's own tests read them.
pub(super) const NOT_SETTINGS: [&str; 3] = ["SOFLOW_REAL_DATA", "SOFLOW_TEST_ENGINE", "SOFLOW_TEST_PARITY"];
