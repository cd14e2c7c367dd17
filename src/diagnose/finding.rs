//! What a diagnosis says: whose fault, in one line, with the lines that show it and what to do.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind};

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The step's code, or what it needs installed.
    Code,
    /// What the step reads: missing, damaged, of another shape.
    Data,
    /// Someone may not do something: roles, keys, owners of files.
    Permission,
    /// Memory, disk, instances, quotas.
    Capacity,
    /// Everything else that is not ours: the cloud, the network, the cluster's end.
    Service,
    /// Nothing that was read tells.
    #[default]
    Unknown,
}

impl Class {
    /// Returns the kind of error, and so the exit code, that a failure of this class ends in.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Code | Self::Data => Kind::Job,
            Self::Permission | Self::Capacity | Self::Service | Self::Unknown => Kind::Machine,
        }
    }

    /// Returns the word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Data => "data",
            Self::Permission => "permission",
            Self::Capacity => "capacity",
            Self::Service => "service",
            Self::Unknown => "unknown",
        }
    }
}

/// Where the step ran: what can be done about a failure differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This machine.
    Laptop,
    /// An EMR cluster.
    Cluster,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it is, counted from 1.
    pub number: usize,
    /// What it says, without what drives a terminal.
    pub text: String,
}

/// The lines of a log that matter, with gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogExcerpt {
    /// The file or object they are from.
    pub file: String,
    /// The lines, in order; none when nothing was printed.
    pub lines: Vec<LogLine>,
}

impl LogExcerpt {
    /// Returns the lines as text, with a word for each gap.
    pub fn text(&self) -> String {
        let mut shown = Vec::new();
        let mut next = self.lines.first().map_or(0, |line| line.number);
        for line in &self.lines {
            match line.number.saturating_sub(next) {
                0 => {}
                1 => shown.push("  … 1 line …".to_string()),
                gap => shown.push(format!("  … {gap} lines …")),
            }
            shown.push(line.text.clone());
            next = line.number + 1;
        }
        shown.join("\n")
    }

    /// Returns the numbers of the first and the last line, 1 and 1 when there is none.
    pub fn range(&self) -> (usize, usize) {
        let number = |line: Option<&LogLine>| line.map_or(1, |line| line.number);
        (number(self.lines.first()), number(self.lines.last()))
    }

    /// Returns where the lines are: `lines 3-9 of s3://…/stderr.gz`.
    pub fn place(&self) -> String {
        match self.range() {
            (first, last) if first == last => format!("line {first} of {}", self.file),
            (first, last) => format!("lines {first}-{last} of {}", self.file),
        }
    }
}

/// Why something failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Whose fault it is.
    pub class: Class,
    /// What happened, one line.
    pub summary: String,
    /// What shows it.
    pub excerpt: LogExcerpt,
    /// A command to type or a thing to change, when one is known.
    pub hint: Option<String>,
    /// The documentation's page about exactly this, when there is one.
    pub page: Option<String>,
}

impl Finding {
    /// Returns the error to show for it; `what` failed, as a lowercase fragment.
    pub fn error(&self, what: &str) -> Error {
        let mut error = Error::new(self.class.kind(), format!("{what}: {}", self.summary));
        if !self.excerpt.lines.is_empty() {
            error = error.detail(format!("{}\n\n{}", self.excerpt.text(), self.excerpt.place()));
        }
        let page = self.page.iter().map(|page| format!("about this: {page}"));
        self.hint.iter().cloned().chain(page).fold(error, Error::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_data_are_the_jobs_fault() {
        let codes = [Class::Code, Class::Data, Class::Permission, Class::Capacity, Class::Service, Class::Unknown]
            .map(|class| class.kind().exit_code());
        assert_eq!(codes, [1, 1, 3, 3, 3, 3]);
    }

    #[test]
    fn gaps_are_told() {
        let line = |number, text: &str| LogLine { number, text: text.into() };
        let excerpt = LogExcerpt { file: "x".into(), lines: vec![line(3, "a"), line(5, "b"), line(9, "c")] };
        assert_eq!(excerpt.text(), "a\n  … 1 line …\nb\n  … 3 lines …\nc");
        assert_eq!(excerpt.place(), "lines 3-9 of x");
    }
}
