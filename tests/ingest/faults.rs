//! Everything that the API, the edge before it and networks answer: what is waited for, and how it ends.

use soflow::error::Kind as Failure;
use soflow::event::Event;

use crate::ingest::lab::Lab;
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

/// A lab whose questions are asked for with a filter.
fn filtered(filter: &str) -> Lab {
    let features = crate::stackexchange::Features::default();
    let filters = [("!short".to_string(), features)].into();
    let mut lab = Lab::with(Options { filters, ..Options::default() }, World::made(7, 450));
    lab.filters.insert("questions".into(), filter.into());
    lab
}

#[test]
fn a_filter_without_what_reading_on_needs_is_refused_by_name() {
    for (filter, field) in [("!short", "has_more"), ("total", "items")] {
        let lab = filtered(filter);
        if filter == "!short" {
            lab.double.fault(Fault::new(Match::Any, FaultKind::Field("has_more".into(), None)).always());
        }
        let error = lab.failure(&["questions"], lab.all());
        assert_eq!(error.kind, Failure::Usage, "{error}");
        let message = format!("the filter `{filter}` of `/questions` leaves `{field}` out");
        assert!(error.message.starts_with(&message), "{error}");
        assert!(error.hints.iter().any(|hint| hint.contains(&format!("include=.{field}"))), "{:?}", error.hints);
        assert!(error.hints.iter().any(|hint| hint.contains("ingest.filters.questions")), "{:?}", error.hints);
        assert_eq!(lab.double.requests().len(), 1, "asking again is of no use");
        assert_eq!(lab.state().sites["stackoverflow"]["questions"].read.end(), None, "it counts as read");
        assert_eq!(lab.items("questions").len(), 0);
    }
}

#[test]
fn a_page_without_what_it_must_have_is_asked_for_again_when_no_filter_did_it() {
    let without = || FaultKind::Field("has_more".into(), None);
    assert_eq!(meet(without(), Some(1)).0, End::Waited(1));
    assert_eq!(meet(without(), None).0, End::Failed(Failure::Machine.exit_code(), 31));
}

#[test]
fn a_filter_without_ids_is_refused_by_name() {
    let lab = filtered("!short");
    let nameless = serde_json::json!([{ "title": "a", "last_activity_date": 1_700_000_000 }]);
    lab.double.fault(Fault::new(Match::Any, FaultKind::Field("items".into(), Some(nameless))).always());
    let error = lab.failure(&["questions"], lab.all());
    assert!(error.message.starts_with("the filter `!short` of `/questions` leaves `question_id` out"), "{error}");
    assert!(error.hints.iter().any(|hint| hint.contains("include=question.question_id")), "{:?}", error.hints);
}

#[test]
fn a_second_that_says_for_ever_that_there_is_more_is_an_error_that_names_it() {
    let mut world = World::made(7, 20);
    let second = world.now - 5_000;
    world.crowd(Kind::Questions, second, 150);
    let lab = Lab::new(world);
    lab.double.fault(Fault::new(Match::Any, FaultKind::Field("has_more".into(), Some(true.into()))).always());
    let error = lab.failure(&["questions"], lab.all());
    assert_eq!(error.kind, Failure::Machine, "{error}");
    assert!(error.message.contains("`/questions` cannot be read to its end: "), "{error}");
    assert!(error.message.contains("says that there is more"), "{error}");
    assert!(lab.double.requests().len() < 20, "{} requests", lab.double.requests().len());
}

#[test]
fn pages_that_went_missing_from_raw_or_lost_bytes_there_are_read_again() {
    for bytes in [None, Some(0), Some(99)] {
        let lab = Lab::new(World::made(7, 450));
        lab.double.fault(Fault::new(Match::Number(4), FaultKind::Error(400)));
        lab.failure(&["questions"], lab.all());
        let first = lab.files().into_iter().find(|file| file.ends_with("000001.json.gz")).unwrap();
        let first = lab.raw.to_path().unwrap().join(first);
        match bytes {
            Some(bytes) => fs_err::OpenOptions::new().write(true).open(&first).unwrap().set_len(bytes).unwrap(),
            None => fs_err::remove_file(&first).unwrap(),
        }
        lab.read(&["questions"], lab.all()).unwrap();
        assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions), "{bytes:?}");
    }
}
