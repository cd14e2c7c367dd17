//! Everything that the API, the edge before it and networks answer: what is waited for, and how it ends.

use soflow::error::Kind as Failure;
use soflow::event::Event;

use crate::lab::Lab;
use crate::stackexchange::{Fault, FaultKind, Kind, Match, Options, World};

/// What comes of a fault.
#[derive(Debug, PartialEq)]
enum End {
    /// It is waited out: seconds slept, and all items are there.
    Waited(u64),
    /// The exit code, and seconds slept before.
    Failed(u8, u64),
}

fn meet(kind: FaultKind, times: Option<u64>) -> (End, Lab) {
    let lab = Lab::new(World::made(7, 250));
    let fault = Fault::new(Match::Number(2), kind);
    lab.double.fault(match times {
        Some(times) => fault.times(times),
        None => fault.always(),
    });
    let result = lab.read(&["questions"], lab.all());
    let slept = |lab: &Lab| {
        let long = lab.clock.slept.lock().unwrap();
        long.iter().filter(|nap| nap.as_secs() >= 1).map(std::time::Duration::as_secs).sum()
    };
    let end = match result {
        Ok(_) => {
            assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions));
            End::Waited(slept(&lab))
        }
        Err(error) => {
            assert!(!error.hints.is_empty(), "no advice: {error:?}");
            End::Failed(error.kind.exit_code(), slept(&lab))
        }
    };
    (end, lab)
}

#[test]
fn every_fault_has_its_class_its_wait_and_its_exit_code() {
    let usage = Failure::Usage.exit_code();
    let machine = Failure::Machine.exit_code();
    let quota = Failure::Quota.exit_code();
    let once = |kind: fn() -> FaultKind, wait: u64| (kind, Some(1), End::Waited(wait));
    let always = |kind: fn() -> FaultKind, code: u8, wait: u64| (kind, None, End::Failed(code, wait));
    type Row = (fn() -> FaultKind, Option<u64>, End);
    let table: Vec<Row> = vec![
        // The API's errors, by number.
        always(|| FaultKind::Error(400), usage, 0),
        always(|| FaultKind::Error(401), machine, 0),
        always(|| FaultKind::Error(402), machine, 0),
        always(|| FaultKind::Error(403), machine, 0),
        always(|| FaultKind::Error(404), usage, 0),
        always(|| FaultKind::Error(405), machine, 0),
        always(|| FaultKind::Error(406), machine, 0),
        always(|| FaultKind::Error(407), usage, 0),
        always(|| FaultKind::Error(409), usage, 0),
        once(|| FaultKind::Error(500), 1),
        always(|| FaultKind::Error(500), machine, 31),
        once(|| FaultKind::Error(503), 1),
        always(|| FaultKind::Error(503), machine, 31),
        once(|| FaultKind::Throttle(None), 62),
        always(|| FaultKind::Throttle(None), machine, 3 * 62),
        always(|| FaultKind::Throttle(Some(46_472)), quota, 0),
        // The edge before it.
        once(|| FaultKind::Edge(403), 60),
        once(|| FaultKind::Edge(429), 60),
        always(|| FaultKind::Edge(429), machine, 60 + 120 + 240),
        once(|| FaultKind::Edge(500), 1),
        once(|| FaultKind::Edge(502), 1),
        once(|| FaultKind::Edge(503), 1),
        once(|| FaultKind::Edge(200), 1),
        always(|| FaultKind::Edge(200), machine, 31),
        always(|| FaultKind::Redirect("https://elsewhere.invalid/".into()), machine, 31),
        // Networks.
        once(|| FaultKind::DropBefore, 1),
        once(|| FaultKind::DropAfter, 1),
        once(|| FaultKind::BreakOff, 1),
        once(|| FaultKind::TruncatedGzip, 1),
        once(|| FaultKind::TruncatedPlain, 1),
        once(|| FaultKind::Empty, 1),
        once(|| FaultKind::Endless(80 << 20), 1),
        always(|| FaultKind::DropAfter, machine, 31),
        // Content.
        once(|| FaultKind::InvalidJson, 1),
        once(|| FaultKind::WrongShape, 1),
        once(|| FaultKind::InvalidUtf8, 1),
        once(|| FaultKind::Hollow, 0),
        once(|| FaultKind::Field("quota_remaining".into(), None), 0),
        once(|| FaultKind::Field("quota_remaining".into(), Some("many".into())), 0),
        once(|| FaultKind::Field("backoff".into(), Some(9.5.into())), 12),
    ];
    for (kind, times, expected) in table {
        let (end, lab) = meet(kind(), times);
        let case = format!("{:?}, {times:?}", kind());
        assert_eq!(end, expected, "{case}");
        let kept = lab.files().iter().filter(|file| file.starts_with("errors/")).count();
        let pages = lab.files().iter().filter(|file| file.starts_with("site=") && file.ends_with(".json.gz")).count();
        println!("{case}: {end:?}, {pages} pages, {kept} answers kept apart");
        // What stopped it is over: the same command goes on, and asks for nothing it has.
        lab.double.heal();
        if let End::Failed(code, _) = end {
            let asked = lab.double.requests().len();
            if code == quota {
                assert_eq!(lab.failure(&["questions"], lab.all()).kind, Failure::Quota);
                assert_eq!(lab.double.requests().len(), asked, "asked while there is no quota");
                lab.wait(46_472);
            }
            lab.read(&["questions"], lab.all()).unwrap();
            assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions), "{case}");
            assert_eq!(lab.double.requests().len() - asked, 2, "{case}: the first page of three is there");
        }
    }
}

#[test]
fn a_negative_quota_keeps_the_page_and_ends_the_reading() {
    let lab = Lab::new(World::made(7, 250));
    lab.double.fault(Fault::new(Match::Number(2), FaultKind::Field("quota_remaining".into(), Some((-1).into()))));
    let error = lab.failure(&["questions"], lab.all());
    assert_eq!((error.kind, error.kind.exit_code()), (Failure::Quota, 75));
    assert!(error.message.contains("there is more from"), "{}", error.message);
    assert_eq!(lab.state().sites.values().next().unwrap()["questions"].task.as_ref().unwrap().pages, 2);
}

#[test]
fn a_quota_that_runs_out_is_waited_for_by_the_next_call_and_nothing_is_asked_twice() {
    let lab = Lab::with(Options { anonymous_quota: 3, ..Options::default() }, World::made(7, 550));
    assert_eq!(lab.failure(&["questions"], lab.all()).kind, Failure::Quota);
    assert_eq!(lab.double.requests().len(), 3);
    let until = lab.state().quota.unwrap().until.unwrap();
    let now = lab.double.world().now;
    lab.wait(u64::try_from(until.as_second() - now).unwrap());
    lab.double.quota(100);
    lab.read(&["questions"], lab.all()).unwrap();
    assert_eq!(lab.double.requests().len(), 6);
    assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions));
}

#[test]
fn no_answer_at_all_is_told_with_what_to_do() {
    let lab = Lab::new(World::made(7, 10));
    lab.double.fault(Fault::new(Match::Any, FaultKind::DropBefore).always());
    let error = lab.failure(&["questions"], lab.all());
    assert!(
        error.message.starts_with("no usable answer of the API to `/questions`, asked 6 times"),
        "{}",
        error.message
    );
    let waits = lab.told.lock().unwrap().iter().filter(|event| matches!(event, Event::Waiting { .. })).count();
    assert_eq!(waits, 5);
    assert!(lab.state().sites.values().next().unwrap()["questions"].error.is_some());
    assert_eq!(lab.state().reader, None, "the right to read is given back");
}
