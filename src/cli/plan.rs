//! `soflow plan`: what `submit` would do, for people and for scripts.

use serde::{Serialize, Serializer};
use serde_json::{Value as Json, json};

use super::app::App;
use super::args::{PlanArgs, Selection};
use super::cluster_choice::ClusterChoice;
use super::connections::RunOptions;
use super::{jobs, submit};
use crate::config::TargetKind;
use crate::error::Result;
use crate::plan::{self, Action, Facts, Input, Plan, Scope, StepPlan, Upstream};
use crate::report::{Answer, Layout, TextCell, TextTable, bytes, count, paint, plural};
use crate::run;

/// Prints the plan.
pub async fn plan(app: &App, args: &PlanArgs) -> Result<u8> {
    let project = app.project(Some(&args.selection.local))?;
    app.warn(&project, app.sink().as_mut());
    let date = jobs::date_of(&args.selection);
    let job = jobs::load_job(&project, &args.selection.job, &args.selection.params, date)?;
    let select = jobs::select(&job, &args.selection)?;
    let connections = app.connect(&project).await?;
    let services = app.services_on(&project, &connections, RunOptions::default())?;
    let code = jobs::code(&project, &job, &services)?;
    let request = run::PlanRequest { job: &job, date, lake: &project.target()?.lake, code, select };
    let mut gathered = jobs::gather(request, &services).await?;
    let planned = run::plan(&mut gathered, services.store.as_ref()).await?;
    let choice = match &project.target()?.kind {
        TargetKind::Emr(_) if !planned.nothing_to_do() => {
            Some(ClusterChoice::of(app.clusters_on(&project, &connections, RunOptions::default())?.as_ref()).await?)
        }
        _ => None,
    };
    let (facts, target) = (&gathered.facts, &services.target_name);
    app.answer(&PlanAnswer { facts, plan: &planned, target, cluster: choice, selection: &args.selection })
}

/// What a run would do.
struct PlanAnswer<'a> {
    facts: &'a Facts<'a>,
    plan: &'a Plan,
    target: &'a str,
    /// Where it would go, on EMR, when there is anything to do.
    cluster: Option<ClusterChoice>,
    selection: &'a Selection,
}

impl Serialize for PlanAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = document(self.facts, self.plan, self.target);
        if let Some(cluster) = &self.cluster {
            (document["cluster"], document["uploads"]) = cluster.json();
        }
        document.serialize(serializer)
    }
}

impl Answer for PlanAnswer<'_> {
    fn text(&self, layout: &Layout) -> String {
        let cluster = self.cluster.as_ref().map(|cluster| cluster.text(&layout.style)).unwrap_or_default();
        let ending = ending(self.selection, self.facts, self.plan);
        text(layout, self.facts, self.plan, self.target) + &cluster + &ending
    }
}

fn action(step: &StepPlan) -> &'static str {
    match step.action {
        Action::Run => "run",
        Action::Reuse => "reuse",
        Action::UpToDate => "up to date",
        Action::NotAsked => "skip",
    }
}

fn text(layout: &Layout, facts: &Facts<'_>, plan: &Plan, target: &str) -> String {
    let style = &layout.style;
    let (job, date) = (&facts.job.name, facts.date);
    let mut shown = format!("{} for {date} on {target}, engine {}\n\n", paint(style.strong, job), facts.engine);
    let mut table = TextTable::new(["step", "action", "why", "code"]);
    for step in &plan.steps {
        let colour = if step.action == Action::Run { style.strong } else { style.dim };
        let cells = [step.step.name.as_str(), action(step), &step.reason, step.made.code.short()];
        table.row(cells.map(|cell| TextCell::from(cell).styled(colour)));
    }
    shown.push_str(&layout.table(&table));
    for step in plan.steps.iter().filter(|step| step.action == Action::Run) {
        shown.push_str(&format!("\n{}", paint(style.strong, &step.step.name)));
        if !step.after.is_empty() {
            shown.push_str(&format!(" after {}", step.after.join(", ")));
        }
        shown.push('\n');
        shown.push_str(&format!("  runs    {}\n", arguments(step).join(" ")));
        for input in &step.inputs {
            shown.push_str(&format!("  reads   {}\n", describe_input(input)));
        }
        for output in &step.outputs {
            let only: Vec<String> = output.only.iter().map(|(column, value)| format!("{column}={value}")).collect();
            let what = if only.is_empty() { scope(step.scope).to_string() } else { only.join("/") };
            shown.push_str(&format!("  writes  {} ({what})\n", output.table));
        }
    }
    shown
}

