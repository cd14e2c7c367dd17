//! What is asked for, how often, and what of it arrives.

use std::path::PathBuf;

use soflow::error::Kind as Failure;
use soflow::ingest::api::Span;

use crate::ingest::lab::Lab;
use crate::stackexchange::{Fault, FaultKind, Features, Kind, Match, Options, World};

const THREE: [Kind; 3] = [Kind::Questions, Kind::Answers, Kind::Comments];
const NAMES: [&str; 3] = ["questions", "answers", "comments"];

#[test]
fn everything_arrives_in_as_few_requests_as_there_can_be() {
    let lab = Lab::new(World::made(7, 730));
    let summary = lab.read(&NAMES, lab.all()).unwrap();
    for kind in THREE {
        assert_eq!(lab.ids(kind), lab.double.world().ids(kind), "{kind:?}");
    }
    assert_eq!(summary.pages() as usize, lab.double.requests().len());
    assert_eq!(lab.double.requests().len(), 3 * 8, "730 items are 8 pages");
    assert!(lab.double.requests().iter().all(|asked| asked.param("page").is_none()));
    assert_eq!(lab.state().reader, None);
}

#[test]
fn what_was_read_is_not_asked_for_again_unless_it_is_wanted() {
    let lab = Lab::new(World::made(7, 150));
    lab.read(&NAMES, lab.all()).unwrap();
    lab.double.forget();
    let until = lab.clock_second() - 400;
    let summary = lab.read(&NAMES, Span::Between(0, until)).unwrap();
    assert_eq!((summary.pages(), lab.double.requests().len()), (0, 0));
    let mut again = lab.request(&["questions"], Span::Between(0, until));
    again.again = true;
    lab.read_through(std::sync::Arc::new(soflow::store::FileStore), &again).unwrap();
    assert_eq!(lab.double.requests().len(), 2);
}

#[test]
fn a_past_day_has_what_was_created_and_what_was_changed_last_in_it() {
    let mut world = World::made(7, 400);
    let (now, day) = (world.now, 86_400);
    let from = now - 20 * day;
    let created_in = |world: &World, id: i64| {
        let (_, item) = world.numbered(Kind::Questions).find(|(found, _)| *found == id).unwrap();
        (from..from + day).contains(&item["creation_date"].as_i64().unwrap())
    };
    let ids: Vec<i64> = world.ids(Kind::Questions).into_iter().collect();
    // One is changed within the day, one within and again later: that one belongs to the later day.
    world.touch(Kind::Questions, ids[0], from + 5);
    world.touch(Kind::Questions, ids[1], from + day + 5);
    world.crowd(Kind::Questions, from + 100, 150);
    let moved = world.crowd(Kind::Questions, from + 200, 3);
    for id in &moved {
        world.touch(Kind::Questions, *id, now - 10);
    }
    let lab = Lab::new(world);
    lab.read(&["questions"], Span::Between(from, from + day)).unwrap();
    let read = lab.ids(Kind::Questions);
    assert!(read.contains(&ids[0]) && !read.contains(&ids[1]));
    assert!(moved.iter().all(|id| read.contains(id)), "created that day, changed long after");
    let world = lab.double.world();
    assert!(world.ids(Kind::Questions).into_iter().filter(|id| created_in(&world, *id)).all(|id| read.contains(&id)));
}

#[test]
fn following_brings_what_is_new_and_what_was_changed() {
    let lab = Lab::new(World::made(7, 300));
    assert_eq!(lab.failure(&["questions"], Span::Follow).kind, Failure::Usage);
    lab.read(&["questions"], lab.all()).unwrap();
    let (old, new) = {
        let mut world = lab.double.world();
        world.now += 7_200;
        let now = world.now;
        let old = *world.ids(Kind::Questions).first().unwrap();
        world.touch(Kind::Questions, old, now - 5);
        (old, world.crowd(Kind::Questions, now - 60, 4))
    };
    lab.double.forget();
    let before = lab.items("questions").len();
    lab.read(&["questions"], Span::Follow).unwrap();
    assert_eq!(lab.double.requests().len(), 1);
    let fresh: Vec<i64> =
        lab.items("questions").iter().skip(before).map(|item| item["question_id"].as_i64().unwrap()).collect();
    let all = lab.ids(Kind::Questions);
    assert!(new.iter().all(|id| all.contains(id)));
    assert!(lab.items("questions").iter().filter(|item| item["question_id"] == old).count() == 2, "{fresh:?}");
}

#[test]
fn an_item_from_the_future_does_not_make_everything_before_it_count_as_read() {
    let mut world = World::made(7, 150);
    let (now, odd) = (world.now, *world.ids(Kind::Questions).first().unwrap());
    world.touch(Kind::Questions, odd, 1_000_000_000_000_000);
    let lab = Lab::new(world);
    lab.read(&["questions"], lab.all()).unwrap();
    assert!(lab.ids(Kind::Questions).contains(&odd));
    assert!(lab.state().sites["stackoverflow"]["questions"].read.end().unwrap() <= now);
    let fresh = lab.double.world().crowd(Kind::Questions, now + 60, 2);
    lab.wait(7_200);
    lab.read(&["questions"], Span::Follow).unwrap();
    assert!(fresh.iter().all(|id| lab.ids(Kind::Questions).contains(id)));
}

