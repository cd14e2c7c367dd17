//! `soflow destroy`: nothing begins any more, what runs is ended, the stack goes, and its data when that is asked for. Each
//! part may be done twice: whatever cut it off, the same command goes on.

use serde_json::{Value as Json, json};

use super::{CODE_OUTPUT, Deployment, DestroyArgs, SCHEDULES, TAG};
use crate::aws::{CallError, GLUE};
use crate::cli::app::App;
use crate::cli::confirm::{ask, confirm};
use crate::cli::workspace::stop_signal;
use crate::config::Provision;
use crate::deploy::{Executions, StackState, Template, Wanted};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, RunState, Sink};
use crate::run;
use crate::store::S3Store;
use crate::targets::Stop;

/// What the outputs with the ARNs of state machines end in.
const MACHINE: &str = "Machine";

/// Ends what runs, and deletes the stack. Data stays unless it is to go.
pub async fn destroy(app: &App, args: &DestroyArgs) -> Result<u8> {
    let work = app.workspace().await?;
    let deployment = Deployment::of(&work)?;
    let name = &deployment.name;
    let there = [deployment.stacks.find(name).await?, deployment.stacks.find(&deployment.code_stack()).await?];
    if there.iter().all(Option::is_none) && !args.delete_data {
        return app.answer(&json!({ "stack": name, "deleted": false }), |_| {
            format!("Nothing to delete: there is no stack {name}.\n")
        });
    }
    asked(&deployment, args).await?;
    let mut sink = app.sink();
    let outputs = there[0].as_ref().map(|there| there.outputs.clone()).unwrap_or_default();
    let ended = deployment.end(sink.as_mut(), &format!("`soflow destroy` by {}", app.owner())).await?;
    deployment.delete_code(sink.as_mut()).await?;
    let removed = if args.delete_data { deployment.delete_data(sink.as_mut()).await? } else { Vec::new() };
    drop(sink);
    let answer = json!({ "stack": name, "deleted": true, "clusters": ended, "buckets": removed });
    app.answer(&answer, |_| {
        let clusters = ended.iter().map(|id| format!("Cluster {id} is ending.\n"));
        let buckets = removed.iter().map(|bucket| format!("Bucket {bucket} is deleted.\n"));
        let said: String = clusters.chain(buckets).collect();
        let stays = if args.delete_data { "Key and secret" } else { "Buckets, key, database and secret" };
        let mut said = format!("Stack {name} is deleted. {stays} stay.\n{said}");
        if let (true, Some(key), Some(secret)) = (args.delete_data, outputs.get("Key"), outputs.get("ApiKey")) {
            said += &format!("  aws kms schedule-key-deletion --key-id {key}\n");
            said += &format!("  aws secretsmanager delete-secret --secret-id {secret}\n");
        }
        said
    })
}

/// Asks whether that is meant.
async fn asked(deployment: &Deployment<'_>, args: &DestroyArgs) -> Result<()> {
    if args.yes {
        return Ok(());
    }
    let (name, stop) = (&deployment.name, stop_signal(Stop::Cancel, deployment.work.watching));
    let flags = if args.delete_data { "--delete-data --yes" } else { "--yes" };
    let hints = [format!("to delete it without a question: `soflow destroy {flags}`")];
    if !args.delete_data {
        let question = format!("Delete stack {name} and end its clusters? Data stays.");
        return confirm(&question, "nothing was deleted", stop, &hints).await;
    }
    let question = format!(
        "Delete stack {name}, end its clusters, and delete its buckets with every version of every object, and its \
         database? Nobody can bring that back.\nThe name of the stack: "
    );
    ask(&question, |answer| answer == name, "nothing was deleted", stop, &hints).await
}

