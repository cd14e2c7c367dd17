//! Runs the steps of a claimed run: what may run at once, what the target tells meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::drive::{ActiveRun, Reach, task_uri};
use super::ended::is_open;
use super::record::logs_of;
use crate::aws::CallError;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink, StepState};
use crate::plan::{Action, StepPlan, StepResult};
use crate::targets::{Ended, Note, Notes, Opening, Placed, StepOrder, Stop};

/// How often a running step's output is looked at for the live view.
const LOOK_EVERY: Duration = Duration::from_millis(400);

/// Returns a note and all that wait behind it.
fn waiting(first: Note, heard: &mut mpsc::UnboundedReceiver<Note>) -> Vec<Note> {
    std::iter::once(first).chain(std::iter::from_fn(|| heard.try_recv().ok())).collect()
}

/// Returns whether asking AWS again will not help.
fn is_final(error: &Error) -> bool {
    CallError::of(error).is_some_and(|call| !call.is_passing() && !call.maybe_done)
}

/// Waits for the end of a step; its name, the seconds since it was handed over, and how it ended.
type StepEnded = (String, f64, Result<Ended>);

impl<'a> ActiveRun<'a> {
    /// Runs the steps, as many at once as the target takes and the graph allows. After a failure nothing new is started,
    /// but what runs may finish: its results are there for the next try. Returns once this process has taken the run as far as
    /// it is to.
    pub(super) async fn execute(&mut self, resumed: bool, sink: &mut dyn Sink) -> Result<()> {
        // Where there are tasks it has begun.
        if !resumed || self.plan.steps.iter().all(|step| step.action != Action::Run) {
            self.begin().await?;
        }
        let (notes, mut heard) = mpsc::unbounded_channel();
        let went = match self.open(resumed, notes, &mut heard, sink).await {
            Ok(()) if self.until() <= Reach::OnCluster => Ok(()),
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
        let until = self.until();
        let opening = Opening {
            run: self.record.run.clone(),
            since: self.record.started_at,
            placed: self.record.placed.clone(),
            // Before it has a cluster, one that was there when it was claimed is none of its own.
            resumed: resumed
                && (until != Reach::OnCluster || self.record.placed.as_ref().is_some_and(|placed| placed.made)),
            lost: self.record.left.len(),
            shipped: self.record.shipped.clone(),
            fused: self.record.fused,
            brief: self.services.part.is_some(),
            notes: Notes(notes),
        };
        let mut stop = self.services.stop.clone();
        let mut open = if until == Reach::Claimed { target.ship(opening) } else { target.open(opening) };
        let mut waited = false;
        let opened = loop {
            tokio::select! {
                opened = &mut open => break opened,
                Some(note) = heard.recv() => {
                    let notes = waiting(note, heard);
                    waited |= notes.iter().any(|note| matches!(note, Note::Event(Event::InLine { .. })));
                    self.hear(notes, sink).await?;
                    // Its place in the queue is kept until the next look.
                    if waited && self.services.part.is_some() {
                        return Err(self.detached());
                    }
                }
                Ok(asked) = async { stop.wait_for(|stop| matches!(stop, Stop::Cancel | Stop::Detach)).await.map(|asked| *asked) } => {
                    break Err(self.stopped_before(resumed, asked, sink).await);
                }
            }
        };
        match opened {
            // Steps that an earlier process has handed over go on, whatever keeps us from them.
            Err(mut error)
                if resumed && error.kind == Kind::Machine && !(until == Reach::OnCluster && is_final(&error)) =>
            {
                error.kind = Kind::Detached;
                Err(error.hint(format!("the run may go on: `soflow attach {}`", self.record.run)))
            }
            Ok(()) if until == Reach::OnCluster || (!resumed && waited) => self.is_still_wanted().await,
            opened => opened,
        }
    }

    /// Returns the end of a run that is stopped before this process has handed anything over.
    async fn stopped_before(&mut self, resumed: bool, asked: Stop, sink: &mut dyn Sink) -> Error {
        let goes_on = self.services.part.is_some() || (resumed && self.record.placed.is_some());
        match (goes_on, asked) {
            (true, Stop::Detach) => self.detached(),
            (true, _) if resumed => self.end_steps(sink).await.err().unwrap_or_else(|| self.stopped()),
            _ => self.stopped(),
        }
    }

    /// Others may have published while a cluster was waited for; what was planned before that could not be published.
    async fn is_still_wanted(&mut self) -> Result<()> {
        let now = self.services.catalog.index().await?;
        let moved = now.moved(&self.gathered.index, self.gathered.facts.job.tables.keys());
        let Some(table) = moved.first() else { return Ok(()) };
        self.record.behind = true;
        Err(Error::new(Kind::Held, format!("`{table}` was published by others while this waited for its cluster")))
    }

    async fn run_steps(&mut self, heard: &mut mpsc::UnboundedReceiver<Note>, sink: &mut dyn Sink) -> Result<()> {
        let mut running: JoinSet<StepEnded> = JoinSet::new();
        let mut began: BTreeMap<String, Instant> = BTreeMap::new();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        let mut stop = self.services.stop.clone();
        let mut failed = false;
        loop {
            let asked = *stop.borrow_and_update();
            let mut orders = Vec::new();
            while !failed && asked != Stop::Cancel && running.len() + orders.len() < self.services.target.slots() {
                let Some(step) = self.next_ready(&began) else { break };
                began.insert(step.step.name.clone(), Instant::now());
                orders.push(self.order(step));
            }
            for name in self.start(orders, &mut running) {
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
            if !began.keys().any(on_its_way) {
                let looked =
                    self.looked.as_ref().is_some_and(|ended| !ended.iter().any(|name| began.contains_key(name)));
                match self.until() {
                    Reach::HandedOver => return Ok(()),
                    _ if matches!(asked, Stop::Detach | Stop::HandOver) => return Err(self.detached()),
                    _ if looked && self.services.part.is_some() => return Err(self.detached()),
                    _ => {}
                }
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
                Some(note) = heard.recv() => self.hear(waiting(note, heard), sink).await?,
                // Looking costs requests elsewhere; there what EMR says is shown.
                _ = tick.tick(), if !self.is_shared() => self.look(&began, sink).await,
                Ok(()) = stop.changed() => {}
            }
        }
        let stopped = *stop.borrow() == Stop::Cancel;
        self.after_steps(stopped, sink).await
    }

    /// Returns whether other processes can see the steps and take the run over.
    pub(super) fn is_shared(&self) -> bool {
        self.services.owner.is_some()
    }

    /// Takes in what the target tells. What is told together is written together, and shown once that is done.
    async fn hear(&mut self, notes: Vec<Note>, sink: &mut dyn Sink) -> Result<()> {
        let (mut changed, mut events, mut answers) = (false, Vec::new(), Vec::new());
        for note in notes {
            match note {
                Note::Looked { ended } => self.looked = Some(ended),
                Note::Event(event) if !changed => sink.emit(event),
                Note::Event(event) => events.push(event),
                Note::Placed { placed, saved } => {
                    self.place(placed);
                    answers.push(saved);
                    changed = true;
                }
                Note::Step { step, state, id } => {
                    if let Some(record) = self.record.step_mut(&step) {
                        record.step_id = id.or_else(|| record.step_id.take());
                    }
                    events.push(self.apply(&step, state, 0.0));
                    changed = true;
                }
            }
        }
        if changed {
            self.save().await?;
        }
        for answer in answers {
            // Nobody waits for the answer when the target has given up meanwhile.
            let _ = answer.send(());
        }
        events.into_iter().for_each(|event| sink.emit(event));
        Ok(())
    }

    /// Notes in the record that the run is on another cluster: its steps there have no ids yet.
    fn place(&mut self, placed: Placed) {
        let had = self.record.steps.iter().any(|step| step.step_id.is_some());
        let is_other = |before: &Placed| (before.made || had) && before.cluster != placed.cluster;
        self.record.left.extend(self.record.placed.take().filter(is_other));
        self.record.placed = Some(placed);
        for step in self.record.steps.iter_mut().filter(|step| is_open(step.state)) {
            step.step_id = None;
        }
    }

    fn next_ready(&self, handed: &BTreeMap<String, Instant>) -> Option<&'a StepPlan> {
        let waits =
            |name: &str| self.record.step(name).is_some_and(|step| is_open(step.state)) && !handed.contains_key(name);
        let ahead = self.services.target.queues();
        let comes_before =
            |before: &String| self.results.contains_key(before) || (ahead && handed.contains_key(before));
        self.plan.steps.iter().find(|step| waits(&step.step.name) && step.after.iter().all(comes_before))
    }

    fn order(&self, step: &StepPlan) -> StepOrder {
        let facts = &self.gathered.facts;
        StepOrder {
            run: self.record.run.clone(),
            step: step.step.name.clone(),
            code: step.step.code.path().to_path_buf(),
            task: task_uri(&facts.lake.artifacts, &self.record.run, &step.step.name),
            logs: logs_of(&facts.lake.logs, &self.record.run, &step.step.name),
            spark: step.step.spark.clone(),
            outputs: self.places(step),
            step_id: self.record.step(&step.step.name).and_then(|record| record.step_id.clone()),
        }
    }

    /// Hands steps over and waits for their ends beside; returns their names.
    fn start(&self, orders: Vec<StepOrder>, running: &mut JoinSet<StepEnded>) -> Vec<String> {
        let names: Vec<String> = orders.iter().map(|order| order.step.clone()).collect();
        if orders.is_empty() {
            return names;
        }
        let began = Instant::now();
        for (name, ended) in names.iter().cloned().zip(self.services.target.start(orders, &self.services.stop)) {
            running.spawn(async move {
                let end = ended.await;
                (name, began.elapsed().as_secs_f64(), end)
            });
        }
        names
    }

    pub(super) async fn change(
        &mut self,
        name: &str,
        state: StepState,
        seconds: f64,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let event = self.apply(name, state, seconds);
        // The record first: whoever acts on the event finds it written.
        self.save().await?;
        sink.emit(event);
        Ok(())
    }

    /// Notes a step's state in the record, and returns the event that tells it.
    fn apply(&mut self, name: &str, state: StepState, seconds: f64) -> Event {
        let now = Timestamp::now();
        let result = self.results.get(name);
        let rows = result.map(StepResult::rows).unwrap_or_default();
        let total = rows.values().sum();
        if let Some(step) = self.record.step_mut(name) {
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
            let rows = self.rows_so_far(name).await;
            sink.emit(Event::StepProgress { step: name.clone(), rows, seconds: began.elapsed().as_secs_f64() });
        }
    }
}
