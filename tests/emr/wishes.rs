//! Who wants the same as a run that goes on joins it; who wants something else is told so.

use crate::emr::lab::{DATE, Lab, ended, signal};

const SUBMIT: [&str; 4] = ["submit", "chain", "--date", DATE];
const RUN: &str = "chain.2026-11-22.1";

/// Starts a run that stays where it is.
fn busy(lab: &Lab) -> std::process::Child {
    lab.twin.hold();
    let child = lab.begin(&[]);
    lab.until_handed_over();
    child
}

#[test]
fn another_wish_is_not_taken_for_the_run_that_goes_on() {
    let lab = Lab::new();
    let first = busy(&lab);
    let forced = lab.run(&[&SUBMIT[..], &["--force"]].concat());
    lab.write("pyspark/steps/two.py", "# changed meanwhile\n");
    let changed = lab.submit();
    lab.write("jobs/chain.yaml", &format!("{}parameters: {{ top: 3 }}\n", crate::emr::lab::JOB));
    let parameter = lab.run(&[&SUBMIT[..], &["--param", "top=4"]].concat());
    for (said, why) in [(&forced, "--force"), (&changed, "the code of `two`"), (&parameter, "--param=top=4")] {
        assert_eq!(said.code, Some(5), "{said}");
        let told = said.stderr.contains(why) && said.stderr.contains(&format!("`soflow attach {RUN}`"));
        assert!(told && said.stderr.contains("--queue-for"), "{said}");
    }
    // Also when nobody drives it: it would be finished with what was asked for then.
    signal(first.id(), "-KILL");
    ended(first);
    let said = lab.submit();
    assert_eq!(said.code, Some(5), "{said}");
    assert!(said.stderr.contains("nobody drives it"), "{said}");
    assert_eq!(lab.records().len(), 1);
    lab.twin.release();
    let said = lab.run(&["attach", RUN]);
    assert_eq!(said.code, Some(0), "{said}");
    lab.check_whole("attached after other wishes", 1);
}

#[test]
fn another_wish_waits_behind_the_run_when_asked_to() {
    let lab = Lab::new();
    let first = busy(&lab);
    let second = lab.spawn(&[&SUBMIT[..], &["--force", "--queue-for", "1h"]].concat());
    let looks = lab.twin.calls_of("s3", "GetObject").len();
    lab.twin.until("it waits", |twin| twin.calls_of("s3", "GetObject").len() > looks + 5);
    lab.twin.release();
    let (first, second) = (ended(first), ended(second));
    assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first}\n{second}");
    assert!(second.stderr.contains(&format!("run {RUN}")), "{second}");
    assert_eq!(lab.completed().len(), 6, "{second}");
    lab.check_invariants("one behind the other");
}
