//! A cluster, and how it and its steps move from state to state.

use std::time::Duration;

use serde_json::Value;

use super::fates::{Fate, Loss, StepFate};
use super::reasons::idle;
use super::step::Step;
use super::{Effect, Pace};

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub id: String,
    /// As it was asked for: a RunJobFlow request.
    pub asked: Value,
    pub tags: Vec<Value>,
    pub state: &'static str,
    pub reason: Option<(&'static str, String)>,
    pub errors: Vec<Value>,
    pub created: Duration,
    pub ready: Option<Duration>,
    pub ended: Option<Duration>,
    pub steps: Vec<Step>,
    pub concurrency: usize,
    pub idle_timeout: Option<u64>,
    pub scaling: Option<Value>,
    pub protected: bool,
    /// How it will be lost, and after how many more polls.
    pub losing: Option<(Loss, u32)>,
    pub fate: Fate,
    /// Seconds since 1970 when it was asked for: part of the ids of its YARN applications.
    epoch: f64,
    /// When it entered its state.
    since: Duration,
    /// When anything last happened to it.
    pub moved: Duration,
    /// What it will be when it has ended.
    pub last: &'static str,
}

enum Event {
    Phase,
    StepEnds(usize),
    StepStarts(usize),
    Idle,
}

impl Cluster {
    pub fn new(id: String, asked: Value, fate: Fate, now: (Duration, f64)) -> Self {
        let (created, epoch) = now;
        let idle_timeout = asked.get("AutoTerminationPolicy").map(idle_timeout);
        Self {
            id,
            tags: asked["Tags"].as_array().cloned().unwrap_or_default(),
            state: "STARTING",
            reason: None,
            errors: Vec::new(),
            created,
            ready: None,
            ended: None,
            steps: Vec::new(),
            concurrency: asked["StepConcurrencyLevel"].as_u64().map_or(1, |level| level as usize),
            idle_timeout,
            scaling: asked.get("ManagedScalingPolicy").cloned(),
            protected: asked["Instances"]["TerminationProtected"] == true,
            losing: None,
            fate,
            epoch,
            since: created,
            moved: created,
            last: "TERMINATED",
            asked,
        }
    }

    pub fn name(&self) -> &str {
        self.asked["Name"].as_str().unwrap_or_default()
    }

    pub fn is_over(&self) -> bool {
        self.state.starts_with("TERMINAT")
    }

    pub fn keeps_alive(&self) -> bool {
        self.asked["Instances"]["KeepJobFlowAliveWhenNoSteps"] == true
    }

