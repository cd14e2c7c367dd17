//! Publishers at the same time.

use std::sync::{Arc, Mutex, mpsc};

use jiff::SignedDuration;
use soflow::error::{Error, Kind, Result};
use soflow::plan::Version;
use tokio::task::JoinHandle;

use super::lab::{Lab, monthly, whole};
use crate::twin::{Act, Call, Fault, FaultKind, Moment, Twin};

#[test]
fn of_sixteen_publishers_of_the_same_index_exactly_one_wins() {
    let lab = Lab::new("race");
    lab.run(async {
        let seen = lab.catalog().await.index().await.unwrap();
        let mut racing = Vec::new();
        for number in 1..=16 {
            let (catalog, seen) = (lab.catalog().await, seen.clone());
            racing.push(tokio::spawn(async move {
                let run = format!("daily.2026-11-22.{number}");
                let versions = [monthly("questions", &run, &[("2026-10", &run)]), whole("tags", &run)];
                (run.clone(), catalog.publish(&seen, &versions).await)
            }));
        }
        let mut winners = Vec::new();
        for publisher in racing {
            match publisher.await.unwrap() {
                (run, Ok(None)) => winners.push(run),
                (_, Ok(Some(error))) => panic!("{error}: {:?}", error.causes()),
                (_, Err(error)) => assert_eq!(error.kind, Kind::Held, "{error}: {:?}", error.causes()),
            }
        }
        let index = lab.must_agree("after the race").await;
        assert_eq!(index.generation, 1);
        let current: Vec<String> = index.tables.values().map(|entry| entry.current.to_string()).collect();
        assert_eq!((winners.len(), current), (1, vec![winners[0].clone(); 2]));
    });
}

#[test]
fn publishers_that_start_again_all_get_in_and_glue_shows_the_last() {
    let lab = Lab::new("race-again");
    lab.run(async {
        let mut racing = Vec::new();
        for number in 1..=6 {
            let catalog = Arc::new(lab.catalog().await);
            racing.push(tokio::spawn(async move {
                let run = format!("daily.2026-11-22.{number}");
                loop {
                    let seen = catalog.index().await.unwrap();
                    let months = [("2026-09", run.as_str()), (run.as_str(), run.as_str())];
                    match catalog.publish(&seen, &[monthly("questions", &run, &months)]).await {
                        Ok(unshown) => {
                            assert!(unshown.is_none(), "{unshown:?}");
                            break;
                        }
                        Err(error) => assert_eq!(error.kind, Kind::Held, "{error}: {:?}", error.causes()),
                    }
                }
            }));
        }
        for publisher in racing {
            publisher.await.unwrap();
        }
        assert_eq!(lab.must_agree("after all").await.generation, 6);
    });
}

/// Publishes on top of what is there, in the background, by a clock that is so much ahead.
async fn publishing(lab: &Lab, version: Version, later: SignedDuration) -> JoinHandle<Result<Option<Error>>> {
    let catalog = lab.catalog_of(&lab.curated, later).await;
    let seen = catalog.index().await.unwrap();
    tokio::spawn(async move { catalog.publish(&seen, &[version]).await })
}

/// Publishes and holds the next such call back until it is told to go on; returns when it has arrived.
async fn held_at(
    lab: &Lab,
    operation: &'static str,
    version: Version,
) -> (JoinHandle<Result<Option<Error>>>, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel::<()>();
    let told = Mutex::new(Some(told));
    lab.twin.kill_hook(move |call: &Call, moment| {
        if call.operation == operation && moment == Moment::Before {
            let told = told.lock().unwrap().take();
            let _ = told.map(|told| told.recv());
        }
        Act::Go
    });
    lab.twin.reset_calls();
    let slow = publishing(lab, version, SignedDuration::ZERO).await;
    lab.twin.until("the first writes to Glue", |twin| times(twin, operation) == 1);
    (slow, tell)
}

fn times(twin: &Twin, operation: &str) -> usize {
    twin.calls_of("glue", operation).len()
}

#[test]
fn nobody_writes_to_glue_while_someone_else_does() {
    let lab = Lab::new("race-turn");
    lab.run(async {
        lab.publish(&[whole("tags", "daily.2026-11-21.1")]).await;
        let (slow, go_on) = held_at(&lab, "UpdateTable", whole("tags", "daily.2026-11-22.1")).await;
        let before = lab.twin.calls().len();
        let next = publishing(&lab, whole("tags", "daily.2026-11-23.1"), SignedDuration::ZERO).await;
        let looks = |call: &&Call| call.operation == "GetObject" && call.detail.ends_with("catalog.json");
        lab.twin.until("the second waits", |twin| twin.calls()[before..].iter().filter(looks).count() >= 4);
        assert_eq!((times(&lab.twin, "GetTable"), times(&lab.twin, "UpdateTable")), (1, 1));
        go_on.send(()).unwrap();
        slow.await.unwrap().unwrap();
        next.await.unwrap().unwrap();
        assert_eq!(lab.must_agree("after both").await.generation, 3);
    });
}

#[test]
fn a_writer_that_slept_longer_than_its_turn_puts_right_what_it_overwrote() {
    let lab = Lab::new("race-asleep");
    lab.run(async {
        lab.publish(&[whole("tags", "daily.2026-11-21.1")]).await;
        let (slow, wake) = held_at(&lab, "UpdateTable", whole("tags", "daily.2026-11-22.1")).await;
        let next = publishing(&lab, whole("tags", "daily.2026-11-23.1"), SignedDuration::from_mins(2)).await;
        next.await.unwrap().unwrap();
        assert_eq!(lab.table("tags")["Parameters"]["soflow.run"], "daily.2026-11-23.1");
        wake.send(()).unwrap();
        slow.await.unwrap().unwrap();
        assert_eq!(lab.must_agree("after it woke").await.generation, 3);
    });
}

#[test]
fn what_a_writer_that_slept_left_half_done_is_shown_anew() {
    let lab = Lab::new("race-half");
    lab.run(async {
        let (first, second, third) = ("daily.2026-11-21.1", "daily.2026-11-22.1", "daily.2026-11-23.1");
        lab.publish(&[monthly("questions", first, &[("2026-09", first)])]).await;
        let months = [("2026-09", first), ("2026-10", second)];
        let (slow, wake) = held_at(&lab, "BatchCreatePartition", monthly("questions", second, &months)).await;
        let next = monthly("questions", third, &[("2026-09", third)]);
        publishing(&lab, next, SignedDuration::from_mins(2)).await.await.unwrap().unwrap();
        lab.twin.fault(Fault::new("glue", "UpdateTable", FaultKind::AccessDenied));
        wake.send(()).unwrap();
        assert!(slow.await.unwrap().unwrap().is_some(), "Glue shows what it refused");
        assert_eq!(lab.places("questions").len(), 2, "the partition that came too late");
        lab.catalog().await.settle().await.unwrap();
        lab.must_agree("after settling").await;
    });
}
