//! Steps that share an application: one step of EMR's, and yet each is done, told and kept as if it were alone.

use std::process::Child;

use crate::emr::kill::{Calls, kill_everywhere, killed_at};
use crate::emr::lab::{DATE, Lab, STEPS, Said, ended, signal};
use crate::emr::submit::told;
use crate::twin::{Fault, FaultKind, Loss, Moment};

pub fn fused() -> Lab {
    Lab::with("    fuse: true\n", |options| options)
}

/// Changes the setting of a lab.
fn set(lab: &Lab, fuse: bool) {
    let text = fs_err::read_to_string(lab.home.path().join("config/soflow.yaml")).unwrap();
    let lines = text.lines().filter(|line| !line.contains("fuse:")).map(|line| format!("{line}\n"));
    lab.write("config/soflow.yaml", &format!("{}    fuse: {fuse}\n", lines.collect::<String>()));
}

/// Returns a lab whose second step waits until `let_go`, and a run that has come there.
fn waiting(args: &[&str]) -> (Lab, Child) {
    let lab = fused();
    lab.write("pyspark/steps/two.py", "# waits\n");
    let child = lab.begin(args);
    until_waiting(&lab);
    (lab, child)
}

/// Waits until the second step is at work.
pub fn until_waiting(lab: &Lab) {
    lab.twin.until("step two at work", |twin| twin.get(&format!("s3://{}/waits/two", lab.bucket)).is_some());
}

pub fn let_go(lab: &Lab) {
    lab.twin.put(&format!("s3://{}/go", lab.bucket), "go");
}

/// Waits until the run's record says so of its steps.
fn until_states(lab: &Lab, wanted: [&str; 3]) {
    lab.twin.until(&format!("{wanted:?}"), |_| states(lab, 0) == wanted);
}

/// Returns the states of the steps of the run of that index.
pub fn states(lab: &Lab, run: usize) -> Vec<String> {
    let records = lab.records();
    let steps = records[run]["steps"].as_array().unwrap().iter();
    steps.map(|step| step["state"].as_str().unwrap().to_string()).collect()
}

/// Returns the steps of a cluster without their run, with their states.
pub fn on_cluster(lab: &Lab, cluster: usize) -> Vec<String> {
    let mut steps = lab.steps(&lab.clusters()[cluster]);
    steps.retain(|(name, _)| !name.contains(" cancelled "));
    steps.iter().map(|(name, state)| format!("{} {state}", name.rsplit('.').next().unwrap())).collect()
}

fn run() -> String {
    format!("chain.{DATE}.1")
}

fn succeeded(said: &Said) {
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn a_run_is_one_step_on_the_cluster_and_each_of_its_steps_is_told() {
    let lab = fused();
    let said = lab.submit();
    succeeded(&said);
    lab.check_whole("fused", 1);
    assert_eq!(on_cluster(&lab, 0), ["1/one+2 COMPLETED"]);
    let record = lab.records().remove(0);
    assert_eq!(record["fused"], true);
    let steps = record["steps"].as_array().unwrap();
    for (step, table) in steps.iter().zip(["first", "second", "third"]) {
        assert_eq!((&step["state"], &step["rows"][table]), (&"completed".into(), &3.into()), "{step:#}");
        assert_eq!(step["step_id"], steps[0]["step_id"]);
        assert!(step["started_at"].is_string() && step["seconds"].is_f64(), "{step:#}");
    }
}

#[test]
fn a_look_at_a_chain_that_runs_is_one_request_more_and_before_it_runs_none() {
    let lab = fused();
    lab.write("pyspark/steps/two.py", "# waits\n");
    lab.twin.hold();
    let child = lab.begin(&[]);
    lab.until_handed_over();
    let looks = |operation: &str| {
        let calls = lab.twin.calls_of("s3", operation).into_iter().map(|call| told(&call));
        calls.filter(|call| call.contains("/scratch/") && call.contains("/j-")).count()
    };
    assert_eq!(looks("ListObjectsV2"), 0, "nothing runs");
    lab.twin.release();
    until_waiting(&lab);
    let_go(&lab);
    succeeded(&ended(child));
    let (listed, asked) = (looks("ListObjectsV2"), lab.twin.calls_of("emr", "ListSteps").len());
    println!("{listed} listings of what has completed, {asked} looks at the steps");
    assert!(listed > 0 && listed <= asked, "{listed} listings in {asked} looks");
    let calls: Vec<String> = lab.twin.calls().iter().map(told).filter(|call| call.contains("/scratch/")).collect();
    assert_eq!(looks("GetObject"), 3, "each note is read once: {calls:#?}");
}

#[test]
fn of_a_chain_that_fails_what_had_completed_is_kept_and_a_retry_does_the_rest() {
    let lab = fused();
    lab.write("pyspark/steps/two.py", "# fails: KeyError: 'score'\n");
    let said = lab.submit();
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stderr.contains("step `two` of run") && said.stderr.contains("KeyError: 'score'"), "{said}");
    assert_eq!(states(&lab, 0), ["completed", "failed", "cancelled"]);
    assert_eq!(on_cluster(&lab, 0), ["1/one+2 FAILED"]);
    let cause = lab.records()[0]["steps"][1]["cause"].clone();
    assert_eq!(cause["summary"], "KeyError: 'score'", "{cause:#}");
    assert!(cause["log"].as_str().unwrap().contains("/containers/"), "{cause:#}");
    assert_eq!(lab.published().len(), 0);

    lab.write("pyspark/steps/two.py", "# mended\n");
    succeeded(&lab.run(&["retry", &run()]));
    assert_eq!(on_cluster(&lab, 0), ["1/one+2 FAILED", "2/two+1 COMPLETED"]);
    assert_eq!(states(&lab, 1), ["reused", "completed", "completed"]);
    assert_eq!(lab.published().len(), 3);
}

