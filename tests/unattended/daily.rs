//! The job that comes with soflow, once by an execution and once from the command line: what each asks AWS for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use fs_err as fs;
use serde_json::json;

use crate::emr::lab::Lab as Emr;
use crate::emr::whole;
use crate::twin::Call;
use crate::unattended::interpreter::Interpreter;
use crate::unattended::lab::Lab;
use crate::unattended::rights::{Right, done_in};

/// The date of the made-up pages.
const DATE: &str = "2026-10-31";

/// Calls of one process or function, by what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub emr: usize,
    pub glue: usize,
    /// S3: what is written and listed.
    pub writes: usize,
    /// S3: what is read and looked at. Removing costs nothing.
    pub reads: usize,
}

/// What one day's run asks for.
pub struct Daily {
    /// By role.
    pub rights: BTreeSet<Right>,
    /// The states that the execution entered.
    pub states: usize,
    /// By handler: how often it was called, and what it called in all.
    pub handlers: BTreeMap<String, (usize, Calls)>,
    /// What the command line calls, looks at steps aside.
    pub command: Calls,
}

/// Returns what the two runs ask for, which happen once; `None` after saying why they cannot.
pub fn counted() -> Option<&'static Daily> {
    static DAILY: OnceLock<Option<Daily>> = OnceLock::new();
    DAILY.get_or_init(count).as_ref()
}

/// Returns the project with a day's pages, or `None` after saying why there is none.
fn project(name: &str) -> Option<Emr> {
    let emr = whole::daily(name, "")?;
    // Longer than a function stays: how often one looks at EMR is not how fast this machine is.
    let settings = fs::read_to_string(emr.home.path().join("config/soflow.yaml")).unwrap();
    let settings =
        settings.replace("poll-fastest: 20ms", "poll-fastest: 2s").replace("poll-slowest: 200ms", "poll-slowest: 2s");
    assert!(settings.contains("poll-fastest: 2s"), "{settings}");
    emr.write("config/soflow.yaml", &settings);
    let said = emr.run(&["ingest", "sample"]);
    assert_eq!(said.code, Some(0), "{said}");
    emr.twin.reset_calls();
    Some(emr)
}

fn count() -> Option<Daily> {
    let lab = Lab::of(project("states")?, Interpreter::Moto, ("daily", 21_600), &[]);
    let ended = lab.finish(&lab.start(&json!({ "job": "daily", "date": DATE })));
    lab.succeeded(&ended, "the daily job");
    let mut handlers: BTreeMap<String, (usize, Calls)> = BTreeMap::new();
    for call in lab.emr.twin.calls() {
        match call.caller.as_str() {
            "" => {}
            "states" => {
                let handler = call.detail.rsplit('-').next().unwrap().to_string();
                handlers.entry(handler).or_default().0 += 1;
            }
            handler => handlers.entry(handler.into()).or_default().1.add(&call),
        }
    }
    // The rule calls it.
    handlers.get_mut("ended")?.0 += 1;
    let by_hand = project("command")?;
    let said = by_hand.run(&["submit", "daily", "--date", DATE]);
    assert_eq!(said.code, Some(0), "{said}");
    let mut command = Calls::default();
    by_hand.twin.calls().iter().filter(|call| call.operation != "ListSteps").for_each(|call| command.add(call));
    Some(Daily { rights: done_in(&lab), states: ended.states.len(), handlers, command })
}

impl Calls {
    fn add(&mut self, call: &Call) {
        match (call.service.as_str(), call.operation.as_str()) {
            ("emr", _) => self.emr += 1,
            ("glue", _) => self.glue += 1,
            ("s3", "GetObject" | "HeadObject") => self.reads += 1,
            ("s3", "DeleteObject" | "DeleteObjects") => {}
            ("s3", _) => self.writes += 1,
            _ => {}
        }
    }
}
