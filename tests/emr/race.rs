//! Several clients at once: one does the work, the others wait, watch or are told who.

use crate::emr::kill::stopped_at;
use crate::emr::lab::{DATE, Lab, ended, signal};
use crate::twin::StepFate;

const OTHER: &str = "2026-11-21";

#[test]
fn two_submissions_of_one_date_are_one_run() {
    let lab = Lab::new();
    for round in 1..=5 {
        let date = format!("2026-10-{round:02}");
        lab.write("pyspark/steps/one.py", &format!("# round {round}\n"));
        let both = [(), ()].map(|()| lab.spawn(&["submit", "chain", "--date", &date]));
        for said in both.map(ended) {
            assert_eq!(said.code, Some(0), "round {round}\n{said}");
        }
        lab.check_invariants(&format!("round {round}"));
        assert_eq!(lab.clusters().len(), 1, "round {round}");
        assert_eq!(lab.completed().len(), 3 * round, "round {round}: {:?}", lab.steps(&lab.clusters()[0]));
    }
}

/// Starts a run that stays where it is, all of its steps handed over; returns its cluster too.
fn busy() -> (Lab, std::process::Child, String) {
    let lab = Lab::new();
    lab.twin.hold();
    let child = lab.begin(&[]);
    lab.until_handed_over();
    let cluster = lab.clusters().remove(0);
    (lab, child, cluster)
}

#[test]
fn the_second_date_waits_for_the_cluster_and_starts_from_what_the_first_has_published() {
    let (lab, first, cluster) = busy();
    let second = lab.spawn(&["submit", "chain", "--date", OTHER, "--force"]);
    lab.twin.until("the second in the queue", |_| {
        lab.lease(&cluster).is_some_and(|book| book.contains(&format!("chain.{OTHER}.1")))
    });
    lab.twin.release();
    let (first, second) = (ended(first), ended(second));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first}\n{second}");
    assert!(second.stderr.contains(&format!("chain.{DATE}.1 by ")), "{second}");
    assert_eq!(lab.clusters(), std::slice::from_ref(&cluster));
    assert_eq!(lab.completed().len(), 6, "nothing is run for a plan that could not be published\n{first}\n{second}");
    lab.check_invariants("two dates");
}

#[test]
fn who_does_not_want_to_wait_is_told_for_whom() {
    let (lab, first, _) = busy();
    let said = lab.run(&["submit", "chain", "--date", OTHER, "--queue-for", "0s"]);
    assert_eq!(said.code, Some(5), "{said}");
    let who = format!("chain.{DATE}.1 by anna@");
    assert!(said.stderr.contains(&who) && said.stderr.contains("until 20") && said.stderr.contains("hint:"), "{said}");
    lab.twin.release();
    assert_eq!(ended(first).code, Some(0));
    lab.check_whole("after someone was turned away", 1);
}