#[test]
fn a_client_killed_while_a_chain_runs_is_followed_by_one_that_finishes() {
    kill_everywhere(fused, Calls::OfSteps);
}

#[test]
fn a_chain_whose_cluster_is_lost_goes_on_elsewhere_without_what_had_completed() {
    for watched in [true, false] {
        let (lab, child) = waiting(if watched { &[] } else { &["--wait", "0s"] });
        let mut child = Some(child);
        if !watched {
            assert_eq!(ended(child.take().unwrap()).code, Some(4));
        }
        let lost = lab.clusters().remove(0);
        lab.twin.lose_cluster(&lost, Loss::Spot, None);
        if watched {
            lab.twin.until("another cluster", |_| lab.clusters().len() == 2);
            // What the lost one notes late is nothing to the other.
            lab.twin.put(&format!("s3://{}/lake/artifacts/scratch/{}/{lost}/two/part-0", lab.bucket, run()), "{}");
        }
        let_go(&lab);
        succeeded(&child.map_or_else(|| lab.run(&["attach", &run()]), ended));
        assert_eq!(on_cluster(&lab, 1), ["1/two+1 COMPLETED"], "watched: {watched}");
        assert_eq!((lab.clusters().len(), lab.published().len(), lab.records().len()), (2, 3, 1));
        assert_eq!(states(&lab, 0), ["completed"; 3]);
    }
}

#[test]
fn cancelling_ends_the_chain_and_keeps_what_had_completed() {
    for way in ["another client", "the driver", "nobody watches"] {
        let args: &[&str] = match way {
            "the driver" => &["--on-interrupt", "cancel"],
            "another client" => &[],
            _ => &["--wait", "0s"],
        };
        let (lab, child) = waiting(args);
        match way {
            "the driver" => {
                until_states(&lab, ["completed", "running", "queued"]);
                signal(child.id(), "-INT");
            }
            "another client" => succeeded(&lab.run(&["cancel", &run()])),
            _ => {
                assert_eq!(ended(child).code, Some(4));
                succeeded(&lab.run(&["cancel", &run()]));
                finish_cancelled(&lab, way);
                continue;
            }
        }
        assert_eq!(ended(child).code, Some(130), "{way}");
        finish_cancelled(&lab, way);
    }
}

/// Asserts that the first step is kept and the others are not, and that a new run does those.
fn finish_cancelled(lab: &Lab, way: &str) {
    assert_eq!(states(lab, 0), ["completed", "cancelled", "cancelled"], "{way}");
    assert_eq!(on_cluster(lab, 0), ["1/one+2 CANCELLED"], "{way}");
    let_go(lab);
    succeeded(&lab.submit());
    assert_eq!(on_cluster(lab, 0)[1..], ["2/two+1 COMPLETED"], "{way}");
    assert_eq!(lab.published().len(), 3);
}

#[test]
fn a_chain_is_watched_to_its_end_by_whoever_attaches() {
    let (lab, child) = waiting(&[]);
    until_states(&lab, ["completed", "running", "queued"]);
    signal(child.id(), "-KILL");
    assert_eq!(ended(child).code, None);
    // It has ended when the next one comes.
    let_go(&lab);
    lab.until_step("one+2", "COMPLETED");
    set(&lab, false);
    succeeded(&lab.run(&["attach", &run()]));
    lab.check_whole("attached", 1);
    assert_eq!(on_cluster(&lab, 0), ["1/one+2 COMPLETED"]);
}