#[test]
fn answers_that_come_inside_their_questions_cost_nothing() {
    let features = Features { bodies: true, answers: true, comments: true, total: false };
    let filters = [("!threads".to_string(), features)].into();
    let mut lab = Lab::with(Options { filters, ..Options::default() }, World::made(7, 250));
    lab.filters.insert("questions".into(), "!threads".into());
    lab.read(&NAMES, lab.all()).unwrap();
    let methods: Vec<String> = lab.double.requests().into_iter().map(|asked| asked.method).collect();
    assert!(!methods.iter().any(|method| method == "/answers"), "{methods:?}");
    let nested = lab.items("answers").into_iter().filter_map(|question| question["answers"].as_array().cloned());
    let ids: std::collections::BTreeSet<i64> =
        nested.flatten().map(|answer| answer["answer_id"].as_i64().unwrap()).collect();
    assert_eq!(ids, lab.double.world().ids(Kind::Answers));
    lab.double.forget();
    lab.read(&["answers"], lab.all()).unwrap();
    assert_eq!(lab.double.requests().len(), 0, "they have been read");
}

#[test]
fn answers_of_a_day_long_past_are_asked_for_even_if_other_questions_came_with_theirs() {
    let features = Features { bodies: true, answers: true, comments: true, total: false };
    let filters = [("!threads".to_string(), features)].into();
    let mut lab = Lab::with(Options { filters, ..Options::default() }, World::made(7, 250));
    lab.filters.insert("questions".into(), "!threads".into());
    let now = lab.double.world().now;
    // Left unfinished: a window that reaches to now, and has questions with answers.
    let newest = *lab.double.world().ids(Kind::Questions).last().unwrap();
    lab.double.world().touch(Kind::Questions, newest, now - 500);
    lab.double.fault(Fault::new(Match::Number(1), FaultKind::Error(400)).times(1));
    lab.failure(&["questions"], Span::Between(now - 20 * 86_400, now - 400));
    lab.double.forget();
    lab.read(&NAMES, Span::Between(now - 40 * 86_400, now - 39 * 86_400)).unwrap();
    let methods: Vec<String> = lab.double.requests().into_iter().map(|asked| asked.method).collect();
    assert!(methods.iter().any(|method| method == "/answers"), "{methods:?}");
}

#[test]
fn tags_and_users_are_read_to_their_end() {
    let lab = Lab::new(World::made(7, 300));
    lab.read(&["tags", "users"], lab.all()).unwrap();
    let names: std::collections::BTreeSet<String> =
        lab.items("tags").iter().map(|tag| tag["name"].as_str().unwrap().to_string()).collect();
    let world = lab.double.world();
    let expected: std::collections::BTreeSet<String> =
        world.items(Kind::Tags).map(|tag| tag["name"].as_str().unwrap().to_string()).collect();
    assert_eq!(names, expected);
    drop(world);
    assert_eq!(lab.ids(Kind::Users), lab.double.world().ids(Kind::Users));
}

#[test]
fn the_manifest_says_what_was_asked_and_what_came() {
    let lab = Lab::new(World::made(7, 150));
    lab.read(&["questions"], lab.all()).unwrap();
    let manifest = lab.files().into_iter().find(|file| file.ends_with("_manifest.jsonl")).unwrap();
    let text = fs_err::read_to_string(lab.raw.to_path().unwrap().join(manifest)).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["method"], "/questions");
    assert_eq!(lines[0]["params"]["sort"], "activity");
    assert_eq!((&lines[0]["n_items"], &lines[1]["n_items"]), (&100.into(), &51.into()));
    assert_eq!(lines[1]["params"]["min"], lines[0]["watermark_after"].to_string());
    assert!(lines[1]["quota_remaining"].as_i64().unwrap() < 300);
}

#[test]
fn a_long_run_keeps_its_manifest_together() {
    let lab = Lab::with(Options { anonymous_quota: 1_000, ..Options::default() }, World::made(7, 12_000));
    lab.read(&["questions"], lab.all()).unwrap();
    let pages = lab.files().iter().filter(|file| file.ends_with(".json.gz")).count();
    assert!(pages > 120);
    assert!(!lab.files().iter().any(|file| file.contains("_lines")), "{:?}", lab.files());
    let manifest = lab.files().into_iter().find(|file| file.ends_with("_manifest.jsonl")).unwrap();
    let text = fs_err::read_to_string(lab.raw.to_path().unwrap().join(manifest)).unwrap();
    assert_eq!(text.lines().count(), pages);
    assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions));
}

#[test]
fn genuine_pages_arrive_with_one_request_more_than_there_are_pages() {
    let Some(data) = std::env::var_os("SOFLOW_REAL_DATA") else {
        println!("left out: SOFLOW_REAL_DATA names no folder of genuine pages");
        return;
    };
    let lab = Lab::new(World::from_pages(&PathBuf::from(data).join("stackoverflow-pages")));
    lab.read(&NAMES, lab.all()).unwrap();
    let mut least = 0;
    for kind in THREE {
        let ids = lab.double.world().ids(kind);
        assert_eq!(lab.ids(kind), ids, "{kind:?}");
        least += ids.len().div_ceil(100);
    }
    let asked = lab.double.requests().len();
    println!("{asked} requests for {least} pages");
    assert!(asked * 100 <= least * 102, "{asked} requests, {least} at least");
}

impl Lab {
    fn clock_second(&self) -> i64 {
        use soflow::ingest::api::Clock as _;
        self.clock.now().as_second()
    }
}