/// Returns what to type to do as planned.
fn ending(selection: &Selection, facts: &Facts<'_>, plan: &Plan) -> String {
    let (job, date) = (&facts.job.name, facts.date);
    let running = plan.steps.iter().filter(|step| step.action == Action::Run).count() as u64;
    if plan.nothing_to_do() {
        return format!("\nNothing to do: `{job}` for {date} is published.\n");
    }
    let mut command = format!("soflow submit {job} --date {date}");
    for asked in submit::asked(selection) {
        command.push_str(&format!(" {asked}"));
    }
    format!("\n{} of {} to run: `{command}`\n", plural(running, "step"), plan.steps.len())
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "all periods",
        Scope::Changed => "periods that changed inputs touch",
    }
}

/// Returns the step's command line; the run id in the task's name is only known once the run is claimed.
fn arguments(step: &StepPlan) -> Vec<String> {
    let mut arguments = vec![step.step.script.display().to_string()];
    arguments.extend(["--task".into(), format!("<run>/tasks/{}.json", step.step.name)]);
    arguments
}

fn describe_input(input: &Input) -> String {
    match input {
        Input::Raw { endpoint, objects, others } => {
            let size = objects.iter().chain(others.values().flatten()).map(|object| object.bytes).sum();
            let all = objects.len() + others.values().map(Vec::len).sum::<usize>();
            let of = match others.len() {
                0 => String::new(),
                dates => format!(", with those of {}", plural(dates as u64, "other date")),
            };
            format!("raw.{endpoint}: {}, {}{of}", plural(all as u64, "page"), bytes(size))
        }
        Input::Table { name, partitions, changed, upstream, .. } => {
            let rows = partitions.iter().map(|partition| partition.rows).sum();
            let size = partitions.iter().map(|partition| partition.bytes).sum();
            let published = (!partitions.is_empty()).then(|| {
                let changed = changed.len();
                let partitions = plural(partitions.len() as u64, "partition");
                format!("{partitions}, {} rows, {}, {changed} changed", count(rows), bytes(size))
            });
            // A table that is made anew in this run is read as nothing else than that.
            let written = upstream.as_ref().map(|upstream| match upstream {
                Upstream::ThisRun => "what this run writes".to_string(),
                Upstream::Earlier(run) => format!("what {run} wrote"),
            });
            let from = match (published, written) {
                (None, None) => "nothing published".into(),
                (Some(only), None) | (None, Some(only)) => only,
                (Some(published), Some(written)) => format!("{published}, and {written}"),
            };
            format!("{name}: {from}")
        }
    }
}

fn document(facts: &Facts<'_>, plan: &Plan, target: &str) -> Json {
    let steps: Vec<Json> = plan.steps.iter().map(|step| step_json(facts, step)).collect();
    json!({
        "job": facts.job.name,
        "date": facts.date,
        "target": target,
        "engine": facts.engine,
        "lake": facts.lake,
        "nothing_to_do": plan.nothing_to_do(),
        "steps": steps,
    })
}

fn step_json(facts: &Facts<'_>, step: &StepPlan) -> Json {
    let outputs: Vec<Json> = step
        .outputs
        .iter()
        .map(|output| {
            let only: serde_json::Map<String, Json> =
                output.only.iter().map(|(column, value)| (column.clone(), Json::from(value.as_str()))).collect();
            json!({ "table": output.table, "only": only, "partition_by": output.spec.partition_by, "base": output.base })
        })
        .collect();
    json!({
        "name": step.step.name,
        "action": step.action,
        "reason": step.reason,
        "scope": step.scope,
        "script": step.step.script,
        "arguments": arguments(step),
        "parameters": plan::parameters(facts, &step.step),
        "spark": step.step.spark,
        "code": step.made.code,
        "fingerprint": step.made.fingerprint,
        "after": step.after,
        "inputs": step.inputs.iter().map(input_json).collect::<Vec<_>>(),
        "outputs": outputs,
    })
}

fn input_json(input: &Input) -> Json {
    match input {
        Input::Raw { endpoint, objects, others } => {
            let all = || objects.iter().chain(others.values().flatten());
            json!({
                "name": format!("raw.{endpoint}"),
                "objects": all().count(),
                "bytes": all().map(|object| object.bytes).sum::<u64>(),
                "other_dates": others.keys().collect::<Vec<_>>(),
            })
        }
        Input::Table { name, partitions, changed, upstream, .. } => json!({
            "name": name,
            "partitions": partitions.len(),
            "rows": partitions.iter().map(|partition| partition.rows).sum::<u64>(),
            "bytes": partitions.iter().map(|partition| partition.bytes).sum::<u64>(),
            "changed": changed,
            "written_by_this_run": upstream.is_some(),
        }),
    }
}