#[test]
fn a_run_stays_as_it_was_claimed_whatever_is_set_since() {
    for (fuse, steps) in [(true, vec!["1/one+2"]), (false, vec!["1/one", "1/two", "1/three"])] {
        let lab = Lab::with(&format!("    fuse: {fuse}\n"), |options| options);
        assert!(killed_at(&lab, Moment::Before, |call| call.operation == "AddJobFlowSteps"));
        set(&lab, !fuse);
        succeeded(&lab.run(&["attach", &run()]));
        lab.check_whole("claimed before", 1);
        assert_eq!(on_cluster(&lab, 0), steps.iter().map(|step| format!("{step} COMPLETED")).collect::<Vec<_>>());
    }
}

#[test]
fn a_chain_that_came_a_second_time_is_ended_and_told() {
    let lab = fused();
    lab.write("pyspark/steps/two.py", "# waits\n");
    lab.twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::Overtaken(Moment::After)));
    let child = lab.begin(&[]);
    let cancelled = |step: &String| step == "1/one+2 CANCELLED";
    lab.twin.until("the copy cancelled", |_| !lab.clusters().is_empty() && on_cluster(&lab, 0).iter().any(cancelled));
    let_go(&lab);
    let said = ended(child);
    succeeded(&said);
    assert!(said.stderr.contains("step chain.2026-11-22.1/one+2 came to cluster"), "{said}");
    let mut steps = on_cluster(&lab, 0);
    steps.sort();
    assert_eq!(steps, ["1/one+2 CANCELLED", "1/one+2 COMPLETED"]);
    assert_eq!(lab.published().len(), 3);
}

#[test]
fn the_jobs_word_is_stronger_than_the_targets_and_concurrency_stronger_than_both() {
    for (fuse, job, concurrency, steps) in
        [(true, Some(false), 1, 3), (false, Some(true), 1, 1), (false, None, 1, 3), (true, Some(true), 2, 3)]
    {
        let settings =
            format!("    fuse: {fuse}\n    cluster: own\nclusters:\n  own: {{ step-concurrency: {concurrency} }}\n");
        let lab = Lab::with(&settings, |options| options);
        if let Some(job) = job {
            lab.write("jobs/chain.yaml", &format!("fuse: {job}\n{}", crate::emr::lab::JOB));
        }
        succeeded(&lab.submit());
        assert_eq!(on_cluster(&lab, 0).len(), steps, "target {fuse}, job {job:?}, {concurrency} at once");
    }
}

#[test]
fn a_steps_logs_are_its_own_wherever_they_are_read() {
    for cloudwatch in [true, false] {
        let settings =
            format!("    fuse: true\n    cluster: own\nclusters:\n  own: {{ cloudwatch-logs: {cloudwatch} }}\n");
        let lab = Lab::with(&settings, |options| options);
        lab.write("pyspark/steps/three.py", "# fails: KeyError: 'score'\n");
        assert_eq!(lab.submit().code, Some(1));
        for step in STEPS {
            let logs = lab.json(&["logs", &run(), step]);
            assert_eq!(logs["source"], if cloudwatch { "cloudwatch" } else { "s3" });
            let text = |stream: &str| logs["logs"][stream].as_str().unwrap_or_default().to_string();
            for other in STEPS {
                let is_own = step == other;
                assert_eq!(text("stdout").contains(&format!("{other} prints")), is_own, "{step}, {other}: {logs:#}");
                let line = format!("@soflow step {other} begins");
                assert_eq!(text("stderr").contains(&line), is_own, "{step}, {other}: {logs:#}");
            }
            assert_eq!(text("stderr").contains("KeyError"), step == "three", "{step}: {logs:#}");
        }
    }
}

#[test]
fn of_a_step_that_has_not_had_its_turn_there_are_no_logs() {
    let (lab, child) = waiting(&[]);
    until_states(&lab, ["completed", "running", "queued"]);
    let said = lab.run(&["logs", &run(), "three"]);
    assert!(said.stderr.contains("Step `three` has not started yet: it is PENDING on the cluster"), "{said}");
    let said = lab.run(&["logs", &run(), "one"]);
    assert!(said.stdout.contains("one prints") && !said.stdout.contains("two"), "{said}");
    succeeded(&lab.run(&["cancel", &run()]));
    assert_eq!(ended(child).code, Some(130));
    let said = lab.run(&["logs", &run(), "three"]);
    assert!(said.stderr.contains("step `three` did not run"), "{said}");
    succeeded(&lab.run(&["logs", &run(), "two"]));
}
