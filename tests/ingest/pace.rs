//! Politeness: what the API asks for is kept to, also by the next process; and what must stay secret stays so.

use std::sync::Arc;
use std::time::Duration;

use soflow::error::Kind as Failure;
use soflow::ingest::api::state::Book;
use soflow::store::{FileStore, Owner};

use crate::crash::process::{Death, DyingStore, Process};
use crate::ingest::lab::{Lab, runtime};
use crate::stackexchange::{Encoding, Kind, Options, World};

#[test]
fn a_backoff_is_kept_to_and_its_page_is_kept() {
    let options = Options { backoff_every: Some(2), backoff_seconds: 10, ..Options::default() };
    let lab = Lab::with(options, World::made(7, 450));
    lab.read(&["questions", "answers"], lab.all()).unwrap();
    assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions));
    assert!(lab.double.requests().iter().all(|asked| asked.status == 200), "a backoff was violated");
    assert_eq!(lab.double.requests().len(), 10, "no page was asked for twice");
    let long = lab.clock.slept.lock().unwrap().iter().filter(|nap| **nap >= Duration::from_secs(11)).count();
    assert!(long >= 4, "only {long} waits");
}

#[test]
fn a_backoff_outlives_the_process_that_was_given_it() {
    let options = Options { backoff_every: Some(1), backoff_seconds: 600, ..Options::default() };
    let lab = Lab::with(options, World::made(7, 250));
    // Dies when it has stored the first page and its state.
    let request = lab.request(&["questions"], lab.all());
    lab.read_through(Arc::new(DyingStore(Process::dying(5, Death::Before))), &request).unwrap_err();
    lab.read(&["questions"], lab.all()).unwrap();
    assert!(lab.double.requests().iter().all(|asked| asked.status == 200), "the backoff was forgotten");
}

#[test]
fn no_more_than_thirty_requests_a_second() {
    let lab =
        Lab::with(Options { rate_limit: true, anonymous_quota: 1_000, ..Options::default() }, World::made(7, 6_000));
    lab.read(&["questions"], lab.all()).unwrap();
    assert!(lab.double.requests().iter().all(|asked| asked.status == 200), "banned");
}

#[test]
fn every_encoding_is_read() {
    for encoding in [Encoding::Gzip, Encoding::Unnamed, Encoding::Plain] {
        let lab = Lab::with(Options { encoding, ..Options::default() }, World::made(7, 150));
        lab.read(&["questions"], lab.all()).unwrap();
        assert_eq!(lab.ids(Kind::Questions), lab.double.world().ids(Kind::Questions), "{encoding:?}");
    }
}

#[test]
fn a_second_reader_is_told_who_the_first_one_is() {
    let lab = Lab::new(World::made(7, 150));
    let other = Owner { who: "anna@elsewhere".into(), host: "elsewhere".into(), ..Owner::me("x", "y") };
    let first = runtime().block_on(Book::take(Arc::new(FileStore), &lab.artifacts, &other, false)).unwrap();
    let error = lab.failure(&["questions"], lab.all());
    assert_eq!((error.kind, lab.double.requests().len()), (Failure::Held, 0));
    assert!(error.message.contains("anna@elsewhere"), "{}", error.message);
    runtime().block_on(first.close()).unwrap();
    lab.read(&["questions"], lab.all()).unwrap();
}

#[test]
fn a_key_is_sent_in_a_header_and_stands_nowhere() {
    const KEY: &str = "s3cr3t-key((";
    for in_query in [false, true] {
        let options = Options { key: Some(KEY.into()), query_auth: in_query, ..Options::default() };
        let mut lab = Lab::with(options, World::made(7, 150));
        (lab.key, lab.in_query) = (Some(KEY), in_query);
        lab.read(&["questions"], lab.all()).unwrap();
        lab.double.fault(
            crate::stackexchange::Fault::new(
                crate::stackexchange::Match::Any,
                crate::stackexchange::FaultKind::DropBefore,
            )
            .always(),
        );
        let error = lab.failure(&["answers"], lab.all());
        let shown = format!("{error:?} {:?} {:?}", lab.told.lock().unwrap(), lab.state());
        assert!(!shown.contains(KEY), "{shown}");
        let url_has_it = lab.double.requests().iter().any(|asked| asked.param("key").is_some());
        assert_eq!(url_has_it, in_query);
        assert_eq!(lab.double.requests()[0].header("authorization").is_none(), in_query);
        let quota = lab.state().quota.unwrap();
        assert_eq!((quota.counted.as_str(), quota.max), ("key", Some(10_000)));
        for file in lab.files() {
            let bytes = fs_err::read(lab.raw.to_path().unwrap().join(&file)).unwrap();
            assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{file}");
        }
    }
}
