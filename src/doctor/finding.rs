//! What a check has found, and how to mend it.

use serde::Serialize;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be; advice may follow.
    Ok,
    /// A run would fail, or data would be open to others.
    Problem,
    /// It could not be checked; the text says what was missing for that.
    Unknown,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at, such as `service role`.
    pub check: &'static str,
    /// How it went.
    pub state: State,
    /// What was found: a fragment, literals in backticks.
    pub what: String,
    /// How to mend it: commands to type, or policy statements to add.
    pub mend: Vec<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, state: State::Ok, what: what.into(), mend: Vec::new() }
    }

    pub(super) fn problem(check: &'static str, what: impl Into<String>) -> Self {
        Self { state: State::Problem, ..Self::ok(check, what) }
    }

    pub(super) fn unknown(check: &'static str, what: impl Into<String>) -> Self {
        Self { state: State::Unknown, ..Self::ok(check, what) }
    }

    #[must_use]
    pub(super) fn mend(mut self, advice: impl Into<String>) -> Self {
        self.mend.push(advice.into());
        self
    }
}

/// Everything the doctor has found, in the order of the checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The region, when one is named.
    pub region: Option<String>,
    /// One for each thing that was looked at.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Returns how many findings are of a state.
    pub fn count(&self, state: State) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }
}

/// Returns names in backticks with commas between them.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}
