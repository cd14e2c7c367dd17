//! A small lake in memory: plans are applied to it as a run would, and planned again.

mod again;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::{Date, date};

use super::*;
use crate::config::Lake;
use crate::job::{Job, Needs, Output, Source, Step, StepCode, Table, Update};
use crate::names::{Digest, PartitionValues, RunId, Uri};

fn step(name: &str, reads: &[&str], writes: &[&str]) -> Step {
    let source = |name: &&str| match name.strip_prefix("raw.") {
        Some(endpoint) => Source::Raw(endpoint.into()),
        None => Source::Table((*name).into()),
    };
    let output = |text: &&str| match text.split_once('/') {
        Some((table, value)) => {
            let only = vec![("endpoint".into(), value.into()), ("dt".into(), "{date}".into())];
            Output { table: table.into(), only }
        }
        None => Output { table: (*text).into(), only: Vec::new() },
    };
    Step {
        name: name.into(),
        code: StepCode::Script(format!("steps/{name}.py").into()),
        reads: reads.iter().map(source).collect(),
        writes: writes.iter().map(output).collect(),
        parameters: BTreeMap::new(),
        spark: BTreeMap::new(),
        quarantine_limit: 0.05,
    }
}

fn table(partition_by: &[&str], update: Update) -> Table {
    let partition_by = partition_by.iter().map(|column| (*column).to_string()).collect();
    Table { description: String::new(), key: vec!["id".into()], partition_by, update, checks: Vec::new() }
}

fn job() -> Job {
    Job {
        name: "daily".into(),
        path: "jobs/daily.yaml".into(),
        description: String::new(),
        parameters: BTreeMap::new(),
        steps: vec![
            step("questions", &["raw.questions"], &["questions", "quarantine/questions"]),
            step("answers", &["raw.answers"], &["answers", "quarantine/answers"]),
            step("trends", &["questions"], &["trends"]),
            step("health", &["questions", "answers"], &["health"]),
        ],
        tables: BTreeMap::from([
            ("questions".into(), table(&["month"], Update::Merge)),
            ("answers".into(), table(&["month"], Update::Merge)),
            ("quarantine".into(), table(&["endpoint", "dt"], Update::Recompute)),
            ("trends".into(), table(&["year"], Update::Recompute)),
            ("health".into(), table(&["year"], Update::Recompute)),
        ]),
        insights: Vec::new(),
        report: Vec::new(),
        needs: Needs::default(),
        fuse: None,
    }
}

/// A lake whose steps write one partition each, named by the caller.
struct World {
    job: Job,
    lake: Lake,
    tables: BTreeMap<String, TableFacts>,
    results: BTreeMap<Digest, StepResult>,
    code: BTreeMap<String, Digest>,
    raw: BTreeMap<(String, Date), String>,
    about: About,
    runs: u32,
}

impl World {
    fn new() -> Self {
        let at = |name: &str| Uri::from_path(&PathBuf::from("/lake").join(name));
        let lake = Lake { raw: at("raw"), curated: at("curated"), artifacts: at("artifacts"), logs: at("logs") };
        let job = job();
        let code = job.steps.iter().map(|step| (step.name.clone(), Digest::of([&step.name]))).collect();
        let (tables, results, raw, about) = Default::default();
        Self { job, lake, tables, results, code, raw, about, runs: 0 }
    }

    fn pages(&mut self, endpoint: &str, date: Date, etag: &str) {
        self.raw.insert((endpoint.into(), date), etag.into());
    }

