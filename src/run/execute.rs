//! Runs the steps of a claimed run: what may run at once, what each one's end means.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::drive::{Run, logs_of, task_uri};
use super::finish;
use super::record::StepRecord;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink, StepState};
use crate::names::RunId;
use crate::plan::{Action, Plan, StepPlan};
use crate::target::{Cause, Note, Opening, StepEnd, StepOrder, Stop};

/// How often a running step's output is looked at for the live view.
const LOOK_EVERY: Duration = Duration::from_millis(400);

type Ended = (String, f64, Result<StepEnd>);

impl<'a> Run<'a> {
    /// Runs the steps, as many at once as the target takes and the graph allows. After a failure nothing new is started,
    /// but what runs may finish: its results are there for the next try.
    pub(super) async fn execute(&mut self, resumed: bool, sink: &mut dyn Sink) -> Result<()> {
        // Where there are tasks it has begun.
        if !resumed || self.plan.steps.iter().all(|step| step.action != Action::Run) {
            self.begin().await?;
        }
        let (notes, mut heard) = mpsc::unbounded_channel();
        let went = match self.open(resumed, notes, &mut heard, sink).await {
            Ok(()) => self.run_steps(&mut heard, sink).await,
            Err(error) => Err(error),
        };
        // An end that comes as an error overtakes what the target told before it.
        while let Ok(note) = heard.try_recv() {
            if let Note::Event(event) = note {
                sink.emit(event);
            }
        }
        went
    }

    /// Waits for the target to be ready for this run, which may take as long as a cluster takes to start.
    async fn open(
        &mut self,
        resumed: bool,
        notes: mpsc::UnboundedSender<Note>,
        heard: &mut mpsc::UnboundedReceiver<Note>,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        if !self.record.steps.iter().any(|step| is_open(step.state)) {
            return Ok(());
        }
        let target = self.services.target.clone();
        let opening = Opening {
            run: self.record.run.clone(),
            since: self.record.started_at,
            placed: self.record.placed.clone(),
            resumed,
            notes,
        };
        let mut stop = self.services.stop.clone();
        let mut open = target.open(opening);
        let mut waited = false;
        let opened = loop {
            tokio::select! {
                opened = &mut open => break opened,
                Some(note) = heard.recv() => {
                    waited |= matches!(note, Note::Event(Event::InLine { .. }));
                    self.hear(note, sink).await?;
                }
                Ok(wish) = stop.wait_for(|stop| matches!(stop, Stop::Cancel | Stop::Detach)) => {
                    let wish = *wish;
                    break Err(self.stopped_before(resumed, wish).await);
                }
            }
        };
        match opened {
            // Steps that an earlier process has handed over go on, whatever keeps us from them.
            Err(mut error) if resumed && error.kind == Kind::Machine => {
                error.kind = Kind::Detached;
                Err(error.hint(format!("the run may go on: `soflow attach {}`", self.record.run)))
            }
            Ok(()) if !resumed && waited => self.is_still_wanted().await,
            opened => opened,
        }
    }

    /// Returns the end of a run that is stopped before this process has handed anything over.
    async fn stopped_before(&self, resumed: bool, wish: Stop) -> Error {
        match &self.record.placed {
            Some(_) if resumed && wish == Stop::Detach => self.detached(),
            Some(placed) if resumed => {
                let (run, since) = (&self.record.run, self.record.started_at);
                self.services.target.cancel(run, placed, since).await.err().unwrap_or_else(|| self.stopped())
            }
            _ => self.stopped(),
        }
    }

    /// Others may have published while a cluster was waited for; what was planned before that could not be published.
    async fn is_still_wanted(&self) -> Result<()> {
        if self.services.catalog.index().await?.generation == self.gathered.index.generation {
            return Ok(());
        }
        Err(Error::new(Kind::Held, "someone else published while this waited for its cluster")
            .hint("run the same command again: it starts from what is published now"))
    }

