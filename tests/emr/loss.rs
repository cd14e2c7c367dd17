//! Clusters that end under a run: it goes on elsewhere, and what is finished stays finished.

use crate::emr::lab::{DATE, Lab, STEPS, ended};
use crate::twin::{Loss, StepFate};

/// Asserts that the second cluster has got exactly what the first had not finished.
fn check_moved(lab: &Lab, at: usize, what: &str) {
    lab.check_whole(what, 2);
    let clusters = lab.clusters();
    let name = |step: &&str| (format!("chain.{DATE}.1/{step}"), "COMPLETED".to_string());
    let (first, second) = (lab.steps(&clusters[0]), lab.steps(&clusters[1]));
    assert_eq!(first[..at], STEPS[..at].iter().map(name).collect::<Vec<_>>(), "{what}: the first cluster");
    assert_eq!(second, STEPS[at..].iter().map(name).collect::<Vec<_>>(), "{what}: the second cluster");
    assert_eq!(lab.records()[0]["placed"]["cluster"], clusters[1].as_str(), "{what}");
}

#[test]
fn a_run_goes_on_elsewhere_whenever_and_however_its_cluster_ends() {
    for loss in [Loss::Spot, Loss::PrimaryLost, Loss::IdleTimer, Loss::Operator] {
        for (at, step) in STEPS.iter().enumerate() {
            let what = format!("{loss:?} while step {step} runs");
            let lab = Lab::new();
            lab.twin.step_fate(step, StepFate::Hangs);
            let child = lab.begin(&[]);
            lab.until_step(step, "RUNNING");
            lab.twin.step_fate(step, StepFate::Completes);
            lab.twin.lose_cluster(&lab.clusters()[0], loss, None);
            let said = ended(child);
            assert_eq!(said.code, Some(0), "{what}\n{said}");
            check_moved(&lab, at, &what);
        }
    }
}

#[test]
fn a_cluster_that_ends_while_nobody_watches_is_found_out_by_whoever_attaches() {
    for kind in ["attach", "submit"] {
        let lab = Lab::new();
        lab.twin.step_fate("two", StepFate::Hangs);
        let said = lab.run(&["submit", "chain", "--date", DATE, "--wait", "0s"]);
        assert_eq!(said.code, Some(4), "{said}");
        lab.until_step("two", "RUNNING");
        lab.twin.step_fate("two", StepFate::Completes);
        lab.twin.lose_cluster(&lab.clusters()[0], Loss::Spot, None);
        let run = format!("chain.{DATE}.1");
        let said = if kind == "attach" { lab.run(&["attach", &run]) } else { lab.submit() };
        assert_eq!(said.code, Some(0), "{said}");
        check_moved(&lab, 1, kind);
    }
}

#[test]
fn a_run_that_loses_every_cluster_gives_up() {
    let lab = Lab::new();
    lab.twin.step_fate("one", StepFate::Hangs);
    let child = lab.begin(&[]);
    for lost in 1..=4 {
        lab.twin.until("another cluster", |_| lab.clusters().len() == lost);
        lab.until_step("one", "RUNNING");
        lab.twin.lose_cluster(&lab.clusters()[lost - 1], Loss::Spot, None);
    }
    let said = ended(child);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.stderr.contains("hint:"), "{said}");
    assert_eq!(lab.clusters().len(), 4);
    assert_eq!(lab.records()[0]["state"], "failed");
    lab.twin.step_fate("one", StepFate::Completes);
    let again = lab.submit();
    assert_eq!(again.code, Some(0), "{again}");
    lab.check_whole("after giving up", 5);
}

#[test]
fn the_loss_of_a_spot_node_is_told_as_what_it_is() {
    let on_spot = "clusters:\n  standard: { primary: { on-demand: 0, spot: 1 } }\n";
    for (loss, settings) in [(Loss::Spot, ""), (Loss::PrimaryLost, on_spot)] {
        let lab = Lab::with(settings, |options| options);
        lab.twin.step_fate("one", StepFate::Hangs);
        let child = lab.begin(&[]);
        lab.until_step("one", "RUNNING");
        lab.twin.step_fate("one", StepFate::Completes);
        lab.twin.lose_cluster(&lab.clusters()[0], loss, None);
        let said = ended(child);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.stderr.contains("was a spot instance, and EC2 took it back"), "{loss:?}\n{said}");
    }
}
