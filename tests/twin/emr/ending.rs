//! How clusters end: by themselves, by a user, by losing what they run on.

use std::time::Duration;

use serde_json::json;

use super::fates::{Fate, Loss};
use super::reasons::{loss_reason, start_failure};
use super::{Cluster, Effect, Pace};

impl Cluster {
    pub fn fail_to_start(&mut self, at: Duration, effects: &mut Vec<Effect>) {
        let (code, message, error) = start_failure(&self.fate);
        if let Fate::BootstrapFails { action, instance } = self.fate.clone() {
            effects.push(Effect::BootstrapLog { cluster: self.id.clone(), instance, action });
        }
        if let Some((error, data)) = error {
            self.errors.push(json!({ "ErrorCode": error, "ErrorData": data, "ErrorMessage": message }));
        }
        self.terminate("TERMINATED_WITH_ERRORS", (code, message), at, effects);
    }

    /// Begins to end: what waits is cancelled.
    pub fn terminate(
        &mut self,
        last: &'static str,
        reason: (&'static str, String),
        at: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.end_steps("PENDING", "CANCELLED", at, effects);
        self.enter("TERMINATING", at);
        self.reason = Some(reason);
        self.last = last;
    }

    /// Ends as someone wants it to: what runs is interrupted.
    pub fn terminate_by_user(&mut self, at: Duration, pace: Pace, effects: &mut Vec<Effect>) {
        self.lose(Loss::Operator, at, pace, effects);
    }

    /// Ends before its time.
    pub fn lose(&mut self, loss: Loss, at: Duration, pace: Pace, effects: &mut Vec<Effect>) {
        if self.is_over() {
            return;
        }
        self.moved = at;
        self.losing = None;
        let running: Vec<usize> = (0..self.steps.len()).filter(|index| self.steps[*index].holds_a_slot()).collect();
        let by_user = [Loss::Operator, Loss::MaxAge, Loss::IdleTimer].contains(&loss);
        let state = if by_user { "INTERRUPTED" } else { "CANCELLED" };
        for running_state in ["RUNNING", "CANCEL_PENDING"] {
            self.end_steps(running_state, state, at, effects);
        }
        running.into_iter().for_each(|index| self.printed(index, pace, effects));
        let (last, reason) = loss_reason(loss);
        if loss == Loss::Spot {
            let error = "INTERNAL_ERROR_SPOT_PRICE_INCREASE_PRIMARY";
            self.errors.push(json!({ "ErrorCode": error, "ErrorData": [], "ErrorMessage": reason.1 }));
        }
        self.terminate(last, reason, at, effects);
    }

    /// Ends all steps that are in a state.
    pub fn end_steps(&mut self, from: &str, to: &'static str, at: Duration, effects: &mut Vec<Effect>) {
        for step in self.steps.iter_mut().filter(|step| step.state == from) {
            step.end(to, Some("Job terminated"), at);
            if step.real {
                effects.push(Effect::Kill { step: step.id.clone() });
            }
        }
    }
}
