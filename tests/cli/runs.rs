//! `soflow runs`. The records are written by hand: their times are known, and no state needs luck.

use crate::cli::support::{Project, Record};

/// Writes a run of each kind.
pub fn some(project: &Project) {
    Record::new(1, "succeeded", ["completed", "completed"]).save(project);
    Record::new(2, "failed", ["completed", "failed"])
        .error("step `answers` of run `daily.2025-10-31.2` failed: KeyError: 'score'")
        .cause(
            "KeyError: 'score'",
            "Traceback (most recent call last):\n  File \"steps/answers.py\", line 9\nKeyError: 'score'",
        )
        .save(project);
    let long = "AnalysisException: cannot resolve column `creation_date` among (site, question_id, title, tags, score)\nplan:\n  Project";
    Record::new(3, "failed", ["failed", "failed"]).cause(long, long).error(long).save(project);
    Record::new(4, "refused", ["completed", "completed"]).error("2 checks failed, nothing was published").save(project);
    Record::new(5, "cancelled", ["completed", "cancelled"]).error("run `daily.2025-10-31.5` was stopped").save(project);
    Record::new(6, "running", ["completed", "running"]).save(project);
}

fn project() -> Project {
    let project = Project::empty();
    some(&project);
    project
}

#[test]
fn no_runs() {
    shot!(Project::empty().soflow(["runs"]));
}

#[test]
fn the_list() {
    shot!(project().soflow(["runs"]));
}

#[test]
fn the_last_two_of_a_job() {
    shot!(project().soflow(["runs", "--job", "daily", "--limit", "2"]));
}

#[test]
fn of_another_job() {
    shot!(project().soflow(["runs", "--job", "weekly"]));
}

#[test]
fn a_good_one() {
    shot!(project().soflow(["runs", "show", "daily.2025-10-31.1"]));
}

#[test]
fn a_failed_one() {
    shot!(project().soflow(["runs", "show", "daily.2025-10-31.2"]));
}

#[test]
fn one_that_is_not_the_fault_of_its_code() {
    let project = Project::empty();
    Record::new(8, "failed", ["completed", "failed"])
        .cause("OSError: [Errno 28] No space left on device", "OSError: [Errno 28] No space left on device")
        .fault("capacity", "free some space, `soflow gc` removes old versions, then run the same command again")
        .save(&project);
    shot!(project.soflow(["runs", "show", "daily.2025-10-31.8"]));
}

#[test]
fn a_refused_one() {
    shot!(project().soflow(["runs", "show", "daily.2025-10-31.4"]));
}

#[test]
fn one_whose_step_ended_without_a_word() {
    let project = Project::empty();
    let cause = "the process ended with exit code 7";
    Record::new(7, "failed", ["completed", "failed"]).cause(cause, "").error("step `answers` failed").save(&project);
    shot!(project.soflow(["runs", "show", "daily.2025-10-31.7"]));
}

#[test]
fn one_that_says_it_runs_while_nobody_holds_the_lake_was_interrupted() {
    shot!(project().soflow(["runs", "show", "daily.2025-10-31.6"]));
}

#[test]
fn one_for_programs() {
    let record = project().soflow(["runs", "show", "daily.2025-10-31.6", "--output", "json"]).json();
    assert_eq!((&record["v"], &record["state"]), (&1.into(), &"interrupted".into()), "{record:#}");
}

#[test]
fn an_unknown_one() {
    shot!(project().soflow(["runs", "show", "daily.2025-10-31.9"]));
}

#[test]
fn a_damaged_record() {
    let project = project();
    project.write(".soflow/lake/artifacts/runs/daily/2025-10-31/1/run.json", "{");
    // A step may have any name.
    project.write(".soflow/lake/artifacts/runs/daily/2025-10-31/2/tasks/run.json", "{}");
    let seen = project.soflow(["runs"]);
    assert!(seen.stdout.contains("damaged") && seen.stdout.contains("refused"), "{seen}");
    shot!(seen);
    let runs = project.soflow(["runs", "--output", "json"]).json()["runs"].clone();
    let damaged: Vec<_> = runs.as_array().unwrap().iter().filter(|run| run["state"] == "damaged").collect();
    assert_eq!((runs.as_array().unwrap().len(), damaged.len()), (6, 1), "{runs:#}");
    assert_eq!(damaged[0]["run"], "daily.2025-10-31.1");
    assert!(damaged[0]["error"].as_str().unwrap().contains("is damaged"), "{runs:#}");
    assert_eq!(project.soflow(["runs", "show", "daily.2025-10-31.1"]).code, Some(3));
}