    async fn run_steps(&mut self, heard: &mut mpsc::UnboundedReceiver<Note>, sink: &mut dyn Sink) -> Result<()> {
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut began: BTreeMap<String, Instant> = BTreeMap::new();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut stop = self.services.stop.clone();
        let mut failed = false;
        loop {
            let wish = *stop.borrow_and_update();
            while !failed && wish != Stop::Cancel && running.len() < self.services.target.slots() {
                let Some(step) = self.next_ready(&began) else { break };
                let name = step.step.name.clone();
                self.start(step, &mut running);
                began.insert(name.clone(), Instant::now());
                if !self.is_shared() {
                    self.change(&name, StepState::Running, 0.0, sink).await?;
                }
            }
            if running.is_empty() {
                break;
            }
            // What is on its way to the cluster is waited for: it would be there or not, and nobody would know.
            let on_its_way =
                |name: &String| self.record.step(name).is_some_and(|step| step.state == StepState::Pending);
            if matches!(wish, Stop::Detach | Stop::HandOver) && !began.keys().any(on_its_way) {
                return Err(self.detached());
            }
            tokio::select! {
                // What has ended is taken in before a move to another cluster makes its place be forgotten.
                biased;
                Some(ended) = running.join_next() => {
                    let (name, seconds, end) = ended
                        .map_err(|error| Error::new(Kind::Internal, "a step's watcher ended unexpectedly").caused_by(error))?;
                    began.remove(&name);
                    failed |= !self.take_end(&name, seconds, end, sink).await?;
                }
                Some(note) = heard.recv() => self.hear_all(note, heard, sink).await?,
                // Looking costs requests elsewhere; there EMR's word is what is shown.
                _ = tick.tick(), if !self.is_shared() => self.look(&began, sink).await,
                Ok(()) = stop.changed() => {}
            }
        }
        let stopped = *stop.borrow() == Stop::Cancel;
        self.after_steps(stopped, sink).await
    }

    /// Returns whether other processes can see the steps and take the run over.
    fn is_shared(&self) -> bool {
        self.services.owner.is_some()
    }

    /// Takes in what the target tells. What is told together is written together.
    async fn hear(&mut self, note: Note, sink: &mut dyn Sink) -> Result<()> {
        match note {
            Note::Event(event) => sink.emit(event),
            Note::Placed { placed, saved } => {
                let had = self.record.steps.iter().any(|step| step.step_id.is_some());
                let before = self.record.placed.replace(placed);
                self.record.left.extend(before.filter(|before| {
                    (before.made || had) && self.record.placed.as_ref().is_none_or(|now| now.cluster != before.cluster)
                }));
                for step in self.record.steps.iter_mut().filter(|step| is_open(step.state)) {
                    step.step_id = None;
                }
                self.save().await?;
                // Nobody waits for the answer when the target has given up meanwhile.
                let _ = saved.send(());
            }
            step @ Note::Step { .. } => self.hear_steps(vec![step], sink).await?,
        }
        Ok(())
    }

    /// Takes in what the target tells of steps at one moment, and writes the record once for all of it.
    async fn hear_steps(&mut self, notes: Vec<Note>, sink: &mut dyn Sink) -> Result<()> {
        let mut told = Vec::new();
        for note in notes {
            let Note::Step { step, state, id } = note else { continue };
            if let Some(record) = self.record.steps.iter_mut().find(|record| record.name == step) {
                record.step_id = id.or_else(|| record.step_id.take());
            }
            told.push(self.apply(&step, state, 0.0));
        }
        self.save().await?;
        told.into_iter().for_each(|event| sink.emit(event));
        Ok(())
    }

    /// Takes in a note and all that wait behind it.
    async fn hear_all(
        &mut self,
        first: Note,
        heard: &mut mpsc::UnboundedReceiver<Note>,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let mut steps = Vec::new();
        let mut next = Some(first);
        while let Some(note) = next {
            match note {
                step @ Note::Step { .. } => steps.push(step),
                other => {
                    if !steps.is_empty() {
                        self.hear_steps(std::mem::take(&mut steps), sink).await?;
                    }
                    self.hear(other, sink).await?;
                }
            }
            next = heard.try_recv().ok();
        }
        if steps.is_empty() { Ok(()) } else { self.hear_steps(steps, sink).await }
    }

