//! The output of a step on a cluster: printed from CloudWatch or S3, with word of what is not there yet.

use std::sync::Arc;

use super::StepOutput;
use crate::error::Result;
use crate::event::{RunState, StepState};
use crate::report::plural;
use crate::targets::emr::{Clusters, LogProgress, LogReader, LogSource, PUSHED_EVERY};

impl StepOutput<'_> {
    /// Prints what is there and, when wanted, what comes until the step has ended and its logs are complete. Returns where
    /// they were found.
    pub(super) async fn print_cluster(&mut self, clusters: Arc<Clusters>) -> Result<Option<&'static str>> {
        let mut interval = clusters.poll();
        let mut reader: Option<LogReader> = None;
        let look = loop {
            match &self.step()?.step_id {
                Some(step) if reader.as_ref().is_none_or(|reader| reader.step() != step) => {
                    // The run's clusters, the last one first.
                    let had = self.record.placed.iter().chain(self.record.left.iter().rev());
                    let had = had.map(|placed| placed.cluster.clone()).collect();
                    let streams = self.streams().map(|(stream, _)| stream).collect();
                    reader = Some(LogReader::new(clusters.clone(), had, (step, &self.args.step), streams));
                }
                Some(_) => {}
                None if self.args.follow && self.is_open()? => {}
                None => return Err(self.did_not_run()),
            }
            if let Some(reader) = &mut reader {
                let look = reader.look(&mut |piece| self.print(piece.name.stream, piece.place, piece.text)).await?;
                if !self.args.follow || look.complete || self.gone {
                    break look;
                }
                if look.any {
                    interval.reset();
                }
            }
            tokio::time::sleep(interval.next_pause()).await;
            if self.record.state == RunState::Running {
                self.refresh().await?;
            }
        };
        let Some(reader) = reader else { return Err(self.did_not_run()) };
        // One that was cancelled before its turn shares a step with others, which have run.
        let step = self.step()?;
        let never = step.state == StepState::Cancelled && step.started_at.is_none() && !self.any;
        if look.ended.is_some() && (look.started.is_none() || never) {
            return Err(self.did_not_run());
        }
        self.remarks(&reader, &look).into_iter().for_each(|text| self.tell(text));
        Ok(reader.source().map(LogSource::name))
    }

    /// Returns what is to be known of the logs besides their text.
    fn remarks(&self, reader: &LogReader, look: &LogProgress) -> Vec<String> {
        let (run, step, root) = (&self.record.run, &self.args.step, reader.root());
        let mut remarks: Vec<String> =
            reader.refused.iter().map(|why| format!("CloudWatch was not read: {why}.")).collect();
        let follow = format!("`soflow logs {run} {step} --follow` prints it as it comes.");
        let expected = look.expected_at().filter(|at| *at > self.work.store.now());
        remarks.extend(match (reader.source(), expected) {
            (_, None) if look.goes_on() && look.started.is_none() => {
                let state = look.state.as_ref().map_or("", |state| state.as_str());
                Some(format!("Step `{step}` has not started yet: it is {state} on the cluster. {follow}"))
            }
            (None, None) if look.goes_on() => {
                let every = PUSHED_EVERY.as_mins();
                Some(format!(
                    "Nothing is there yet. Logs come to {root} every {every} minutes while a step runs. {follow}"
                ))
            }
            (Some(_), None) if look.goes_on() => Some(format!("Step `{step}` still runs. {follow}")),
            (None, Some(at)) => Some(format!("Nothing is there yet: the logs are expected in {root} by {at:.0}.")),
            (Some(LogSource::S3), Some(at)) if !look.complete => Some(format!("More may come until {at:.0}.")),
            (None, None) => Some(format!("There is nothing of step {} in {root}.", reader.step())),
            _ => None,
        });
        if let [first, ..] = look.unread.as_slice() {
            let count = plural(look.unread.len() as u64, "log");
            remarks.push(format!("{count} of executors, or too large, not printed; the first is {first}."));
        }
        remarks
    }
}
