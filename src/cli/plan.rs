//! `soflow plan`: what `submit` would do, for people and for scripts; on EMR also which cluster it would use and why, what a
//! new one costs, and what would be uploaded.

use serde_json::{Map, Value as Json, json};

use super::app::App;
use super::args::{Selection, Watching};
use super::submit::{self, Submission};
use crate::cost::{Estimate, Missing};
use crate::error::Result;
use crate::plan::{self, Action, Facts, Input, Plan, Scope, StepPlan, Upstream};
use crate::report::{Layout, Style, TextCell, bytes, count, line, paint, plural, seconds};
use crate::run;
use crate::targets::emr::{Clusters, Listed, Shipment};

/// Prints the plan.
pub async fn plan(app: &App, selection: &Selection) -> Result<u8> {
    let (work, job) = app.open_for(selection, Watching::default()).await?;
    let services = work.services()?;
    let submission = Submission::new(&work, &services, selection, job)?;
    let mut gathered = submission.gather(submission.select.clone(), work.lake(), &services).await?;
    let plan = run::plan(&mut gathered, services.store.as_ref()).await?;
    let cluster = match work.session {
        Some(_) if !plan.nothing_to_do() => Some(ClusterChoice::of(work.clusters()?.as_ref()).await?),
        _ => None,
    };
    let (facts, target) = (&gathered.facts, &services.target_name);
    let mut document = json!({
        "job": facts.job.name,
        "date": facts.date,
        "target": target,
        "engine": facts.engine,
        "lake": facts.lake,
        "nothing_to_do": plan.nothing_to_do(),
        "steps": plan.steps.iter().map(|step| step_json(facts, step)).collect::<Vec<_>>(),
    });
    if let Some(cluster) = &cluster {
        document["cluster"] = cluster.json();
        document["uploads"] = json!(cluster.shipments);
    }
    app.answer(&document, |layout| {
        let choice = cluster.map_or(String::new(), |cluster| cluster.text(&layout.style));
        text(layout, facts, &plan, target) + &choice + &ending(selection, facts, &plan)
    })
}

fn text(layout: &Layout, facts: &Facts<'_>, plan: &Plan, target: &str) -> String {
    let style = &layout.style;
    let (job, date) = (&facts.job.name, facts.date);
    let mut shown = format!("{} for {date} on {target}, engine {}\n\n", paint(style.strong, job), facts.engine);
    let rows = plan.steps.iter().map(|step| {
        let (action, colour) = match step.action {
            Action::Run => ("run", style.strong),
            Action::Reuse => ("reuse", style.dim),
            Action::UpToDate => ("up to date", style.dim),
            Action::NotAsked => ("skip", style.dim),
        };
        let cells = [step.step.name.as_str(), action, &step.reason, step.made.code.short()];
        cells.map(|cell| TextCell::from(cell).styled(colour))
    });
    shown.push_str(&layout.table(["step", "action", "why", "code"], rows));
    for step in plan.steps.iter().filter(|step| step.action == Action::Run) {
        let after = if step.after.is_empty() { String::new() } else { format!(" after {}", step.after.join(", ")) };
        shown.push_str(&format!("\n{}{after}\n", paint(style.strong, &step.step.name)));
        shown.push_str(&format!("  runs    {}\n", arguments(step).join(" ")));
        for input in &step.inputs {
            shown.push_str(&format!("  reads   {}\n", describe_input(input)));
        }
        for output in &step.outputs {
            let only: Vec<String> = output.only.iter().map(|(column, value)| format!("{column}={value}")).collect();
            let what = match step.scope {
                _ if !only.is_empty() => only.join("/"),
                Scope::All => "all periods".into(),
                Scope::Changed => "periods that changed inputs touch".into(),
            };
            shown.push_str(&format!("  writes  {} ({what})\n", output.table));
        }
    }
    shown
}

/// Returns what to type to do as planned.
fn ending(selection: &Selection, facts: &Facts<'_>, plan: &Plan) -> String {
    let (job, date) = (&facts.job.name, facts.date);
    if plan.nothing_to_do() {
        return format!("\nNothing to do: `{job}` for {date} is published.\n");
    }
    let running = plan.steps.iter().filter(|step| step.action == Action::Run).count() as u64;
    let asked: String = submit::asked(selection).iter().map(|asked| format!(" {asked}")).collect();
    let command = format!("soflow submit {job} --date {date}{asked}");
    format!("\n{} of {} to run: `{command}`\n", plural(running, "step"), plan.steps.len())
}