    pub fn active_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.is_active()).count()
    }

    /// Lets happen what is due by `now`, in the order in which it was due.
    pub fn advance(&mut self, now: Duration, pace: Pace, effects: &mut Vec<Effect>) {
        while let Some((at, event)) = self.next(pace).filter(|(at, _)| *at <= now) {
            let at = at.max(self.moved);
            self.moved = at;
            match event {
                Event::Phase => self.next_phase(at, effects),
                Event::StepEnds(index) => self.end_step(index, at, pace, effects),
                Event::StepStarts(index) => self.start_step(index, at, pace, effects),
                Event::Idle => self.terminate("TERMINATED", idle(), at, effects),
            }
            self.settle(at, effects);
        }
    }

    /// Brings the state in line with the steps after something was asked of the cluster.
    pub fn changed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.moved = now;
        self.settle(now, effects);
    }

    fn next(&self, pace: Pace) -> Option<(Duration, Event)> {
        let mut due = Vec::new();
        if ["STARTING", "BOOTSTRAPPING", "TERMINATING"].contains(&self.state) {
            due.push((self.since + pace.state, Event::Phase));
        }
        let ends = self.steps.iter().enumerate();
        due.extend(ends.filter_map(|(index, step)| Some((step.due(pace.state)?, Event::StepEnds(index)))));
        if ["RUNNING", "WAITING"].contains(&self.state) {
            let busy = self.steps.iter().filter(|step| step.holds_a_slot()).count();
            let pending = self.steps.iter().position(|step| step.state == "PENDING");
            if let Some(index) = pending.filter(|_| busy < self.concurrency) {
                due.push(((self.steps[index].created + pace.state).max(self.moved), Event::StepStarts(index)));
            }
        }
        if let Some(timeout) = self.idle_timeout.filter(|_| self.state == "WAITING") {
            let wait = pace.idle_second.mul_f64(timeout as f64);
            due.push((self.since + wait, Event::Idle));
        }
        due.into_iter().min_by_key(|(at, _)| *at)
    }

    fn next_phase(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        let enter = match (self.state, self.fate.clone()) {
            ("TERMINATING", _) => {
                self.ended = Some(at);
                self.last
            }
            ("STARTING", Fate::NoCapacity { .. } | Fate::ValidationError { .. } | Fate::ServiceLinkedRoleMissing)
            | ("BOOTSTRAPPING", Fate::BootstrapFails { .. }) => return self.fail_to_start(at, effects),
            ("STARTING", _) => "BOOTSTRAPPING",
            _ => {
                self.ready = Some(at);
                "RUNNING"
            }
        };
        self.enter(enter, at);
    }

    fn start_step(&mut self, index: usize, at: Duration, pace: Pace, effects: &mut Vec<Effect>) {
        let started = self.steps.iter().filter(|step| step.application.is_some()).count();
        let application = format!("application_{:.0}_{:04}", self.epoch * 1000.0, started + 1);
        let step = &mut self.steps[index];
        step.state = "RUNNING";
        step.started = Some(at);
        step.application = Some(application);
        step.real = pace.exec && step.is_spark_submit() && step.fate == StepFate::Completes;
        if step.real {
            effects.push(Effect::Start { cluster: self.id.clone(), step: step.id.clone() });
        }
    }

    fn end_step(&mut self, index: usize, at: Duration, pace: Pace, effects: &mut Vec<Effect>) {
        let step = &mut self.steps[index];
        let failed = step.outcome.as_ref().is_some_and(|(_, outcome)| !outcome.succeeded);
        match &step.fate {
            _ if step.state == "CANCEL_PENDING" => step.end("CANCELLED", Some("Cancelled by user"), at),
            StepFate::Fails(_) => step.end("FAILED", None, at),
            _ if failed => step.end("FAILED", None, at),
            StepFate::Cancelled => step.end("CANCELLED", Some("Cancelled by user"), at),
            StepFate::Interrupted => step.end("INTERRUPTED", Some("Job terminated"), at),
            StepFate::State(state) => step.end(state, None, at),
            StepFate::Completes | StepFate::Hangs => step.end("COMPLETED", None, at),
        }
        let (state, action) = (step.state, step.action().to_string());
        self.printed(index, pace, effects);
        match action.as_str() {
            "CANCEL_AND_WAIT" if state == "FAILED" => {
                self.end_steps("PENDING", "CANCELLED", at, effects);
            }
            "TERMINATE_CLUSTER" | "TERMINATE_JOB_FLOW" if state == "FAILED" => {
                let reason = ("STEP_FAILURE", "Shut down as step failed".to_string());
                self.end_steps("RUNNING", "CANCELLED", at, effects);
                self.terminate("TERMINATED_WITH_ERRORS", reason, at, effects);
            }
            _ => {}
        }
    }

    /// What a step has left behind becomes visible.
    pub fn printed(&self, index: usize, pace: Pace, effects: &mut Vec<Effect>) {
        let (cluster, step) = (self.id.clone(), self.steps[index].id.clone());
        if !self.steps[index].real {
            effects.push(Effect::Printed { cluster: cluster.clone(), step: step.clone() });
        }
        if pace.logs_at_once {
            effects.push(Effect::Logs { cluster, step });
        }
    }

    fn settle(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        let active = self.active_steps() > 0;
        match self.state {
            "WAITING" if active => self.enter("RUNNING", at),
            "RUNNING" if !active && self.keeps_alive() => {
                self.enter("WAITING", at);
                self.reason = Some(("", "Cluster ready to run steps.".to_string()));
            }
            "RUNNING" if !active => {
                let reason = ("ALL_STEPS_COMPLETED", "Steps completed".to_string());
                self.terminate("TERMINATED", reason, at, effects);
            }
            _ => {}
        }
    }

    /// Sets the idle time after which it ends by itself; the count begins now.
    pub fn set_idle_timeout(&mut self, policy: Option<&Value>, now: Duration) {
        self.idle_timeout = policy.map(idle_timeout);
        if self.state == "WAITING" {
            self.since = now;
        }
    }

    pub fn enter(&mut self, state: &'static str, at: Duration) {
        self.state = state;
        self.since = at;
        if ["RUNNING", "BOOTSTRAPPING"].contains(&state) {
            self.reason = None;
        }
    }
}

fn idle_timeout(policy: &Value) -> u64 {
    // AWS's default, one hour. Source: AutoTerminationPolicy in the API reference.
    policy["IdleTimeout"].as_u64().unwrap_or(3600)
}
