//! The one error type. Its kind, decided where the failure happens, is also the process exit code.

use std::fmt;

use serde::Serialize;

/// What sort of failure this is; one exit code each, as documented in `docs/exit-codes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The job failed: its code or its data.
    Job,
    /// Usage, config or job file.
    Usage,
    /// The cloud or the machine failed: permissions, capacity, disk, network, a missing program.
    Machine,
    /// Watching stopped; the run goes on without this process.
    Detached,
    /// Someone else holds the lease.
    Held,
    /// The audit refused what landed: nothing was published.
    Audit,
    /// A service allows no more requests for now; what was done is kept, and the same command goes on later.
    Quota,
    /// Interrupted from the keyboard or by SIGTERM on a target whose steps end with soflow.
    Interrupted,
    /// A bug in soflow.
    Internal,
}

impl Kind {
    /// Returns the process exit code of this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Job => 1,
            Self::Usage => 2,
            Self::Machine => 3,
            Self::Detached => 4,
            Self::Held => 5,
            Self::Audit => 6,
            Self::Internal => 70,
            // EX_TEMPFAIL of sysexits.h: the same command will do later.
            Self::Quota => 75,
            // 128 + SIGINT, as a shell reports it.
            Self::Interrupted => 130,
        }
    }
}

/// A failure as the person sees it: what, why, evidence, and what to type next.
#[derive(Debug)]
pub struct Error {
    /// Decides the exit code.
    pub kind: Kind,
    /// What failed: a lowercase fragment, literals in backticks, no full stop.
    pub message: String,
    /// Ready-made lines shown below the message: source lines with carets, log excerpts.
    pub detail: Option<String>,
    /// Advice, each a command to type or a setting to change.
    pub hints: Vec<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns an error of `kind` with nothing but a message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, hints: Vec::new(), source: None }
    }

    /// Returns the error with its cause, which is printed on its own line.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the error with lines of evidence below the message.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Returns the error with one more piece of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the messages of the causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.map(ToString::to_string).collect()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl From<std::io::Error> for Error {
    /// Input and output fail for reasons outside the job; `fs_err` has put the path into the text.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::new(Kind::Machine, "the disk is full")
                .caused_by(error)
                .hint("free some space, `soflow gc` removes old versions, then run the same command again");
        }
        Self::new(Kind::Machine, "a file operation failed").caused_by(error)
    }
}
