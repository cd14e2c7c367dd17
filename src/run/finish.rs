//! What landed: taken in when a step ends, audited when all have, and then shown to readers.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::drive::ActiveRun;
use super::gather::{self, Gathered};
use crate::audit::{self, Finding, Opened};
use crate::catalog::Index;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::names::{Digest, RunId, Uri, partition_path};
use crate::plan::{self, Action, Column, Facts, OutputPlan, Partition, Plan, StepPlan, StepResult, Version, Written};
use crate::store::Object;
use crate::store::document::json;

/// What steps that ended in this process have written, by step and table, as it was listed then: as long as a listing
/// says the same, footers are not read again.
pub type Seen = BTreeMap<(String, String), (Vec<Object>, Opened)>;

/// What a run has published, and what has kept other catalogs, such as Glue, from showing that.
pub type Publication = (Vec<Version>, Option<Error>);

/// How often a publication is begun anew because others publish the same tables.
const ROUNDS: u32 = 20;

impl ActiveRun<'_> {
    /// Reads what a finished step has written and keeps that as its result.
    pub(super) async fn take_in(&mut self, name: &str, seconds: f64) -> Result<StepResult> {
        let planned = self.plan.step(name);
        let step = planned.ok_or_else(|| Error::new(Kind::Internal, format!("step `{name}` is not in the plan")))?;
        let started_at = self.record.step(name).and_then(|step| step.started_at);
        let (run, tables) = (self.record.run.clone(), BTreeMap::new());
        let mut result = StepResult { run, step: name.into(), started_at, seconds, tables };
        for output in &step.outputs {
            let location = self.location(&output.table, &self.record.run);
            let objects = self.objects_under(output, &location).await?;
            let opened = self.read(output, &location, &objects).await?;
            // The engine leaves that to the system; from here on others count on these files.
            self.services.store.sync(&self.gathered.facts.lake.curated, &objects).await?;
            let landed = opened.landed.clone();
            self.seen.insert((name.into(), output.table.clone()), (objects, opened));
            let partitions = landed.partitions.into_iter().map(|part| Partition {
                values: part.values,
                prefix: plan::run_prefix(&output.table, &self.record.run),
                directory: Some(part.directory).filter(|directory| !directory.is_empty()),
                rows: part.rows,
                bytes: part.bytes,
                files: part.files,
            });
            let columns = landed.schema.into_iter();
            let schema =
                columns.map(|column| Column { name: column.name, kind: column.kind, nullable: column.nullable });
            let written = Written { schema: schema.collect(), partitions: partitions.collect() };
            result.tables.insert(output.table.clone(), written);
        }
        self.services.store.put(&self.result_uri(&step.result), &json(&(&step.result, &result))?).await?;
        Ok(result)
    }

    fn result_uri(&self, result: &Digest) -> Uri {
        let facts = &self.gathered.facts;
        gather::result_uri(&facts.lake.artifacts, &facts.job.name, result)
    }

    /// Returns where a run puts a table.
    fn location(&self, table: &str, run: &RunId) -> Uri {
        self.gathered.facts.lake.curated.join(&plan::run_prefix(table, run))
    }

    /// Returns the objects under a run's prefix but for those of other outputs that share it.
    async fn objects_under(&self, output: &OutputPlan, prefix: &Uri) -> Result<Vec<Object>> {
        let mut objects = self.services.store.list_all(prefix).await?;
        let by = &output.spec.partition_by;
        let others = self.plan.steps.iter().flat_map(|step| &step.outputs);
        for other in others.filter(|other| other.table == output.table && other.only != output.only) {
            objects.retain(|object| !audit::is_in(prefix, by, &other.only, object));
        }
        Ok(objects)
    }

    async fn read(&self, output: &OutputPlan, location: &Uri, objects: &[Object]) -> Result<Opened> {
        audit::read(&self.reader, location, &output.spec.partition_by, &output.only, objects).await
    }

    /// Returns where a step writes: the parts of this run's prefixes that its outputs fill, as Spark spells them.
    pub(super) fn places(&self, step: &StepPlan) -> Vec<Uri> {
        let place = |output: &OutputPlan| {
            let location = self.location(&output.table, &self.record.run);
            let fixed: Vec<String> = output.only.iter().map(|(column, _)| column.clone()).collect();
            let only = output.only.iter().cloned().collect();
            if fixed.is_empty() { location } else { location.join(&partition_path(&fixed, &only)) }
        };
        step.outputs.iter().map(place).collect()
    }

    /// Returns what a step has written according to its result, if it finished in this run.
    pub(super) async fn known_result(&self, step: &StepPlan) -> Result<Option<StepResult>> {
        let found = gather::read_result(self.services.store.as_ref(), &self.result_uri(&step.result)).await?;
        Ok(found.map(|(_, result)| result).filter(|result| result.run == self.record.run))
    }

    /// Returns the rows in files that a running step has finished; 0 when they cannot be read yet, and when the lake is
    /// not on this machine: every look would cost requests.
    pub(super) async fn rows_so_far(&self, name: &str) -> u64 {
        let mut rows = 0;
        if self.gathered.facts.lake.curated.to_path().is_some()
            && let Some(step) = self.plan.step(name)
        {
            for place in self.places(step) {
                let objects = self.services.store.list(&place).await.unwrap_or_default();
                rows += audit::rows_so_far(&self.reader, &objects).await;
            }
        }
        rows
    }

    /// Compares what landed with the job file's checks and, when all hold, moves the catalog. When others have published one
    /// of the tables meanwhile, what the steps wrote is put on top of that, as far as it does not depend on what they found.
    ///
    /// # Errors
    /// `Audit` when a check fails; `Held`, with `behind` set, when steps have to run again for what others have published.
    pub(super) async fn audit_and_publish(&mut self, sink: &mut dyn Sink) -> Result<Publication> {
        // Whoever was put out must not publish.
        if self.is_shared() {
            self.save().await?;
        }
        let mut ended = self.publish(self.gathered, self.plan, self.results.clone(), sink).await;
        for _ in 0..ROUNDS {
            let moved = match ended {
                Err(error) if error.kind == Kind::Held => error,
                ended => return ended,
            };
            let mut gathered = self.gathered_anew().await?;
            let plan = gather::plan(&mut gathered, self.services.store.as_ref()).await?;
            if plan.steps.iter().any(|step| step.action == Action::Run) {
                self.record.behind = true;
                return Err(moved);
            }
            ended = self.publish(&gathered, &plan, plan.reused(), sink).await;
        }
        ended
    }

    async fn publish(
        &mut self,
        gathered: &Gathered<'_>,
        plan: &Plan,
        results: BTreeMap<String, StepResult>,
        sink: &mut dyn Sink,
    ) -> Result<Publication> {
        let facts = &gathered.facts;
        let versions = plan::next_versions(facts, plan, &results, &self.record.run, Timestamp::now());
        let finished: Vec<(&StepPlan, &StepResult)> =
            plan.steps.iter().filter_map(|step| Some((step, results.get(&step.step.name)?))).collect();
        let outputs: Vec<(&OutputPlan, &StepResult)> =
            finished.iter().flat_map(|(step, result)| step.outputs.iter().map(move |of| (of, *result))).collect();
        let checks = outputs.iter().map(|(output, _)| output.spec.checks.len()).sum();
        sink.emit(Event::Auditing { tables: versions.len(), checks });
        let mut refused = Vec::new();
        for (output, result) in outputs {
            for Finding { check, found, .. } in self.audit_output(facts, output, result, &versions).await? {
                refused.push(format!("{}: {check}: {found}", output.table));
                sink.emit(Event::CheckFailed { table: output.table.clone(), check, found });
            }
        }
        if !refused.is_empty() {
            let count = refused.len();
            let failed = if count == 1 { "a check failed".to_string() } else { format!("{count} checks failed") };
            return Err(Error::new(Kind::Audit, format!("{failed}, nothing was published"))
                .detail(refused.join("\n"))
                .hint(format!("look at the data: {}", facts.lake.curated))
                .hint(format!("mend the step or the check, then `soflow submit {}`", facts.job.name)));
        }
        // From here on whoever wants to end the run waits for how this ends.
        self.record.publishing = true;
        if self.is_shared() {
            self.save().await?;
        }
        let moved = self.move_catalog(&gathered.index, &versions, sink).await;
        self.record.publishing = false;
        let unshown = moved?;
        let results: Vec<Uri> = finished.iter().map(|(step, _)| self.result_uri(&step.result)).collect();
        // It is published, whatever is left lying about; garbage collection finds it.
        if let Err(error) = self.services.store.remove_all(&results).await {
            sink.emit(Event::Warning { text: format!("results that are published now were left: {error}") });
        }
        sink.emit(Event::Published {
            run: self.record.run.clone(),
            // A quarantine that never took anything in is no news.
            tables: versions.iter().filter(|v| !v.partitions.is_empty()).map(|v| v.table.clone()).collect(),
        });
        Ok((versions, unshown))
    }

    /// Moves the catalog. After a failure, what was written all the same is looked for before the run is said to have failed.
    async fn move_catalog(&self, seen: &Index, versions: &[Version], sink: &mut dyn Sink) -> Result<Option<Error>> {
        let catalog = self.services.catalog.as_ref();
        let failure = match catalog.telling(catalog.publish(seen, versions), sink).await {
            Err(error) if error.kind == Kind::Machine => error,
            ended => return ended,
        };
        match catalog.index().await {
            Ok(index) if index.published_by(&self.record.run).next().is_some() => Ok(catalog.settle().await.err()),
            Ok(_) => Err(failure),
            Err(_) => Err(self.goes_on(failure)),
        }
    }

    /// Returns the checks of an output that failed.
    async fn audit_output(
        &mut self,
        facts: &Facts<'_>,
        output: &OutputPlan,
        result: &StepResult,
        versions: &[Version],
    ) -> Result<Vec<Finding>> {
        let location = self.location(&output.table, &result.run);
        let objects = self.objects_under(output, &location).await?;
        let opened = match self.seen.remove(&(result.step.clone(), output.table.clone())) {
            Some((listed, opened)) if listed == objects => opened,
            _ => self.read(output, &location, &objects).await?,
        };
        let landed = opened.landed.rows;
        let expected = result.tables.get(&output.table).map_or(0, Written::rows);
        if landed != expected {
            let what = format!("the files of `{}` changed after its step had ended", output.table);
            return Err(Error::new(Kind::Audit, what)
                .detail(format!("{landed} rows in {location}, {expected} when the step ended"))
                .hint(format!("run the step again: `soflow submit {} --force`", facts.job.name)));
        }
        let before = facts.current(&output.table).map(Version::rows);
        let after = versions.iter().find(|version| version.table == output.table).map_or(0, Version::rows);
        let subject = audit::Subject { table: output.spec.clone(), opened, before, after, date: facts.date };
        Ok(audit::check(subject).await?.into_iter().filter(|finding| !finding.passed).collect())
    }
}
