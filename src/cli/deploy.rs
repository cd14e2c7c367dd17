//! `soflow deploy`, `destroy` and `status`: the stack that runs jobs of a target unattended; `soflow compile`: its state machine.

mod args;
mod destroy;
mod shown;
mod status;

use std::collections::BTreeMap;
use std::path::Path;

use fs_err as fs;
use serde_json::{Value as Json, json};

use super::app::{App, yesterday};
use super::args::TargetOptions;
use super::confirm::confirm;
use super::jobs;
use super::workspace::{Workspace, stop_signal};
use crate::config::{Emr, LambdaArchitecture};
use crate::deploy::{self, Change, ChangeSet, Executions, Filled, Stack, StackState, Stacks, Template, Wanted};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Sink};
use crate::names::{Digest, Uri};
use crate::package::{Architecture, Bundle, FunctionFile, function_archive};
use crate::run::RunRecord;
use crate::targets::Stop;
use crate::targets::emr::Identity;
pub use args::{CompileArgs, DeployArgs, DestroyArgs, Driver, Via};
pub use destroy::destroy;
use shown::{changes, state};
pub use status::status;

/// The template of the bucket for the functions' code and the template of the stack: these come first.
const CODE_BUCKET: &str = include_str!("../../config/stack/code.json");

/// The output of that stack with the bucket's name.
const CODE_OUTPUT: &str = "CodeBucket";

/// Tells the stacks of soflow from others.
const TAG: &str = "soflow:stack";

/// The parameters of the template: where the archive of the functions is, and whether the schedules start anything.
const CODE_KEY: &str = "CodeKey";
const SCHEDULES: &str = "Schedules";

/// Exit code of `deploy --check` when something would change: that of a job that is not as it should be.
const WOULD_CHANGE: u8 = Kind::Job.exit_code();

/// Prints the state machine of a job.
pub fn compile(app: &App, args: &CompileArgs) -> Result<u8> {
    let project = app.project(&TargetOptions::default())?;
    let job = jobs::load_job(&project, &args.job, &[], yesterday())?;
    let longest = project.emr().map_or(deploy::LONGEST_RUN, |emr| emr.stack.longest_run_seconds);
    app.print(&format!("{:#}\n", deploy::machine(&job.name, longest)))
}

/// What a deployment works with.
struct Deployment<'a> {
    work: &'a Workspace<'a>,
    stacks: Stacks<'a>,
    emr: &'a Emr,
    name: String,
}

impl<'a> Deployment<'a> {
    fn of(work: &'a Workspace<'a>) -> Result<Self> {
        let emr = work.project.emr()?;
        let stacks = Stacks { session: work.session()?, pause: emr.poll_fastest };
        Ok(Self { work, stacks, emr, name: stack_name(work)? })
    }

    /// Returns the template; tells which settings name other roles than the stack's, whose rights fit its buckets and key.
    fn template(&self, sink: &mut dyn Sink) -> Result<String> {
        let lake = self.work.lake();
        let (target, clusters) = (&self.work.project.settings.target, Identity::prefix(lake));
        let stack = Stack { target, emr: self.emr, lake, clusters: &clusters };
        for (key, name) in stack.unused() {
            let text = format!("`{key}` names something else than the stack's own `{name}`: it needs the same rights");
            sink.emit(Event::Warning { text });
        }
        Ok(deploy::template(&stack)?.to_string())
    }

    fn code_stack(&self) -> String {
        format!("{}-code", self.name)
    }

    /// Brings a stack to what is wanted of it; `None` when it is that already.
    async fn planned(&self, wanted: &Wanted<'_>, sink: &mut dyn Sink) -> Result<Option<ChangeSet>> {
        let there = self.quiet(wanted.name, sink).await?;
        self.stacks.plan(wanted, there.as_ref()).await
    }

    /// Returns a stack once nothing goes on there: an earlier command that was cut off may have begun something.
    async fn still(&self, name: &str, sink: &mut dyn Sink) -> Result<Option<StackState>> {
        let Some(there) = self.stacks.find(name).await?.filter(StackState::is_busy) else {
            return Ok(self.stacks.find(name).await?);
        };
        let text = format!("Stack {name} has been {} since {}; waiting.", there.status, there.changed);
        sink.emit(Event::Note { text });
        // How that ends is no failure of this command.
        let _ = self.stacks.settle(name, sink).await;
        Ok(self.stacks.find(name).await?)
    }

    /// Returns a stack that can be changed. One that was never made whole is deleted: CloudFormation can do nothing else with
    /// it.
    async fn quiet(&self, name: &str, sink: &mut dyn Sink) -> Result<Option<StackState>> {
        let Some(there) = self.still(name, sink).await? else { return Ok(None) };
        if there.is_stillborn() {
            self.stacks.delete(name, sink).await?;
            return Ok(None);
        }
        if !there.is_whole() && !there.is_only_planned() {
            return Err(Error::new(Kind::Machine, format!("stack `{name}` is {}", there.status))
                .detail(there.reason)
                .hint(format!("`aws cloudformation continue-update-rollback --stack-name {name}` may mend it")));
        }
        Ok(Some(there))
    }