    fn facts(&self, date: Date) -> Facts<'_> {
        let object = |endpoint: &str, date: Date| {
            let etag = self.raw.get(&(endpoint.to_string(), date));
            let uri = self.lake.raw.join(&format!("{endpoint}/{date}/1"));
            let (fetched_at, about) = (Timestamp::UNIX_EPOCH, self.about.clone());
            etag.map(|etag| RawObject { uri, bytes: 1, etag: etag.clone(), fetched_at, about })
        };
        let raw = |endpoint: &str| (endpoint.to_string(), object(endpoint, date).into_iter().collect());
        let of = |date: Date| {
            ["questions", "answers"].map(|name| (name.to_string(), object(name, date).into_iter().collect()))
        };
        let others = self.raw.keys().map(|(_, other)| (*other, BTreeMap::from(of(*other)))).collect();
        Facts {
            job: &self.job,
            date,
            lake: &self.lake,
            engine: "sail@1".into(),
            code: self.code.clone(),
            raw: BTreeMap::from([raw("questions"), raw("answers")]),
            others,
            tables: self.tables.clone(),
            results: self.results.clone(),
            select: Select::default(),
        }
    }

    fn actions(&self, date: Date) -> Vec<(String, Action)> {
        let plan = plan(&self.facts(date)).unwrap();
        plan.steps.into_iter().map(|step| (step.step.name, step.action)).collect()
    }

    fn running(&self, date: Date) -> Vec<String> {
        self.actions(date).into_iter().filter(|(_, action)| *action == Action::Run).map(|(name, _)| name).collect()
    }

    /// Pretends that every step which has to run wrote `partitions`, by table, and publishes.
    fn submit(&mut self, date: Date, partitions: &[(&str, &[(&str, &str)])]) {
        self.runs += 1;
        let run = RunId { job: "daily".into(), date, number: self.runs };
        let facts = self.facts(date);
        let planned = plan(&facts).unwrap();
        let written = |table: &str, step: &StepPlan| {
            let output = step.outputs.iter().find(|output| output.table == table).unwrap();
            let wanted = partitions.iter().filter(|(name, _)| *name == table);
            let values = wanted.map(|(_, pairs)| pairs.iter().map(|(c, v)| (c.to_string(), v.to_string())).collect());
            let fixed = |values: &BTreeMap<String, String>| output.only.iter().all(|(c, v)| values.get(c) == Some(v));
            let partition = |values| Partition {
                values,
                prefix: run_prefix(table, &run),
                directory: None,
                rows: 10,
                bytes: 100,
                files: 1,
            };
            Written { schema: Vec::new(), partitions: values.filter(fixed).map(partition).collect() }
        };
        let result = |step: &StepPlan| {
            let tables = step.outputs.iter().map(|o| (o.table.clone(), written(&o.table, step))).collect();
            (
                step.step.name.clone(),
                StepResult { run: run.clone(), step: step.step.name.clone(), started_at: None, seconds: 1.0, tables },
            )
        };
        let ran = planned.steps.iter().filter(|step| step.action == Action::Run);
        let results: BTreeMap<String, StepResult> = ran.map(result).collect();
        for version in next_versions(&facts, &planned, &results, &run, Timestamp::UNIX_EPOCH) {
            let table = self.tables.entry(version.table.clone()).or_default();
            table.current = Some(version.run.clone());
            table.versions.insert(version.run.clone(), version);
        }
    }

    fn partitions(&self, table: &str) -> Vec<String> {
        let current = self.tables[table].current().unwrap();
        let text = |p: &Partition| format!("{} {}", p.values.values().cloned().collect::<Vec<_>>().join("/"), p.prefix);
        current.partitions.iter().map(text).collect()
    }

    fn first_day(&mut self) {
        self.pages("questions", DAY, "q1");
        self.pages("answers", DAY, "a1");
        self.submit(
            DAY,
            &[
                ("questions", &[("month", "2026-09")]),
                ("questions", &[("month", "2026-10")]),
                ("answers", &[("month", "2026-10")]),
                ("trends", &[("year", "2026")]),
                ("health", &[("year", "2026")]),
                ("quarantine", &[("endpoint", "answers"), ("dt", "2026-10-01")]),
            ],
        );
    }
}

const DAY: Date = date(2026, 10, 1);
const NEXT: Date = date(2026, 10, 2);

#[test]
fn a_first_run_does_everything_in_order() {
    let mut world = World::new();
    world.pages("questions", DAY, "q1");
    let planned = plan(&world.facts(DAY)).unwrap();
    let after: Vec<_> = planned.steps.iter().map(|step| (step.step.name.as_str(), step.after.join(","))).collect();
    let expected = [("questions", ""), ("answers", ""), ("trends", "questions"), ("health", "questions,answers")];
    assert_eq!(after, expected.map(|(name, after)| (name, after.to_string())));
    assert!(planned.steps.iter().all(|step| step.action == Action::Run && step.reason == "never published"));
}

#[test]
fn what_is_published_is_not_done_again() {
    let mut world = World::new();
    world.first_day();
    assert!(plan(&world.facts(DAY)).unwrap().nothing_to_do());
}

#[test]
fn an_edited_step_runs_with_all_that_depend_on_it_and_no_other() {
    let mut world = World::new();
    world.first_day();
    world.code.insert("answers".into(), Digest::of(["edited"]));
    assert_eq!(world.running(DAY), ["answers", "health"]);
    let planned = plan(&world.facts(DAY)).unwrap();
    assert_eq!(planned.steps[1].reason, "code changed");
    assert_eq!(planned.steps[3].reason, "new in answers");
}

