use std::sync::Arc;
use std::time::Duration;

use super::super::INTERVAL;
use super::*;
use crate::error::Kind;
use crate::names::Uri;
use crate::store::FileStore;
use crate::store::document;

fn lease(folder: &std::path::Path, what: &str, slots: u32) -> Lease {
    let me = Owner { who: what.into(), host: format!("host-of-{what}"), process: 1, ..Owner::default() };
    Lease::new(Arc::new(FileStore), Uri::from_path(folder).join("j-1.json"), slots, what, &me)
}

fn ours() -> Turn {
    Turn::Ours { beside: vec![], stale: vec![] }
}

fn position(turn: &Turn) -> usize {
    match turn {
        Turn::Ours { .. } => usize::MAX,
        Turn::Waiting { position, .. } => *position,
    }
}

/// Lets the claims of everybody run out.
async fn run_out(of: &Lease) {
    let (mut state, _) = document::read::<LeaseState>(&FileStore, &of.uri).await.unwrap().unwrap();
    for claim in state.holders.iter_mut().chain(&mut state.queue) {
        claim.until = Timestamp::UNIX_EPOCH;
    }
    FileStore.put(&of.uri, &document::json(&state).unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_queue_is_served_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|who| lease(folder.path(), who, 1));
    assert_eq!(a.take(LeaseMode::Once).await.unwrap(), ours());
    assert_eq!(a.take(LeaseMode::Once).await.unwrap(), ours());
    assert_eq!(position(&b.take(LeaseMode::Once).await.unwrap()), 0);
    assert_eq!(position(&b.take(LeaseMode::Queue).await.unwrap()), 1);
    assert_eq!(position(&c.take(LeaseMode::Queue).await.unwrap()), 2);
    assert_eq!(position(&b.take(LeaseMode::Queue).await.unwrap()), 1);
    a.release().await.unwrap();
    // It is b's turn, whoever asks first.
    assert_eq!(position(&c.take(LeaseMode::Queue).await.unwrap()), 2);
    assert_eq!(position(&b.take(LeaseMode::Queue).await.unwrap()), usize::MAX);
    assert!(a.renew().await.unwrap().is_some());
    assert_eq!(b.renew().await.unwrap(), None);
    b.release().await.unwrap();
    assert_eq!(position(&c.take(LeaseMode::Queue).await.unwrap()), usize::MAX);
    c.release().await.unwrap();
    assert_eq!(FileStore.get(&c.uri).await.unwrap(), None, "an unused lease leaves nothing");
}

#[tokio::test]
async fn force_puts_the_holder_out_who_is_told_by_whom_and_what_for() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 1));
    a.take(LeaseMode::Once).await.unwrap();
    assert_eq!(position(&b.take(LeaseMode::Force).await.unwrap()), usize::MAX);
    let loss = a.renew().await.unwrap().expect("it was taken");
    assert_eq!(loss, Loss { to: "b (process 1), by force".into(), forced: Some("b".into()) });
    let state = b.look().await.unwrap();
    assert_eq!((state.forced[0].from.what.as_str(), state.forced[0].by.who.as_str()), ("a", "b"));
    // It is noted until the one who was put out has left.
    b.release().await.unwrap();
    assert_eq!(b.look().await.unwrap().forced.len(), 1);
    a.release().await.unwrap();
    assert_eq!(FileStore.get(&a.uri).await.unwrap(), None);
}

#[tokio::test]
async fn several_may_hold_it_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|who| lease(folder.path(), who, 2));
    assert_eq!(a.take(LeaseMode::Once).await.unwrap(), ours());
    let Turn::Ours { beside, .. } = b.take(LeaseMode::Once).await.unwrap() else { panic!("two of two") };
    assert_eq!(beside[0].what, "a");
    let Turn::Waiting { holders, .. } = c.take(LeaseMode::Once).await.unwrap() else { panic!("three of two") };
    assert!(describe(&holders).starts_with("a by a (process 1) until "), "{}", describe(&holders));
}

#[tokio::test]
async fn what_ran_out_is_taken_over_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 1));
    a.take(LeaseMode::Once).await.unwrap();
    run_out(&a).await;
    let Turn::Ours { stale, .. } = b.take(LeaseMode::Once).await.unwrap() else { panic!("it was free") };
    assert_eq!(stale[0].what, "a");
}

#[tokio::test]
async fn whoever_leaves_clears_away_those_who_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|who| lease(folder.path(), who, 2));
    a.take(LeaseMode::Once).await.unwrap();
    b.take(LeaseMode::Once).await.unwrap();
    c.take(LeaseMode::Queue).await.unwrap();
    run_out(&a).await;
    assert_eq!(b.renew().await.unwrap(), None);
    b.release().await.unwrap();
    assert_eq!(FileStore.get(&b.uri).await.unwrap(), None, "a and c are silent for too long");
}

