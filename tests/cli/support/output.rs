//! All that a command said.

use std::fmt;

/// Standard output, standard error and the exit code of one command. It says nothing unless it is compared.
#[must_use = "compare it with `shot!`, or look at its parts"]
pub struct Output {
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
}

impl Output {
    /// Asserts that the command succeeded, for steps on the way to what a test is about.
    pub fn succeeded(self) {
        assert_eq!(self.code, Some(0), "{self}");
    }

    /// Returns the output without the lines of stderr that say how far a step is: how many depends on its speed.
    pub fn without_progress(mut self) -> Self {
        let kept: Vec<&str> =
            self.stderr.split_inclusive('\n').filter(|line| !line.contains("step-progress")).collect();
        self.stderr = kept.concat();
        self
    }

    /// Returns the JSON document on stdout.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stdout)?;
        if !self.stdout.is_empty() && !self.stdout.ends_with('\n') {
            f.write_str("[no newline]\n")?;
        }
        write!(f, "--- stderr ---\n{}", self.stderr)?;
        match self.code {
            Some(code) => write!(f, "[exit {code}]"),
            None => write!(f, "[ended by a signal]"),
        }
    }
}