#[test]
fn a_new_day_merges_and_leaves_untouched_partitions_alone() {
    let mut world = World::new();
    world.first_day();
    world.pages("questions", NEXT, "q2");
    let planned = plan(&world.facts(NEXT)).unwrap();
    assert_eq!(planned.steps[0].scope, Scope::Changed);
    assert_eq!(planned.steps[0].outputs[0].kept.len(), 2);
    world.submit(NEXT, &[("questions", &[("month", "2026-10")]), ("trends", &[("year", "2026")])]);
    let expected = ["2026-09 questions/run-daily.2026-10-01.1", "2026-10 questions/run-daily.2026-10-02.2"];
    assert_eq!(world.partitions("questions"), expected);
}

#[test]
fn submitting_an_older_day_again_does_nothing() {
    let mut world = World::new();
    world.first_day();
    world.pages("questions", NEXT, "q2");
    world.submit(NEXT, &[("questions", &[("month", "2026-10")]), ("trends", &[("year", "2026")])]);
    assert_eq!(world.running(DAY), Vec::<String>::new());
    assert_eq!(world.running(NEXT), Vec::<String>::new());
}

#[test]
fn derived_tables_are_told_which_partitions_are_new_to_them() {
    let mut world = World::new();
    world.first_day();
    // Another job, or a run of one step alone, publishes a month that `trends` has not seen.
    world.job.steps.truncate(2);
    world.pages("questions", NEXT, "q2");
    world.submit(NEXT, &[("questions", &[("month", "2026-10")])]);
    world.job = job();
    let planned = plan(&world.facts(NEXT)).unwrap();
    let trends = &planned.steps[2];
    assert_eq!((trends.action.clone(), trends.scope), (Action::Run, Scope::Changed));
    let Input::Table { changed, partitions, upstream, .. } = &trends.inputs[0] else { panic!("not a table") };
    assert_eq!(changed, &[BTreeMap::from([("month".to_string(), "2026-10".to_string())])]);
    assert_eq!((partitions.len(), upstream), (2, &None));
}

#[test]
fn running_a_date_again_replaces_what_that_date_did() {
    let mut world = World::new();
    world.first_day();
    world.pages("questions", DAY, "q1 with another page");
    let planned = plan(&world.facts(DAY)).unwrap();
    assert_eq!((planned.steps[0].outputs[0].base.clone(), planned.steps[0].outputs[0].kept.len()), (None, 0));
    world.submit(DAY, &[("questions", &[("month", "2026-10")]), ("trends", &[("year", "2026")])]);
    assert_eq!(world.partitions("questions"), ["2026-10 questions/run-daily.2026-10-01.2"]);
}

#[test]
fn a_month_that_is_gone_makes_derived_tables_whole_again() {
    let mut world = World::new();
    world.first_day();
    world.pages("questions", DAY, "q1 with another page");
    let planned = plan(&world.facts(DAY)).unwrap();
    assert_eq!((planned.steps[2].action.clone(), planned.steps[2].scope), (Action::Run, Scope::All));
}

#[test]
fn a_finished_step_of_a_failed_run_is_reused() {
    let mut world = World::new();
    world.pages("questions", DAY, "q1");
    let planned = plan(&world.facts(DAY)).unwrap();
    let run: RunId = "daily.2026-10-01.1".parse().unwrap();
    let result = StepResult {
        run: run.clone(),
        step: "questions".into(),
        started_at: None,
        seconds: 1.0,
        tables: BTreeMap::new(),
    };
    world.results.insert(planned.steps[0].result.clone(), result);
    let again = plan(&world.facts(DAY)).unwrap();
    assert_eq!(again.steps[0].action, Action::Reuse);
    assert_eq!(again.steps[3].after, ["answers"], "a reused step is not waited for");
    let Input::Table { upstream, .. } = &again.steps[2].inputs[0] else { panic!("not a table") };
    assert_eq!(upstream, &Some(Upstream::Earlier(run)));
    let mut facts = world.facts(DAY);
    facts.select.force = true;
    assert_eq!(plan(&facts).unwrap().steps[0].action, Action::Run, "force means force");
}

#[test]
fn one_step_alone_needs_its_inputs_published() {
    let mut world = World::new();
    let mut facts = world.facts(DAY);
    facts.select.steps = vec!["trends".into()];
    let error = plan(&facts).unwrap_err();
    assert_eq!(error.message, "step `trends` reads table `questions`, which nothing has published yet");
    world.first_day();
    world.code.insert("trends".into(), Digest::of(["edited"]));
    world.code.insert("questions".into(), Digest::of(["edited"]));
    let mut facts = world.facts(DAY);
    facts.select.steps = vec!["trends".into()];
    let planned = plan(&facts).unwrap();
    let actions: Vec<_> = planned.steps.into_iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::NotAsked, Action::NotAsked, Action::Run, Action::NotAsked]);
}

