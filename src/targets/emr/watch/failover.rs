//! On to another cluster when one ends under a run.

use tokio::sync::oneshot;

use super::submit::NotAdded;
use super::{Watcher, fail};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::store::lease::Loss;
use crate::targets::emr::answers::{Cluster, has_ended};
use crate::targets::emr::clusters::{Acquired, ClusterRequest};
use crate::targets::emr::manage::DOWN;
use crate::targets::{Note, Stop};

/// How often a run moves to another cluster before it gives up.
const MOST_MOVES: u32 = 3;

impl Watcher {
    /// Goes on with the unfinished steps on another cluster, or ends them when that would not help.
    pub(super) async fn move_on(&mut self, lost: Cluster) {
        let finding = self.target.why_lost(&lost).await;
        let helpless = !finding.elsewhere || self.state.moves == MOST_MOVES;
        let moved = match self.ended_by_force().await {
            Some(by) => Err(self.not_wanted(&lost, &by)),
            None if helpless => Err(finding.into_error(&lost)),
            None => {
                self.tell(Event::ClusterLost { cluster: lost.id.clone(), reason: finding.summary });
                self.move_from(&lost).await
            }
        };
        if let Err(error) = moved {
            fail(std::mem::take(&mut self.state.watched), &error);
        }
    }

    /// Returns who ended the cluster although this run used it, if someone did.
    async fn ended_by_force(&self) -> Option<String> {
        let Ok(Some(Loss { to, forced: Some(what) })) = self.acquired.lease.check().await else { return None };
        (what == DOWN).then_some(to)
    }

    /// Whoever ends a cluster under a run does not want another one for it.
    fn not_wanted(&self, lost: &Cluster, by: &str) -> Error {
        let run = &self.run;
        Error::new(Kind::Held, format!("cluster `{}` was ended under run `{run}`", lost.id))
            .detail(format!("with `soflow cluster down`, by {by}"))
            .hint(format!("finished steps are kept: `soflow retry {run}` does the rest, on another cluster"))
    }

    async fn move_from(&mut self, lost: &Cluster) -> Result<()> {
        self.state.moves += 1;
        let mut stop = self.stop();
        let acquired = tokio::select! {
            acquired = self.elsewhere(lost) => acquired?,
            Ok(_) = stop.wait_for(|stop| *stop == Stop::Cancel) => {
                return Err(Error::new(Kind::Interrupted, format!("run `{}` was stopped", self.run))
                    .hint(format!("finished steps are kept: `soflow retry {}` does the rest", self.run)));
            }
        };
        // What the ended cluster left half-written must not mix with what comes now.
        for step in &self.state.watched {
            for output in &step.order.outputs {
                self.target.store.remove(output).await?;
            }
        }
        let (saved, is_saved) = oneshot::channel();
        let _ = self.notes.send(Note::Placed { placed: acquired.placed.clone(), saved });
        let unsaved = |_| Error::new(Kind::Machine, "the run's record could not be written");
        is_saved.await.map_err(unsaved)?;
        let old = std::mem::replace(&mut self.acquired, acquired);
        // The lease of a cluster that is gone is nobody's concern.
        let _ = old.lease.release().await;
        self.state.told_lost = false;
        self.state.there.clear();
        let mut unfinished = std::mem::take(&mut self.state.watched);
        for step in &mut unfinished {
            step.id = None;
            step.state = None;
        }
        let submitted = self.submit(&mut unfinished, true).await;
        self.state.watched = unfinished;
        match submitted {
            Ok(()) => Ok(()),
            // This one has ended too: the next tick moves on.
            Err(NotAdded::Call(error)) if error.is_ending_cluster() => {
                self.acquired.ready = false;
                Ok(())
            }
            Err(NotAdded::Call(error)) => Err(error.into()),
            Err(NotAdded::Told(error)) => Err(error),
        }
    }

    /// Returns another cluster, once nothing runs on the one that ends any more.
    async fn elsewhere(&self, lost: &Cluster) -> Result<Acquired> {
        let candidates = self.target.candidates().await?;
        let run = self.run.to_string();
        let token = format!("{run}.move-{}", self.state.moves);
        let request = ClusterRequest { what: &run, token: &token, not: Some(&lost.id), notes: &self.notes };
        let acquired = self.target.acquire(&request, None, candidates).await?;
        while !has_ended(&self.target.api.describe_cluster(&lost.id).await?.state) {
            tokio::time::sleep(self.target.settings.poll_slowest).await;
        }
        Ok(acquired)
    }
}