impl Deployment<'_> {
    /// Ends all that the stack runs, and deletes it; returns the clusters that were there.
    async fn end(&self, sink: &mut dyn Sink, cause: &str) -> Result<Vec<String>> {
        let there = self.still(&self.name, sink).await?;
        if let Some(there) = &there {
            self.switch_off(there, sink).await;
            let executions = Executions::new(self.work.session()?);
            for (_, machine) in there.outputs.iter().filter(|(output, _)| output.ends_with(MACHINE)) {
                executions.stop_all(machine, cause).await?;
            }
        }
        self.cancel_runs(cause, sink).await?;
        let ended = self.end_clusters(sink).await?;
        if there.is_some() {
            self.stacks.delete(&self.name, sink).await?;
        }
        Ok(ended)
    }

    /// Keeps the schedules from starting anything. Where that fails the deletion of the stack does it, a little later.
    async fn switch_off(&self, there: &StackState, sink: &mut dyn Sink) {
        if !there.is_whole() || !there.parameters.contains_key(SCHEDULES) {
            return;
        }
        let (parameters, tags) = ([(SCHEDULES, "DISABLED".to_string())], self.tags());
        let wanted = Wanted { name: &self.name, template: Template::Same, parameters: &parameters, tags: &tags };
        let off = async {
            match self.stacks.plan(&wanted, Some(there)).await? {
                Some(set) => self.stacks.apply(&self.name, &set, sink).await.map(drop),
                None => Ok(()),
            }
        };
        if let Err(error) = off.await {
            let text = format!("the schedules could not be switched off first: {error}");
            sink.emit(Event::Warning { text });
        }
    }

    /// Cancels the runs that executions drove.
    async fn cancel_runs(&self, cause: &str, sink: &mut dyn Sink) -> Result<()> {
        let (work, services) = (self.work, self.work.services()?);
        let runs = none_without_bucket(run::list_runs(work.store.as_ref(), &work.lake().artifacts).await)?;
        for (run, record) in runs {
            if record.is_ok_and(|record| record.state == RunState::Running && record.execution.is_some()) {
                let why = Error::new(Kind::Interrupted, cause);
                run::cancel(&services, work.lake(), &run, why, sink).await?;
            }
        }
        Ok(())
    }

    /// Ends all clusters of the lake; returns their ids once they have ended, as they write logs until then.
    async fn end_clusters(&self, sink: &mut dyn Sink) -> Result<Vec<String>> {
        let (clusters, mut ended) = (self.work.clusters()?, Vec::new());
        let mut pauses = clusters.poll();
        loop {
            let there = clusters.there().await?;
            if there.is_empty() {
                return Ok(ended);
            }
            for cluster in there.into_iter().filter(|cluster| !ended.contains(&cluster.id)).collect::<Vec<_>>() {
                clusters.down(&cluster.id, true).await?;
                sink.emit(Event::Note { text: format!("Cluster {} is ending.", cluster.id) });
                ended.push(cluster.id);
            }
            tokio::time::sleep(pauses.next_pause()).await;
        }
    }

    /// Deletes the bucket of the functions' code.
    async fn delete_code(&self, sink: &mut dyn Sink) -> Result<()> {
        let name = self.code_stack();
        let Some(there) = self.still(&name, sink).await? else { return Ok(()) };
        if let Some(bucket) = there.outputs.get(CODE_OUTPUT) {
            S3Store::new(self.work.session()?).empty_bucket(bucket).await?;
        }
        self.stacks.delete(&name, sink).await
    }

    /// Deletes the buckets that the stack has made, known by its tag, and its database; returns the buckets' names.
    async fn delete_data(&self, sink: &mut dyn Sink) -> Result<Vec<String>> {
        let (lake, store, mut removed) = (self.work.lake(), S3Store::new(self.work.session()?), Vec::new());
        let mut buckets: Vec<String> = Vec::new();
        if self.emr.stack.buckets == Provision::Make {
            let locations = [&lake.raw, &lake.curated, &lake.artifacts, &lake.logs];
            buckets.extend(locations.into_iter().filter_map(|uri| Some(uri.bucket_and_key()?.0.to_string())));
        }
        // CloudFormation names it after the stack.
        let audit = format!("{}-auditbucket-", self.name.to_lowercase());
        buckets.extend(store.buckets().await?.into_iter().filter(|bucket| bucket.starts_with(&audit)));
        buckets.sort();
        buckets.dedup();
        for bucket in buckets {
            match store.bucket_tag(&bucket, TAG).await? {
                Some(Some(stack)) if stack == self.name => {
                    sink.emit(Event::Note { text: format!("Bucket {bucket} is being deleted.") });
                    store.delete_bucket(&bucket).await?;
                    removed.push(bucket);
                }
                Some(_) => {
                    let text =
                        format!("bucket `{bucket}` stays: it has no tag that says that stack {} made it", self.name);
                    sink.emit(Event::Warning { text });
                }
                None => {}
            }
        }
        self.delete_database(sink).await?;
        Ok(removed)
    }

    async fn delete_database(&self, sink: &mut dyn Sink) -> Result<()> {
        if self.emr.stack.database == Provision::Existing {
            return Ok(());
        }
        let (session, name) = (self.work.session()?, json!({ "Name": self.emr.database }));
        let found: Json = match session.call(&GLUE, "GetDatabase", &name).await {
            Err(error) if error.code == "EntityNotFoundException" => return Ok(()),
            found => found?,
        };
        let database = &self.emr.database;
        if found["Database"]["Description"] != self.database_description() {
            let text = format!("database `{database}` stays: stack {} did not make it", self.name);
            sink.emit(Event::Warning { text });
            return Ok(());
        }
        session.call::<Json>(&GLUE, "DeleteDatabase", &name).await?;
        sink.emit(Event::Note { text: format!("Database {database} is deleted.") });
        Ok(())
    }

    /// Returns how the template describes the database of the stack.
    fn database_description(&self) -> String {
        format!("The tables of {}", self.name)
    }
}

/// Returns what a lake holds, which is nothing where its bucket was never made.
pub fn none_without_bucket<T>(found: Result<Vec<T>>) -> Result<Vec<T>> {
    match found {
        Err(error) if CallError::of(&error).is_some_and(|call| call.code == "NoSuchBucket") => Ok(Vec::new()),
        found => found,
    }
}