#[test]
fn steps_share_a_table_by_partition_and_clear_only_their_own() {
    let mut world = World::new();
    world.first_day();
    assert_eq!(world.partitions("quarantine"), ["2026-10-01/answers quarantine/run-daily.2026-10-01.1"]);
    world.pages("questions", DAY, "q1 broken");
    world.submit(DAY, &[("quarantine", &[("endpoint", "questions"), ("dt", "2026-10-01")])]);
    assert_eq!(world.partitions("quarantine").len(), 2, "the answers' rows stay");
    world.pages("answers", DAY, "a1 mended");
    world.submit(DAY, &[]);
    assert_eq!(world.partitions("quarantine"), ["2026-10-01/questions quarantine/run-daily.2026-10-01.2"]);
}

#[test]
fn after_a_rollback_the_work_is_to_be_done_again() {
    let mut world = World::new();
    world.first_day();
    world.pages("questions", NEXT, "q2");
    world.submit(NEXT, &[("questions", &[("month", "2026-10")]), ("trends", &[("year", "2026")])]);
    world.tables.get_mut("trends").unwrap().current = Some("daily.2026-10-01.1".parse().unwrap());
    assert_eq!(world.running(NEXT), ["trends"]);
}

#[test]
fn the_task_tells_a_step_all_it_needs() {
    let mut world = World::new();
    world.first_day();
    world.pages("questions", NEXT, "q2");
    let facts = world.facts(NEXT);
    let planned = plan(&facts).unwrap();
    let run: RunId = "daily.2026-10-02.2".parse().unwrap();
    let questions = task(&facts, &planned.steps[0], &run);
    assert_eq!(questions["outputs"]["questions"]["prefix"], "file:///lake/curated/questions/run-daily.2026-10-02.2");
    let current = &questions["outputs"]["questions"]["current"][0];
    assert_eq!(current["prefix"], "file:///lake/curated/questions/run-daily.2026-10-01.1");
    assert_eq!(current["partitions"], serde_json::json!([{ "month": "2026-09" }, { "month": "2026-10" }]));
    assert_eq!(
        questions["outputs"]["quarantine"]["only"],
        serde_json::json!({ "endpoint": "questions", "dt": "2026-10-02" })
    );
    let health = task(&facts, &planned.steps[3], &run);
    assert_eq!(health["inputs"]["questions"]["upstream"], "file:///lake/curated/questions/run-daily.2026-10-02.2");
    assert_eq!(health["inputs"]["answers"]["published"][0]["changed"], serde_json::json!([]));
}

#[test]
fn what_is_noted_about_a_page_reaches_the_step_and_makes_no_work() {
    let mut world = World::new();
    world.first_day();
    let questions = |world: &World| {
        let facts = world.facts(DAY);
        let planned = plan(&facts).unwrap();
        assert!(planned.nothing_to_do());
        let task = task(&facts, &planned.steps[0], &"daily.2026-10-01.2".parse().unwrap());
        task["inputs"]["raw.questions"]["objects"][0].clone()
    };
    assert!(questions(&world).get("about").is_none());
    world.about = About { quota_remaining: Some(-1), watermark_after: Some(1_760_000_000), ..About::default() };
    let about = serde_json::json!({ "quota_remaining": -1, "watermark_after": 1_760_000_000 });
    assert_eq!(questions(&world)["about"], about);
}

#[test]
fn a_partition_is_where_its_engine_put_it_and_before_that_was_noted_where_hive_would() {
    let by = ["hour".to_string()];
    let old = r#"{"values": {"hour": "10:00"}, "prefix": "t/run=j.2026-11-22.1", "rows": 1, "bytes": 2, "files": 1}"#;
    let mut partition: Partition = serde_json::from_str(old).unwrap();
    assert_eq!(partition.place(&by), "t/run=j.2026-11-22.1/hour=10%3A00");
    partition.directory = Some("hour=10:00".into());
    assert_eq!(partition.place(&by), "t/run=j.2026-11-22.1/hour=10:00");
    let text = serde_json::to_string(&partition).unwrap();
    assert_eq!(serde_json::from_str::<Partition>(&text).unwrap(), partition);
    let whole = Partition { values: PartitionValues::new(), directory: None, ..partition };
    assert_eq!(whole.place(&[]), "t/run=j.2026-11-22.1");
}
