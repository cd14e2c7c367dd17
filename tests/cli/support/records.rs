//! Records of runs written by hand, so that their times are known.

use serde_json::{Value, json};

use super::project::Project;

/// A run of the job `daily` for 2025-10-31 with the steps `questions` and `answers`.
pub struct Record {
    number: u32,
    state: &'static str,
    steps: [&'static str; 2],
    cause: Option<Value>,
    error: Option<String>,
}

impl Record {
    /// Returns a run in this state, its steps in these.
    pub fn new(number: u32, state: &'static str, steps: [&'static str; 2]) -> Self {
        Self { number, state, steps, cause: None, error: None }
    }

    /// Says why the run ended.
    pub fn error(mut self, error: &str) -> Self {
        self.error = Some(error.into());
        self
    }

    /// Says why the second step failed.
    pub fn cause(mut self, summary: &str, excerpt: &str) -> Self {
        self.cause = Some(json!({
            "summary": summary, "excerpt": excerpt, "log": "/lake/logs/daily/2025-10-31/answers/stderr.log",
            "lines": [3, 2 + excerpt.lines().count().max(1)], "machine": false, "hint": null,
        }));
        self
    }

    /// Says whose fault it was and what to do; records of older versions do not.
    pub fn fault(mut self, class: &str, hint: &str) -> Self {
        if let Some(cause) = &mut self.cause {
            cause["class"] = class.into();
            cause["hint"] = hint.into();
        }
        self
    }

    /// Writes the record into the project's lake.
    pub fn save(self, project: &Project) {
        let number = self.number;
        let step = |at: usize, name: &str| {
            let state = self.steps[at];
            let ran = !matches!(state, "pending" | "cancelled");
            let rows = if state == "completed" { json!({ name: 2414 }) } else { json!({}) };
            json!({
                "name": name, "state": state, "reason": "never published", "scope": "all", "code": "0123456789ab",
                "started_at": ran.then_some("2025-11-01T06:00:01Z"), "seconds": (ran && state != "running").then_some(4.25), "rows": rows,
                "logs": format!("file://{}/.soflow/lake/logs/{name}", project.path().display()),
                "cause": if at == 1 { self.cause.clone() } else { None },
            })
        };
        let running = self.state == "running";
        let record = json!({
            "record_version": 1, "run": format!("daily.2025-10-31.{number}"), "target": "local",
            "engine": "sail@0123456789ab", "started_at": format!("2025-11-01T06:0{number}:00Z"),
            "ended_at": (!running).then(|| format!("2025-11-01T06:0{number}:09Z")), "state": self.state, "asked": [],
            "steps": [step(0, "questions"), step(1, "answers")], "error": self.error,
        });
        let path = format!(".soflow/lake/artifacts/runs/daily/2025-10-31/{number}/run.json");
        project.write(&path, &record.to_string());
    }
}