    fn next_ready(&self, handed: &BTreeMap<String, Instant>) -> Option<&'a StepPlan> {
        let waits =
            |name: &str| self.record.step(name).is_some_and(|step| is_open(step.state)) && !handed.contains_key(name);
        let ahead = self.services.target.queues();
        let comes_before =
            |before: &String| self.results.contains_key(before) || (ahead && handed.contains_key(before));
        self.plan.steps.iter().find(|step| waits(&step.step.name) && step.after.iter().all(comes_before))
    }

    fn start(&self, step: &StepPlan, running: &mut JoinSet<Ended>) {
        let facts = &self.gathered.facts;
        let order = StepOrder {
            run: self.record.run.clone(),
            step: step.step.name.clone(),
            script: step.step.script.clone(),
            task: task_uri(&facts.lake.artifacts, &self.record.run, &step.step.name),
            logs: logs_of(&facts.lake.logs, &self.record.run, &step.step.name),
            spark: step.step.spark.clone(),
            outputs: finish::places(self, step),
            step_id: self.record.step(&step.step.name).and_then(|record| record.step_id.clone()),
        };
        let (target, stop) = (self.services.target.clone(), self.services.stop.clone());
        running.spawn(async move {
            let began = Instant::now();
            let name = order.step.clone();
            let end = target.run_step(order, stop).await;
            (name, began.elapsed().as_secs_f64(), end)
        });
    }

    /// Returns whether the step completed.
    async fn take_end(&mut self, name: &str, seconds: f64, end: Result<StepEnd>, sink: &mut dyn Sink) -> Result<bool> {
        let seconds = match self.record.step(name).and_then(|step| step.started_at) {
            // By the step's own start: it may have waited on the cluster, and another process may have started it.
            Some(started) if self.is_shared() => (self.services.now)().duration_since(started).as_secs_f64(),
            // It was waiting on the cluster, not running.
            None if self.is_shared() => 0.0,
            _ => seconds,
        };
        match end? {
            StepEnd::Completed(_) if !self.has_inputs(name) => {
                // It ran although a step before it had failed: on the state before this run.
                self.change(name, StepState::Cancelled, seconds, sink).await.map(|()| false)
            }
            StepEnd::Completed(told) => {
                let landed = finish::take_in(self, name, seconds).await;
                match landed {
                    Ok(result) => {
                        self.results.insert(name.into(), result);
                        if let Some(rows) =
                            told.get("quarantined").and_then(serde_json::Value::as_u64).filter(|n| *n > 0)
                        {
                            sink.emit(Event::Quarantined { step: name.into(), rows });
                        }
                        self.change(name, StepState::Completed, seconds, sink).await?;
                        Ok(true)
                    }
                    Err(error) => {
                        self.change(name, StepState::Failed, seconds, sink).await?;
                        Err(error)
                    }
                }
            }
            StepEnd::Failed(cause) => {
                self.fail(name, cause);
                self.change(name, StepState::Failed, seconds, sink).await.map(|()| false)
            }
            StepEnd::Stopped => self.change(name, StepState::Cancelled, seconds, sink).await.map(|()| false),
        }
    }

    /// Returns whether every step before this one has finished.
    fn has_inputs(&self, name: &str) -> bool {
        let step = self.plan.steps.iter().find(|step| step.step.name == name);
        step.is_some_and(|step| step.after.iter().all(|before| self.results.contains_key(before)))
    }

    fn fail(&mut self, name: &str, cause: Cause) {
        if let Some(step) = self.record.steps.iter_mut().find(|step| step.name == name) {
            step.cause = Some(cause);
        }
    }

    async fn change(&mut self, name: &str, state: StepState, seconds: f64, sink: &mut dyn Sink) -> Result<()> {
        let event = self.apply(name, state, seconds);
        // The record first: whoever acts on the event finds it written.
        self.save().await?;
        sink.emit(event);
        Ok(())
    }

    /// Notes a step's state in the record, and returns the event that tells it.
    fn apply(&mut self, name: &str, state: StepState, seconds: f64) -> Event {
        let now = (self.services.now)();
        let result = self.results.get(name);
        let rows: BTreeMap<String, u64> = result
            .iter()
            .flat_map(|result| &result.tables)
            .map(|(table, written)| (table.clone(), written.rows()))
            .collect();
        let total = rows.values().sum();
        if let Some(step) = self.record.steps.iter_mut().find(|step| step.name == name) {
            step.state = state;
            step.rows = rows;
            match state {
                StepState::Running => step.started_at = Some(now),
                StepState::Queued => {}
                _ => step.seconds = Some(seconds),
            }
        }
        Event::StepChanged { step: name.into(), state, rows: total, seconds }
    }

    async fn look(&self, began: &BTreeMap<String, Instant>, sink: &mut dyn Sink) {
        for (name, began) in began {
            let rows = finish::rows_so_far(self, name).await.unwrap_or_default();
            sink.emit(Event::StepProgress { step: name.clone(), rows, seconds: began.elapsed().as_secs_f64() });
        }
    }

    async fn after_steps(&mut self, stopped: bool, sink: &mut dyn Sink) -> Result<()> {
        let left: Vec<String> =
            self.record.steps.iter().filter(|step| is_open(step.state)).map(|step| step.name.clone()).collect();
        for name in &left {
            self.change(name, StepState::Cancelled, 0.0, sink).await?;
        }
        let failed = self.record.steps.iter().find_map(|step| Some((step.name.clone(), step.cause.clone()?)));
        match failed {
            Some((step, cause)) => Err(step_failed(&self.record.run, &step, &cause)),
            None if stopped => Err(self.stopped()),
            None if self.record.steps.iter().any(|step| is_cut_short(self.plan, step)) => Err(Error::new(
                Kind::Machine,
                format!("steps of run `{}` were cancelled, and not by soflow", self.record.run),
            )
            .hint(format!("finished steps are kept: `soflow retry {}` does the rest", self.record.run))),
            None => Ok(()),
        }
    }

    fn stopped(&self) -> Error {
        Error::new(Kind::Interrupted, format!("run `{}` was stopped", self.record.run))
            .hint(format!("finished steps are kept: `soflow retry {}` does the rest", self.record.run))
    }

    fn detached(&self) -> Error {
        let run = &self.record.run;
        let error = Error::new(Kind::Detached, format!("stopped watching run `{run}`, which goes on"));
        let waiting = self.record.steps.iter().any(|step| step.state == StepState::Pending);
        let error = if waiting {
            error.detail(
                "steps that depend on running ones start when someone attaches; nothing is published before that",
            )
        } else {
            error.detail("nothing is published before someone attaches")
        };
        error
            .hint(format!("watch it again, and publish: `soflow attach {run}`"))
            .hint(format!("end it: `soflow cancel {run}`"))
    }
}

/// Returns whether a step may still run.
pub(super) fn is_open(state: StepState) -> bool {
    matches!(state, StepState::Pending | StepState::Queued | StepState::Running)
}

/// Returns whether a step was to run and was cancelled.
fn is_cut_short(plan: &Plan, record: &StepRecord) -> bool {
    let wanted = |step: &StepPlan| step.step.name == record.name && step.action == Action::Run;
    record.state == StepState::Cancelled && plan.steps.iter().any(wanted)
}

fn step_failed(run: &RunId, step: &str, cause: &Cause) -> Error {
    let mut error = Error::new(cause.class.kind(), format!("step `{step}` of run `{run}` failed: {}", cause.summary));
    if !cause.excerpt.is_empty() {
        error = error.detail(format!("{}\n\n{}", cause.excerpt, cause.place()));
    }
    if let Some(hint) = &cause.hint {
        error = error.hint(hint.clone());
    }
    error
        .hint(format!("all it printed: `soflow logs {run} {step}`"))
        .hint(format!("when it is mended: `soflow retry {run}`; finished steps are not run again"))
}
