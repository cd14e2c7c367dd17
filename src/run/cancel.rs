//! Ends a run that goes on without its process, whoever drives it.

use std::time::Duration;

use super::attach::{close_published, intent_of, published, recall};
use super::drive::{ActiveRun, Services};
use super::lease::RunLease;
use super::record::{RunRecord, find_run};
use crate::config::Lake;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink};
use crate::names::RunId;
use crate::store::Owner;
use crate::targets::Stop;

/// How often to look at a run that someone else is about to publish or end.
const NEXT_LOOK: Duration = Duration::from_secs(1);

/// Ends a run that goes on without its process, whoever drives it: that one finds out at its next write. One that is being
/// published is waited for, since nobody could tell what readers will see, and so is one that someone else is about to end.
/// `why` says how it ended: `Interrupted` for one that was cancelled. Returns the record then, as it is when the run was over
/// already or is published.
///
/// # Errors
/// `Usage` when there is no such run; `Machine` when its steps do not end; `Held` when it is still being published, or ended
/// by someone else, when we are to leave.
pub async fn cancel(
    services: &Services,
    lake: &Lake,
    run: &RunId,
    why: Error,
    sink: &mut dyn Sink,
) -> Result<RunRecord> {
    let me = services.owner.as_ref().ok_or_else(|| Error::new(Kind::Internal, "nobody cancels"))?;
    let going = GoingRun { services, lake, run, me };
    loop {
        going.driven_until("published", |record| !record.publishing, sink).await?;
        match going.end(&why, sink).await {
            // Put out by someone who ends it as well: the execution of a run that `destroy` has stopped, or another person.
            Err(error) if matches!(error.kind, Kind::Interrupted | Kind::Detached) && !going.is_ours().await? => {
                going.driven_until("ended", |_| false, sink).await?;
            }
            ended => return ended,
        }
    }
}

/// A run of another process, and we who end it.
struct GoingRun<'a> {
    services: &'a Services,
    lake: &'a Lake,
    run: &'a RunId,
    me: &'a Owner,
}

impl GoingRun<'_> {
    /// Returns whether we are the ones who drive the run: what failed then was not for being put out.
    async fn is_ours(&self) -> Result<bool> {
        let record = find_run(self.services.store.as_ref(), &self.lake.artifacts, self.run).await?;
        let going = record.filter(|record| record.state == RunState::Running);
        Ok(going.and_then(|record| record.driver).is_some_and(|driver| driver.owner == *self.me))
    }

    /// Takes the run from whoever drives it, and ends it.
    ///
    /// # Errors
    /// As [`cancel`]; `Interrupted` or `Detached` when someone else has taken it meanwhile.
    async fn end(&self, why: &Error, sink: &mut dyn Sink) -> Result<RunRecord> {
        let Self { services, lake, run, me } = *self;
        let (record, lease) = RunLease::take(services.store.clone(), &lake.artifacts, run, me, true).await?;
        let Some(lease) = lease else { return Ok(record) };
        let intent = intent_of(&record)?;
        let gathered = intent.gathered(&record, lake, services.catalog.as_ref()).await?;
        let mut going = ActiveRun::resumed(&gathered, &intent.plan, services, record, lease);
        if going.record.publishing
            && let Some(versions) = published(&going).await?
        {
            return Ok(close_published(going, versions, sink).await?.record);
        }
        // For the driver that finds out: its steps end before the run has.
        going.record.error = Some(why.message.clone());
        going.save().await?;
        // What is written of it needs no telling.
        recall(&mut going, &mut Vec::<Event>::new()).await?;
        going.end_steps(sink).await?;
        going.close(Some(why), sink).await?;
        Ok(going.record)
    }

    /// Waits until the run is over, its driver is gone, or the driver has left what it is `at`.
    async fn driven_until(&self, at: &str, has_left: impl Fn(&RunRecord) -> bool, sink: &mut dyn Sink) -> Result<()> {
        let Self { services, lake, run, me } = *self;
        let (mut stop, mut told) = (services.stop.clone(), false);
        loop {
            let record = find_run(services.store.as_ref(), &lake.artifacts, run).await?;
            let at_it = record.filter(|record| record.state == RunState::Running && !has_left(record));
            let driver = at_it.and_then(|record| record.driver);
            let Some(driver) = driver.filter(|driver| driver.is_live(services.store.now(), me)) else { return Ok(()) };
            let what = format!("run `{run}` is being {at} by {}", driver.owner);
            if !std::mem::replace(&mut told, true) {
                sink.emit(Event::Note { text: format!("{what}: waiting for how that ends.") });
            }
            tokio::select! {
                () = tokio::time::sleep(NEXT_LOOK) => {}
                Ok(_) = stop.wait_for(|stop| *stop != Stop::Go) => {
                    let hint = format!("`soflow runs show {run}` shows how it ended");
                    return Err(Error::new(Kind::Held, what).hint(hint));
                }
            }
        }
    }
}
