//! What the live view knows: the events so far, as a picture to be drawn.

use std::time::Duration;

use crate::event::{Event, PlannedStep, RunState, StepState};
use crate::names::RunId;

/// Everything that may be on the screen. Times are since the view was made.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) install: Option<Install>,
    pub(super) packaging: Option<Packaging>,
    pub(super) reading: Option<Reading>,
    pub(super) fetching: Option<Fetching>,
    pub(super) run: Option<Run>,
}

/// An engine being installed.
#[derive(Debug)]
pub(super) struct Install {
    pub(super) engine: String,
    pub(super) bytes: u64,
    pub(super) packages: u64,
    pub(super) done: u64,
    /// The package that arrived last; empty while unpacking.
    pub(super) package: Option<String>,
    pub(super) began: Duration,
}

/// An archive being made.
#[derive(Debug)]
pub(super) struct Packaging {
    pub(super) what: String,
    pub(super) packages: u64,
    /// How many packages are there.
    pub(super) done: u64,
    /// The package that arrived last; empty while compressing.
    pub(super) package: Option<String>,
    pub(super) began: Duration,
}

/// A file being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) what: String,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) rows: u64,
    pub(super) began: Duration,
}

/// Pages of the API coming in.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) endpoint: String,
    pub(super) pages: u64,
    pub(super) items: u64,
    /// Requests left of the quota.
    pub(super) left: Option<i64>,
    pub(super) began: Duration,
}

/// A run under way.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) target: String,
    pub(super) engine: String,
    pub(super) steps: Vec<Step>,
    /// Tables and checks, while they are being compared.
    pub(super) audit: Option<(usize, usize)>,
    pub(super) began: Duration,
    /// How it ended, after how many seconds.
    pub(super) end: Option<(RunState, f64)>,
}

/// A line of the view.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) state: StepState,
    pub(super) rows: u64,
    pub(super) set_aside: u64,
    seconds: f64,
    /// When `seconds` was true.
    told: Duration,
}

impl Step {
    fn planned(step: &PlannedStep, told: Duration) -> Self {
        let state = match step.action.as_str() {
            "up-to-date" => StepState::UpToDate,
            "reuse" => StepState::Reused,
            _ => StepState::Pending,
        };
        Self { name: step.name.clone(), state, rows: 0, set_aside: 0, seconds: 0.0, told }
    }

    /// Returns the seconds since the step started; between two events of a running step, the clock adds to them.
    pub(super) fn elapsed(&self, now: Duration) -> f64 {
        match self.state {
            StepState::Running => self.seconds + now.saturating_sub(self.told).as_secs_f64(),
            _ => self.seconds,
        }
    }
}

impl Progress {
    /// Takes one event. Events that are lines of their own change nothing here.
    pub(super) fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::EngineInstall { engine, bytes, packages } => {
                let (engine, bytes, packages) = (engine.clone(), *bytes, *packages);
                self.install = Some(Install { engine, bytes, packages, done: 0, package: None, began: now });
            }
            Event::EnginePackage { name, done } => {
                if let Some(install) = &mut self.install {
                    install.done = *done;
                    install.package = Some(name.clone());
                }
            }
            Event::EngineReady { .. } => self.install = None,
            Event::Packaging { what, packages } => {
                let (what, packages) = (what.clone(), *packages);
                self.packaging = Some(Packaging { what, packages, done: 0, package: None, began: now });
            }
            Event::PackagingItem { name } => {
                if let Some(packaging) = &mut self.packaging {
                    packaging.done += u64::from(!name.is_empty());
                    packaging.package = Some(name.clone());
                }
            }
            Event::Packaged { .. } => self.packaging = None,
            Event::Reading { done, total, .. } if done == total => self.reading = None,
            Event::Reading { what, done, total, rows } => {
                let began = self.reading.as_ref().map_or(now, |reading| reading.began);
                let (what, done, total, rows) = (what.clone(), *done, *total, *rows);
                self.reading = Some(Reading { what, done, total, rows, began });
            }
            Event::Fetched { ended: true, .. } => self.fetching = None,
            Event::Fetched { endpoint, pages, items, left, .. } => {
                let began = self.fetching.as_ref().map_or(now, |fetching| fetching.began);
                let (endpoint, pages, items, left) = (endpoint.clone(), *pages, *items, *left);
                self.fetching = Some(Fetching { endpoint, pages, items, left, began });
            }
            Event::RunStarted { run, target, engine, steps } => {
                let asked = steps.iter().filter(|step| step.action != "not-asked");
                let steps = asked.map(|step| Step::planned(step, now)).collect();
                let (id, target, engine) = (run.clone(), target.clone(), engine.clone());
                self.run = Some(Run { id, target, engine, steps, audit: None, began: now, end: None });
            }
            _ => {
                if let Some(run) = &mut self.run {
                    run.apply(event, now);
                }
            }
        }
    }

    /// Returns since when there is something to draw.
    pub(super) fn since(&self) -> Option<Duration> {
        let install = self.install.as_ref().map(|install| install.began);
        let packaging = self.packaging.as_ref().map(|packaging| packaging.began);
        let reading = self.reading.as_ref().map(|reading| reading.began);
        let fetching = self.fetching.as_ref().map(|fetching| fetching.began);
        install.or(packaging).or(reading).or(fetching).or(self.run.as_ref().map(|run| run.began))
    }
}

impl Run {
    fn apply(&mut self, event: &Event, now: Duration) {
        match event {
            Event::StepChanged { step, state, rows, seconds } => {
                let state = Some(*state);
                self.step(step, |step| step.tell(state, *rows, *seconds, now));
            }
            Event::StepProgress { step, rows, seconds } => {
                self.step(step, |step| step.tell(None, *rows, *seconds, now));
            }
            Event::Quarantined { step, rows } => self.step(step, |step| step.set_aside = *rows),
            Event::Auditing { tables, checks } => self.audit = Some((*tables, *checks)),
            Event::Published { .. } => self.audit = None,
            Event::RunFinished { state, seconds, .. } => {
                self.audit = None;
                self.end = Some((*state, *seconds));
            }
            _ => {}
        }
    }

    fn step(&mut self, name: &str, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.name == name) {
            change(step);
        }
    }

    /// Returns whether no step had anything to do.
    pub(super) fn idle(&self) -> bool {
        self.steps.iter().all(|step| step.state == StepState::UpToDate)
    }
}

impl Step {
    fn tell(&mut self, state: Option<StepState>, rows: u64, seconds: f64, now: Duration) {
        self.state = state.unwrap_or(self.state);
        (self.rows, self.seconds, self.told) = (rows, seconds, now);
    }
}