/// Returns the step's command line; the run id in the task's name is only known once the run is claimed.
fn arguments(step: &StepPlan) -> [String; 3] {
    let task = format!("<run>/tasks/{}.json", step.step.name);
    [step.step.code.path().display().to_string(), "--task".into(), task]
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

fn step_json(facts: &Facts<'_>, step: &StepPlan) -> Json {
    let outputs = step.outputs.iter().map(|output| {
        let only: Map<String, Json> =
            output.only.iter().cloned().map(|(column, value)| (column, value.into())).collect();
        json!({ "table": output.table, "only": only, "partition_by": output.spec.partition_by, "base": output.base })
    });
    json!({
        "name": step.step.name,
        "action": step.action,
        "reason": step.reason,
        "scope": step.scope,
        step.step.code.key(): step.step.code.path(),
        "arguments": arguments(step),
        "parameters": plan::parameters(facts, &step.step),
        "spark": step.step.spark,
        "code": step.made.code,
        "fingerprint": step.made.fingerprint,
        "after": step.after,
        "inputs": step.inputs.iter().map(input_json).collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
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

/// What a run on a cluster would find.
struct ClusterChoice {
    shape: String,
    /// How many runs a cluster takes at once.
    slots: usize,
    /// The most a new cluster may cost an hour, in dollars.
    limit: f64,
    /// The clusters, in the order in which a run tries them.
    clusters: Vec<Listed>,
    cost: Result<Estimate, Missing>,
    shipments: Vec<Shipment>,
}

impl ClusterChoice {
    /// Looks at the clusters and at what is in S3; changes nothing.
    async fn of(clusters: &Clusters) -> Result<Self> {
        let (listed, shipments) = tokio::try_join!(clusters.list(), clusters.shipments())?;
        let settings = clusters.settings();
        Ok(Self {
            shape: settings.cluster.clone(),
            slots: settings.shape.step_concurrency as usize,
            limit: settings.shape.max_dollars_per_hour,
            clusters: listed,
            cost: clusters.cost(),
            shipments,
        })
    }

    /// Returns whether a cluster takes no more runs at once.
    fn is_full(&self, one: &Listed) -> bool {
        one.taken() >= self.slots
    }

    /// Returns the cluster that would be used, at once or after waiting for it; `None` when one would be made.
    fn chosen(&self) -> Option<&Listed> {
        let fits = || self.clusters.iter().filter(|one| one.cluster.fits);
        fits().find(|one| !self.is_full(one)).or(fits().next())
    }

    /// Returns whether one would be made whose price is known and above the limit.
    fn is_refused(&self) -> bool {
        let too_dear = |cost: &Estimate| f64::from(cost.full_per_hour.high) > self.limit;
        self.chosen().is_none() && self.cost.as_ref().is_ok_and(too_dear)
    }

    /// Returns the choice for people.
    fn text(&self, style: &Style) -> String {
        let users = |one: &Listed| format!("{}: {}", one.cluster.reason, one.users());
        let (what, why) = match self.chosen() {
            Some(one) if self.is_full(one) => (format!("{}, after waiting for it", one.cluster.id), users(one)),
            Some(one) => (one.cluster.id.clone(), one.cluster.reason.clone()),
            None => (format!("a new one of shape {}", self.shape), "none that fits is there".into()),
        };
        let mut shown = format!("\n{} {what}\n", paint(style.strong, "cluster"));
        let mut tell = |label: &str, text: String| shown.push_str(&format!("  {label:<7} {}\n", line(&text)));
        tell("why", why);
        let chosen = self.chosen().map(|one| &one.cluster.id);
        for one in self.clusters.iter().filter(|one| Some(&one.cluster.id) != chosen) {
            let why = match one.cluster.fits {
                false => one.cluster.reason.clone(),
                true if self.is_full(one) => users(one),
                true => format!("it fits too ({}), but not as well", one.cluster.reason),
            };
            tell(
                "not",
                format!(
                    "{} ({}, {} old): {why}",
                    one.cluster.id,
                    one.cluster.state,
                    seconds(one.cluster.age_seconds as f64)
                ),
            );
        }
        match &self.cost {
            Ok(cost) if self.is_refused() => {
                let more = format!("more than its `max-dollars-per-hour: {}` allows", self.limit);
                tell("refused", format!("{cost}: {more}"));
            }
            Ok(cost) => tell("costs", cost.to_string()),
            Err(missing) => tell("costs", missing.to_string()),
        }
        for one in &self.shipments {
            let size = one.bytes.filter(|_| !one.there).map_or(String::new(), |size| format!(", {}", bytes(size)));
            let label = if one.there { "there" } else { "uploads" };
            tell(label, format!("{} {}{size}", one.what, one.digest.short()));
        }
        shown
    }

    /// Returns the choice for the plan's document.
    fn json(&self) -> Json {
        let action = match self.chosen() {
            Some(one) if self.is_full(one) => "wait",
            Some(_) => "use",
            None => "make",
        };
        let cost = match &self.cost {
            Ok(cost) => json!({
                "as_of": cost.as_of,
                "start_per_hour": cost.start_per_hour,
                "full_per_hour": cost.full_per_hour,
                "limit_per_hour": self.limit,
                "refused": self.is_refused(),
            }),
            Err(missing) => json!({ "as_of": missing.as_of, "unknown": missing.prices }),
        };
        json!({
            "action": action,
            "cluster": self.chosen().map(|one| &one.cluster.id),
            "shape": self.shape,
            "candidates": self.clusters,
            "cost": cost,
        })
    }
}
