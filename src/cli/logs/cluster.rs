//! The output of a step on a cluster: printed from CloudWatch or S3, with word of what is not there yet.

use std::sync::Arc;

use super::LoggedStep;
use super::page::LogPrinter;
use crate::error::Result;
use crate::event::{Event, RunState};
use crate::report::plural;
use crate::targets::emr::{Clusters, LogProgress, LogReader, LogSource, PUSHED_EVERY};

/// Prints what is there and, when wanted, what comes until the step has ended and its logs are complete. Returns where
/// they were found.
pub async fn print(
    wanted: &mut LoggedStep,
    clusters: Arc<Clusters>,
    page: &mut LogPrinter<'_>,
) -> Result<Option<&'static str>> {
    let mut interval = clusters.poll();
    let mut reader: Option<LogReader> = None;
    let look = loop {
        match place(wanted)? {
            Some((had, step)) if reader.as_ref().is_none_or(|reader| reader.step() != step) => {
                let streams = page.streams.iter().map(|(stream, _)| *stream).collect();
                reader = Some(LogReader::new(clusters.clone(), had, step, streams));
            }
            Some(_) => {}
            None if wanted.follow && wanted.is_open()? => {}
            None => return Err(wanted.did_not_run()),
        }
        if let Some(reader) = &mut reader {
            let look = reader.look(&mut |piece| page.print(piece.name.stream, piece.place, piece.text)).await?;
            if !wanted.follow || look.complete || page.gone {
                break look;
            }
            if look.any {
                interval.reset();
            }
        }
        tokio::time::sleep(interval.next_pause()).await;
        if wanted.record.state == RunState::Running {
            wanted.refresh().await?;
        }
    };
    let Some(reader) = reader else { return Err(wanted.did_not_run()) };
    if look.ended.is_some() && look.started.is_none() {
        return Err(wanted.did_not_run());
    }
    for text in remarks(wanted, &reader, &look) {
        page.tell(Event::Note { text });
    }
    Ok(reader.source().map(LogSource::name))
}

/// Returns the run's clusters, the last one first, and EMR's name of the step, once it has been handed over.
fn place(wanted: &LoggedStep) -> Result<Option<(Vec<String>, &str)>> {
    let Some(step) = &wanted.step()?.step_id else { return Ok(None) };
    let clusters = wanted.record.placed.iter().chain(wanted.record.left.iter().rev());
    Ok(Some((clusters.map(|placed| placed.cluster.clone()).collect(), step.as_str())))
}

/// Returns what is to be known of the logs besides their text.
fn remarks(wanted: &LoggedStep, reader: &LogReader, look: &LogProgress) -> Vec<String> {
    let (run, step) = (&wanted.record.run, &wanted.name);
    let mut remarks: Vec<String> =
        reader.refused.iter().map(|why| format!("CloudWatch was not read: {why}.")).collect();
    let follow = format!("`soflow logs {run} {step} --follow` prints it as it comes.");
    let expected = look.expected_at().filter(|at| *at > wanted.store.now());
    remarks.extend(match (reader.source(), expected) {
        (_, None) if look.goes_on() && look.started.is_none() => {
            let state = look.state.as_ref().map_or("", |state| state.as_str());
            Some(format!("Step `{step}` has not started yet: it is {state} on the cluster. {follow}"))
        }
        (None, None) if look.goes_on() => Some(format!(
            "Nothing is there yet. Logs come to {} every {} minutes while a step runs. {follow}",
            reader.root(),
            PUSHED_EVERY.as_mins(),
        )),
        (Some(_), None) if look.goes_on() => Some(format!("Step `{step}` still runs. {follow}")),
        (None, Some(at)) => {
            Some(format!("Nothing is there yet: the logs are expected in {} by {at:.0}.", reader.root()))
        }
        (Some(LogSource::S3), Some(at)) if !look.complete => Some(format!("More may come until {at:.0}.")),
        (None, None) => Some(format!("There is nothing of step {} in {}.", reader.step(), reader.root())),
        _ => None,
    });
    if let [first, ..] = look.unread.as_slice() {
        let count = plural(look.unread.len() as u64, "log");
        remarks.push(format!("{count} of executors, or too large, not printed; the first is {first}."));
    }
    remarks
}