    /// Returns the bucket for code and template, made when it is not there.
    async fn code_bucket(&self, sink: &mut dyn Sink) -> Result<String> {
        let name = self.code_stack();
        let wanted = Wanted { name: &name, template: Template::Text(CODE_BUCKET), parameters: &[], tags: &self.tags() };
        let there = match self.planned(&wanted, sink).await? {
            Some(set) => Some(self.stacks.apply(&name, &set, sink).await?),
            None => self.stacks.find(&name).await?,
        };
        let bucket = there.and_then(|mut there| there.outputs.remove(CODE_OUTPUT));
        bucket.ok_or_else(|| Error::new(Kind::Machine, format!("stack `{name}` does not say which bucket it made")))
    }

    fn tags(&self) -> [(&'static str, String); 1] {
        [(TAG, self.name.clone())]
    }

    /// Returns the archive of the functions: this program, or `program`, and the project.
    fn archive(&self, program: Option<&Path>) -> Result<Vec<u8>> {
        let settings = &self.work.project.settings;
        let program = match program {
            Some(program) => self.work.project.cwd.join(program),
            None => std::env::current_exe()?,
        };
        let mut files = Vec::new();
        let mut add = |path: &Path| -> Result<()> {
            let name = self.name_in_project(path)?;
            files.push(FunctionFile { name, bytes: fs::read(path)? });
            Ok(())
        };
        let config = settings.root.join("config/soflow.yaml");
        if config.is_file() {
            add(&config)?;
        }
        for job in jobs::job_names(&self.work.project)? {
            add(&settings.jobs.join(format!("{job}.yaml")))?;
        }
        let emr = self.emr;
        emr.dependencies.iter().try_for_each(|lock| add(lock))?;
        let scripts = emr.shape.bootstrap.iter().filter_map(|action| action.script.to_path());
        scripts.into_iter().try_for_each(|script| add(&script))?;
        let code = self.name_in_project(&settings.code)?;
        let sources = Bundle::sources(&settings.code)?;
        files.extend(sources.into_iter().map(|(name, bytes)| FunctionFile { name: format!("{code}/{name}"), bytes }));
        let architecture = match emr.stack.architecture {
            LambdaArchitecture::Arm64 => Architecture::Aarch64,
            LambdaArchitecture::X86_64 => Architecture::X86_64,
        };
        function_archive(&fs::read(program)?, architecture, files)
    }

    /// Returns the path of a file below the project's root, as it is in the functions too.
    fn name_in_project(&self, path: &Path) -> Result<String> {
        let root = &self.work.project.settings.root;
        let below = path.strip_prefix(root).ok().and_then(Path::to_str);
        below.map(String::from).ok_or_else(|| {
            Error::new(Kind::Usage, format!("`{}` is not in the project", path.display()))
                .detail(format!("functions get the files below {}", root.display()))
                .hint("move it there")
        })
    }

    /// Writes an object named by its content, unless it is there.
    async fn upload(
        &self,
        bucket: &str,
        (what, ending): (&str, &str),
        bytes: &[u8],
        sink: &mut dyn Sink,
    ) -> Result<Uri> {
        let uri = Uri::in_bucket(bucket, &key(bytes, ending));
        if self.work.store.size(&uri).await?.is_none() {
            let total = bytes.len() as u64;
            sink.emit(Event::Uploading { what: what.into(), done: 0, total });
            self.work.store.put(&uri, bytes).await?;
            sink.emit(Event::Uploading { what: what.into(), done: total, total });
        }
        Ok(uri)
    }

    /// Returns the change set that brings the stack to what is wanted, after it was uploaded.
    async fn change_set(&self, archive: &[u8], template: &str, sink: &mut dyn Sink) -> Result<Option<ChangeSet>> {
        let bucket = self.code_bucket(sink).await?;
        let code = self.upload(&bucket, ("functions", ARCHIVE), archive, sink).await?;
        let template = self.upload(&bucket, ("template", ".json"), template.as_bytes(), sink).await?;
        let (_, code) = code.bucket_and_key().unwrap_or_default();
        let (_, template) = template.bucket_and_key().unwrap_or_default();
        let session = self.work.session()?;
        let address = session.address_of(&bucket, template);
        let parameters =
            [(CODE_OUTPUT, bucket.clone()), (CODE_KEY, code.to_string()), (SCHEDULES, "ENABLED".to_string())];
        let wanted =
            Wanted { name: &self.name, template: Template::At(&address), parameters: &parameters, tags: &self.tags() };
        self.planned(&wanted, sink).await
    }

    /// Returns what would change of the stack. Nothing is made to find out, not even a change set: that would need the template
    /// in a bucket, as it is longer than CloudFormation takes otherwise.
    async fn differences(&self, archive: &[u8], template: &str) -> Result<Vec<Change>> {
        let wanted: Json = serde_json::from_str(template)
            .map_err(|error| Error::new(Kind::Internal, "the template is no JSON").caused_by(error))?;
        let there = self.stacks.find(&self.name).await?;
        let there = there.filter(|there| !there.is_only_planned() && !there.is_stillborn());
        let mut parameters = BTreeMap::from([(CODE_KEY.to_string(), key(archive, ARCHIVE))]);
        parameters.insert(SCHEDULES.into(), "ENABLED".into());
        let Some(there) = there else {
            return Ok(deploy::compared(None, &Filled { template: &wanted, parameters }));
        };
        parameters.extend(there.parameters.get(CODE_OUTPUT).map(|bucket| (CODE_OUTPUT.to_string(), bucket.clone())));
        let deployed = self.stacks.template(&self.name).await?;
        let deployed = Filled { template: &deployed, parameters: there.parameters };
        Ok(deploy::compared(Some(&deployed), &Filled { template: &wanted, parameters }))
    }
}

/// How the key of the functions' archive ends.
const ARCHIVE: &str = ".zip";

/// Returns the key of an object that is named by its content.
fn key(bytes: &[u8], ending: &str) -> String {
    format!("{}{ending}", Digest::of([bytes]).as_str())
}

/// Brings the stack to what the settings say: shows what would change, asks, and does it.
pub async fn deploy(app: &App, args: &DeployArgs) -> Result<u8> {
    let work = app.workspace().await?;
    let deployment = Deployment::of(&work)?;
    for job in deployment.emr.stack.schedules.keys() {
        jobs::load_job(&work.project, job, &[], yesterday())?;
    }
    let name = &deployment.name;
    let mut sink = app.sink();
    let archive = deployment.archive(args.program.as_deref())?;
    let template = deployment.template(sink.as_mut())?;
    let unchanged = || {
        app.answer(&json!({ "stack": name, "changes": [] }), |_| {
            format!("Nothing to change: stack {name} is as the settings say.\n")
        })
    };
    if args.check {
        drop(sink);
        let found = deployment.differences(&archive, &template).await?;
        if found.is_empty() {
            return unchanged();
        }
        app.answer(&json!({ "stack": name, "changes": found }), |layout| changes(name, &found, layout))?;
        return Ok(WOULD_CHANGE);
    }
    let planned = deployment.change_set(&archive, &template, sink.as_mut()).await?;
    let Some(set) = planned else {
        ship(&work, sink.as_mut()).await?;
        drop(sink);
        return unchanged();
    };
    drop(sink);
    match app.tells_ndjson() {
        true => app.tell(Event::Note { text: format!("{} resources of stack {name} change.", set.changes.len()) }),
        false => app.print_err(&changes(name, &set.changes, &app.layout)),
    }
    if !args.yes {
        let stop = stop_signal(Stop::Cancel, work.watching);
        let hints = [
            "to change it without a question: `soflow deploy --yes`",
            "to see the changes alone: `soflow deploy --check`",
        ];
        let asked = confirm("Change it?", "nothing was changed", stop, &hints.map(String::from)).await;
        if let Err(error) = asked {
            deployment.stacks.discard(name, &set.id, set.is_new).await?;
            return Err(error);
        }
    }
    let mut sink = app.sink();
    let there = deployment.stacks.apply(name, &set, sink.as_mut()).await?;
    ship(&work, sink.as_mut()).await?;
    drop(sink);
    app.answer(&json!({ "stack": name, "changes": set.changes, "outputs": there.outputs }), |layout| {
        state(&there, &[], layout)
    })
}

/// Brings code and packages to where the functions expect them: they have no Python to make the packages with.
async fn ship(work: &Workspace<'_>, sink: &mut dyn Sink) -> Result<()> {
    let (notes, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let clusters = work.clusters()?;
    let shipping = async { clusters.ship_all(crate::targets::Notes(notes)).await };
    let telling = async {
        while let Some(note) = heard.recv().await {
            if let crate::targets::Note::Event(event) = note {
                sink.emit(event);
            }
        }
    };
    tokio::join!(shipping, telling).0
}

/// Returns the name of the stack of the target in use.
fn stack_name(work: &Workspace<'_>) -> Result<String> {
    let (target, emr, lake) = (&work.project.settings.target, work.project.emr()?, work.lake());
    Ok(Stack { target, emr, lake, clusters: "" }.name())
}

/// Lets an execution drive a run that was claimed here.
pub async fn hand_over(work: &Workspace<'_>, record: &RunRecord) -> Result<u8> {
    let (run, stack) = (&record.run, stack_name(work)?);
    let execution = Executions::new(work.session()?).start(&stack, run).await?;
    work.app.answer(&json!({ "run": run, "execution": execution }), |_| {
        format!("Run {run} is driven by an execution of state machine {}-{}.\n  soflow attach {run}\n", stack, run.job)
    })
}