#[tokio::test(start_paused = true)]
async fn a_lease_in_care_outlasts_whatever_its_holder_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let a = lease(folder.path(), "a", 1);
    a.take(LeaseMode::Once).await.unwrap();
    let held = a.clone().hold();
    run_out(&a).await;
    // Packaging for ten minutes.
    for _ in 0..20 {
        tokio::time::sleep(INTERVAL).await;
    }
    assert!(a.look().await.unwrap().holders[0].until > Timestamp::now());
    assert_eq!(held.loss(), None);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_stopped_finds_out_before_it_does_anything() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 1));
    a.take(LeaseMode::Once).await.unwrap();
    let held = a.clone().hold();
    held.heartbeat.0.abort();
    held.ensure(false).await.unwrap();
    // Stopped for 97 seconds, in which someone else has come.
    tokio::time::advance(Duration::from_secs(97)).await;
    run_out(&a).await;
    assert_eq!(position(&b.take(LeaseMode::Once).await.unwrap()), usize::MAX);
    let error = held.ensure(false).await.unwrap_err();
    assert_eq!(error.kind, Kind::Held);
    assert!(error.detail.unwrap().starts_with("held by b by b (process 1) until "));
}

#[tokio::test]
async fn one_who_was_put_out_a_moment_ago_finds_out_when_it_asks_anew() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 1));
    a.take(LeaseMode::Once).await.unwrap();
    let held = a.hold();
    b.take(LeaseMode::Force).await.unwrap();
    assert_eq!(held.ensure(true).await.unwrap_err().detail.unwrap(), "held by b (process 1), by force");
}

#[tokio::test]
async fn whoever_ends_a_run_forgets_all_that_was_claimed_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 2));
    let again = Lease { me: Owner { process: 2, ..a.me.clone() }, ..a.clone() };
    a.take(LeaseMode::Once).await.unwrap();
    b.take(LeaseMode::Once).await.unwrap();
    again.forget().await.unwrap();
    let whats: Vec<String> = b.look().await.unwrap().holders.into_iter().map(|claim| claim.what).collect();
    assert_eq!(whats, ["b"]);
}

#[tokio::test]
async fn what_nobody_has_touched_for_an_hour_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|who| lease(folder.path(), who, 2));
    a.take(LeaseMode::Once).await.unwrap();
    let prefix = Uri::from_path(folder.path());
    let file = std::fs::File::options().write(true).open(a.uri.to_path().unwrap()).unwrap();
    for (hours, left) in [(0, 1), (2, 1)] {
        let then = std::time::SystemTime::now() - Duration::from_secs(hours * 3600);
        file.set_modified(then).unwrap();
        sweep(&FileStore, &prefix).await.unwrap();
        assert_eq!(FileStore.list(&prefix).await.unwrap().len(), left, "someone has it");
    }
    b.take(LeaseMode::Once).await.unwrap();
    run_out(&a).await;
    let file = std::fs::File::options().write(true).open(a.uri.to_path().unwrap()).unwrap();
    sweep(&FileStore, &prefix).await.unwrap();
    assert_eq!(FileStore.list(&prefix).await.unwrap().len(), 1, "it was touched just now");
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(2 * 3600)).unwrap();
    sweep(&FileStore, &prefix).await.unwrap();
    assert_eq!(FileStore.list(&prefix).await.unwrap(), []);
}

#[test]
fn claims_that_earlier_versions_have_written_are_read() {
    let owner = r#"{"who":"anna@laptop","host":"laptop","process":7,"started":5,"space":"boot pid"}"#;
    let until = r#""until":"2026-11-22T03:00:00Z""#;
    // Of a run's record, of a lease, of the reading of the API.
    for (text, what, since) in [
        (format!(r#"{{"owner":{owner},{until}}}"#), "", 0),
        (
            format!(r#"{{"what":"cluster down","owner":{owner},"since":"1970-01-01T00:00:02Z",{until}}}"#),
            "cluster down",
            2,
        ),
        (format!(r#"{{"owner":{owner},"since":"1970-01-01T00:00:02Z",{until}}}"#), "", 2),
    ] {
        let claim: Claim = serde_json::from_str(&text).unwrap();
        assert_eq!((claim.what.as_str(), claim.since.as_second(), claim.owner.process), (what, since, 7));
        assert_eq!(claim.until.to_string(), "2026-11-22T03:00:00Z");
    }
}
