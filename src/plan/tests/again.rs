//! What stands of earlier work when others have published meanwhile, and what a date leaves behind that is run again.

use super::*;

/// What a finished step of a run that did not publish has left.
fn result(step: &str, run: &str) -> StepResult {
    let run = run.parse().unwrap();
    StepResult { run, step: step.into(), started_at: None, seconds: 1.0, tables: BTreeMap::new() }
}

#[test]
fn what_others_publish_beside_it_leaves_a_result_what_it_was() {
    let mut world = World::new();
    // Two steps that read nothing of what others write: a partition of a shared table, and a whole table.
    world.job.steps = vec![
        step("questions", &["raw.questions"], &["quarantine/questions"]),
        step("trends", &["raw.questions"], &["trends"]),
    ];
    for date in [DAY, NEXT] {
        world.pages("questions", date, "q");
    }
    let planned = plan(&world.facts(DAY)).unwrap();
    for step in &planned.steps {
        world.results.insert(step.result.clone(), result(&step.step.name, "daily.2026-10-01.9"));
    }
    world.submit(
        NEXT,
        &[("quarantine", &[("endpoint", "questions"), ("dt", "2026-10-02")]), ("trends", &[("year", "2026")])],
    );
    let again = plan(&world.facts(DAY)).unwrap();
    let actions: Vec<Action> = again.steps.iter().map(|step| step.action.clone()).collect();
    assert_eq!(actions, [Action::Reuse, Action::Reuse]);
    assert_eq!(again.steps[0].outputs[0].kept.len(), 1, "the other date's partition stays");
    assert_ne!(again.steps[0].outputs[0].content, planned.steps[0].outputs[0].content);
}

#[test]
fn what_is_merged_is_merged_again_with_what_others_have_published() {
    let mut world = World::new();
    world.pages("questions", DAY, "q1");
    let planned = plan(&world.facts(DAY)).unwrap();
    world.results.insert(planned.steps[0].result.clone(), result("questions", "daily.2026-10-01.9"));
    world.pages("questions", NEXT, "q2");
    world.submit(NEXT, &[("questions", &[("month", "2026-10")])]);
    assert_eq!(plan(&world.facts(DAY)).unwrap().steps[0].action, Action::Run);
}

#[test]
fn a_forced_step_that_has_finished_is_not_forced_again_by_the_run_after_it() {
    let mut world = World::new();
    world.first_day();
    let forced = |world: &World, after: &[RunId]| {
        let mut facts = world.facts(DAY);
        facts.select = Select { force: true, after: after.to_vec(), ..Select::default() };
        plan(&facts).unwrap()
    };
    let planned = forced(&world, &[]);
    let run: RunId = "daily.2026-10-01.2".parse().unwrap();
    world.results.insert(planned.steps[0].result.clone(), result("questions", "daily.2026-10-01.2"));
    let actions = |plan: Plan| plan.steps.into_iter().map(|step| step.action).collect::<Vec<_>>();
    assert!(actions(forced(&world, &[])).iter().all(|action| *action == Action::Run));
    assert_eq!(actions(forced(&world, &[run])), [Action::Reuse, Action::Run, Action::Run, Action::Run]);
}

/// Two dates merged into the same months, the first one with a month of its own.
fn two_days() -> World {
    let mut world = World::new();
    world.job.steps.truncate(1);
    world.pages("questions", DAY, "q1");
    world.submit(DAY, &[("questions", &[("month", "2026-09")]), ("questions", &[("month", "2026-10")])]);
    world.pages("questions", NEXT, "q2");
    world.submit(NEXT, &[("questions", &[("month", "2026-10")]), ("questions", &[("month", "2026-11")])]);
    assert_eq!(world.running(DAY), Vec::<String>::new());
    world
}

#[test]
fn what_an_older_date_had_brought_is_taken_away_when_it_runs_again() {
    let mut world = two_days();
    world.pages("questions", DAY, "q1 without a row");
    let facts = world.facts(DAY);
    let planned = plan(&facts).unwrap();
    let questions = &planned.steps[0];
    let kept: Vec<&String> = questions.outputs[0].kept.iter().map(|partition| &partition.values["month"]).collect();
    assert_eq!(kept, ["2026-11"], "months with rows of the date are not merged with what they have");
    assert_eq!(planned.dates(), [DAY, NEXT].into());
    let task = task(&facts, questions, &"daily.2026-10-01.3".parse().unwrap());
    let objects = task["inputs"]["raw.questions"]["objects"].as_array().unwrap();
    let dates: Vec<_> = objects.iter().map(|object| object["date"].as_str()).collect();
    assert_eq!(dates, [None, Some("2026-10-02")]);
    world.submit(DAY, &[("questions", &[("month", "2026-10")]), ("questions", &[("month", "2026-11")])]);
    let run = "questions/run-daily.2026-10-01.3";
    assert_eq!(world.partitions("questions"), [format!("2026-10 {run}"), format!("2026-11 {run}")]);
    assert_eq!((world.running(DAY), world.running(NEXT)), (Vec::new(), Vec::new()));
    world.pages("questions", DAY, "q1");
    assert_eq!(world.running(DAY), ["questions"], "the row is back in raw, and not in the table");
}

#[test]
fn rows_of_which_nobody_knows_the_date_are_never_taken_away() {
    let mut world = two_days();
    for version in world.tables.get_mut("questions").unwrap().versions.values_mut() {
        // As a version has it that an earlier soflow wrote.
        version.brought.clear();
    }
    world.pages("questions", NEXT, "q2 mended");
    world.submit(NEXT, &[("questions", &[("month", "2026-10")]), ("questions", &[("month", "2026-12")])]);
    let third = date(2026, 10, 3);
    world.pages("questions", third, "q3");
    world.submit(third, &[("questions", &[("month", "2026-10")])]);
    world.pages("questions", NEXT, "q2 mended again");
    let planned = plan(&world.facts(NEXT)).unwrap();
    let kept: Vec<&String> =
        planned.steps[0].outputs[0].kept.iter().map(|partition| &partition.values["month"]).collect();
    assert_eq!(kept, ["2026-09", "2026-10"], "only the month that it began is made anew");
}