#[test]
fn steps_that_a_silent_run_has_left_keep_others_away_however_often_they_ask() {
    let lab = Lab::new();
    lab.twin.step_fate("two", StepFate::Hangs);
    let mut first = lab.begin(&[]);
    lab.until_step("two", "RUNNING");
    lab.until_handed_over();
    signal(first.id(), "-KILL");
    first.wait().unwrap();
    for _ in 0..2 {
        let said = lab.run(&["submit", "chain", "--date", OTHER, "--force", "--queue-for", "0s"]);
        assert_eq!(said.code, Some(5), "{said}");
        assert!(said.stderr.contains(&format!("held by steps of chain.{DATE}.1, which have not ended")), "{said}");
    }
    let listed = lab.run(&["cluster", "list"]);
    assert!(listed.stdout.contains(&format!("(chain.{DATE}.1)")), "{listed}");
    let shown = lab.run(&["cluster", "show"]);
    assert!(shown.stdout.contains(&format!("steps of chain.{DATE}.1, which have not ended")), "{shown}");
    assert_eq!(lab.clusters().len(), 1);
    assert_eq!(lab.run(&["cancel", &format!("chain.{DATE}.1")]).code, Some(0));
    lab.twin.step_fate("two", StepFate::Completes);
    let said = lab.run(&["submit", "chain", "--date", OTHER, "--force", "--queue-for", "0s"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(lab.lease(&lab.clusters()[0]), None, "claims of the dead are left");
}

#[test]
fn whoever_has_lost_the_cluster_adds_no_more_steps_and_says_so() {
    let lab = Lab::with("clusters:\n  standard: { step-concurrency: 2 }\n", |options| options);
    lab.twin.hold();
    let first = lab.begin(&[]);
    lab.twin.until("its first step", |_| {
        lab.records().first().is_some_and(|record| record["steps"][0]["step_id"].is_string())
    });
    let second = lab.run(&["submit", "chain", "--date", OTHER, "--force", "--force-lease", "--wait", "0s"]);
    assert_eq!(second.code, Some(4), "{second}");
    lab.twin.release();
    let said = ended(first);
    assert_eq!(said.code, Some(5), "{said}");
    assert!(said.stderr.contains(&format!("run `chain.{DATE}.1` has lost the lease of cluster")), "{said}");
    assert!(said.stderr.contains(", by force") && said.stderr.contains("steps not added: 1"), "{said}");
    let second = lab.run(&["attach", &format!("chain.{OTHER}.1")]);
    assert_eq!(second.code, Some(0), "{second}");
}

#[test]
fn who_ends_a_cluster_under_a_run_does_not_make_it_buy_another() {
    let (lab, first, cluster) = busy();
    lab.twin.release();
    let down = lab.run(&["cluster", "down", "--force"]);
    let said = ended(first);
    assert_eq!((down.code, said.code), (Some(0), Some(5)), "{down}\n{said}");
    assert!(said.stderr.contains(&format!("cluster `{cluster}` was ended under run `chain.{DATE}.1`")), "{said}");
    assert_eq!(lab.clusters(), std::slice::from_ref(&cluster), "{said}");
    assert_eq!(lab.lease(&cluster), None, "a lease of a cluster that has ended");
    let again = lab.run(&["retry", &format!("chain.{DATE}.1")]);
    assert_eq!(again.code, Some(0), "{again}");
}

#[test]
fn looking_at_a_run_that_is_over_leaves_no_driver_in_its_record() {
    let lab = Lab::new();
    assert_eq!(lab.submit().code, Some(0));
    lab.run(&["attach", &format!("chain.{DATE}.1")]);
    lab.run(&["cancel", &format!("chain.{DATE}.1")]);
    lab.check_whole("looked at", 1);
}

#[test]
fn force_is_noted_where_others_look() {
    let (lab, first, cluster) = busy();
    let second = lab.spawn(&["submit", "chain", "--date", OTHER, "--force-lease"]);
    lab.twin.until("the lease taken", |_| {
        let book = lab.lease(&cluster).unwrap_or_default();
        book.contains("\"forced\": [\n") && book.contains(&format!("chain.{OTHER}.1"))
    });
    lab.twin.release();
    let (first, second) = (ended(first), ended(second));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first}\n{second}");
    lab.check_invariants("forced");
}

#[test]
fn what_others_have_made_meanwhile_is_not_taken_by_force() {
    let lab = Lab::new();
    lab.twin.hold();
    // It has looked for clusters, and looks again now that it may make one.
    let first = stopped_at(&lab, "ListClusters", 2);
    let second = lab.spawn(&["submit", "chain", "--date", OTHER, "--force-lease", "--queue-for", "0s", "--wait", "0s"]);
    lab.twin.until("the second in line to make one", |twin| {
        let claims = twin.calls_of("s3", "PutObject");
        claims.iter().filter(|call| call.detail.contains("/leases/create-")).count() == 2
    });
    let first = first.go_on();
    let said = ended(second);
    assert_eq!(said.code, Some(5), "{said}");
    assert!(said.stderr.contains(&format!("chain.{DATE}.1 by anna@")), "{said}");
    lab.twin.release();
    assert_eq!(ended(first).code, Some(0));
    lab.check_whole("nothing was taken by force", 1);
}

#[test]
fn two_who_want_a_cluster_get_one() {
    for _ in 0..3 {
        let lab = Lab::new();
        let both = [(), ()].map(|()| lab.spawn(&["cluster", "up"]));
        for said in both.map(ended) {
            assert_eq!(said.code, Some(0), "{said}");
        }
        assert_eq!(lab.clusters().len(), 1);
    }
}

#[test]
fn two_dates_at_once_make_one_cluster() {
    for _ in 0..2 {
        let lab = Lab::new();
        let both = [DATE, OTHER].map(|date| lab.spawn(&["submit", "chain", "--date", date, "--force"]));
        for said in both.map(ended) {
            assert_eq!(said.code, Some(0), "{said}");
        }
        assert_eq!((lab.clusters().len(), lab.completed().len()), (1, 6));
        lab.check_invariants("two dates at once");
    }
}

#[test]
fn a_watcher_takes_over_when_the_driver_is_killed() {
    let (lab, mut driver, _) = busy();
    let looks = lab.twin.calls_of("s3", "GetObject").len();
    let watcher = lab.begin(&[]);
    lab.twin.until("it watches", |twin| twin.calls_of("s3", "GetObject").len() > looks + 5);
    signal(driver.id(), "-KILL");
    driver.wait().unwrap();
    lab.twin.release();
    let said = ended(watcher);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("is driven by anna@"), "{said}");
    lab.check_whole("the driver was killed", 1);
}
