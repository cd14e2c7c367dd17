//! Keys, quota, backoff, the limit per second and the cache.

use serde_json::json;

use crate::stackexchange::{Double, Kind, Options, World};
use crate::stackexchange_checks::client::{get, send};

/// 2024-01-01T12:00:00Z: half a day is left.
const NOON: i64 = 1_704_110_400;

fn world() -> World {
    let mut world = World::empty(NOON);
    world.crowd(Kind::Answers, NOON - 60, 3);
    world
}

#[test]
fn a_key_or_a_token_has_a_quota_of_its_own_and_an_unknown_one_is_refused() {
    let options = Options { key: Some("k".into()), token: Some("t".into()), ..Options::default() };
    let double = Double::with(options, world());
    let with = |bearer: &str| {
        let header = format!("Bearer {bearer}");
        send(&double, "/answers?site=stackoverflow", &[("Authorization", &header)]).unwrap().json()
    };
    assert_eq!((&with("k")["quota_max"], &with("k")["quota_remaining"]), (&json!(10_000), &json!(9998)));
    assert_eq!(with("t")["quota_remaining"], 9999);
    assert_eq!(with("x")["error_message"], "`key` is not valid");
    assert_eq!(get(&double, "/answers?key=k").json()["quota_max"], 300, "a key in the query means nothing");
    let asked = double.requests().pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.param("key"), asked.items), ("/answers", Some("k"), 3));

    let double = Double::with(Options { key: Some("k".into()), query_auth: true, ..Options::default() }, world());
    assert_eq!(get(&double, "/answers?key=k").json()["quota_max"], 10_000);
    assert_eq!(get(&double, "/answers?key=x").json()["error_message"], "`key` is not valid");
    assert_eq!(get(&double, "/answers?access_token=x").json()["error_id"], 402);
}

#[test]
fn page_26_needs_a_key() {
    let double = Double::with(Options { key: Some("k".into()), ..Options::default() }, world());
    assert_eq!(get(&double, "/answers?page=25").json()["has_more"], false);
    let denied = get(&double, "/answers?page=26");
    assert_eq!((denied.status, &denied.json()["error_id"]), (400, &json!(403)));
    let path = "/answers?page=26&site=stackoverflow";
    assert_eq!(send(&double, path, &[("authorization", "Bearer k")]).unwrap().status, 200);
}

#[test]
fn the_quota_ends_and_is_full_again_the_next_day() {
    let double = Double::with(Options { anonymous_quota: 2, ..Options::default() }, world());
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 1);
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 0);
    let refused = get(&double, "/answers");
    let words = "too many requests from this IP, more requests available in 43200 seconds";
    assert_eq!((refused.status, &refused.json()["error_message"]), (400, &json!(words)));
    assert_eq!(refused.header("content-encoding"), None, "an early error comes as it is");
    double.world().now += 43_200;
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 1);
    double.quota(500);
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 499);
    double.world().now += 86_400;
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 1, "the options' quota");

    let double = Double::with(Options { anonymous_quota: 0, overdraft: 1, ..Options::default() }, world());
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], -1);
    assert_eq!(get(&double, "/answers").json()["error_id"], 502);
}

#[test]
fn whoever_comes_back_before_a_backoff_is_over_is_refused() {
    let double = Double::with(Options { backoff_every: Some(2), ..Options::default() }, world());
    assert_eq!(get(&double, "/questions/1").json()["backoff"], json!(null));
    assert_eq!(get(&double, "/questions/1").json()["backoff"], 10);
    double.world().now += 9;
    let violation = get(&double, "/questions/2").json();
    assert_eq!(
        (&violation["error_id"], &violation["error_message"]),
        (&json!(502), &json!("Violation of backoff parameter"))
    );
    assert_eq!(get(&double, "/answers").status, 200, "another method");
    double.world().now += 1;
    assert_eq!(get(&double, "/questions/2").status, 200);
}

#[test]
fn more_than_thirty_requests_within_a_second_get_a_page_for_people() {
    let double = Double::with(Options { rate_limit: true, ban_seconds: 5, ..Options::default() }, world());
    for _ in 0..30 {
        assert_eq!(get(&double, "/answers").status, 200);
    }
    let banned = get(&double, "/answers");
    assert_eq!((banned.status, banned.header("content-type")), (429, Some("text/html; charset=utf-8")));
    double.world().now += 4;
    assert_eq!(get(&double, "/answers").status, 429);
    double.world().now += 1;
    assert_eq!(get(&double, "/answers").json()["quota_remaining"], 269, "those banned cost nothing");
}

#[test]
fn the_same_request_gets_the_same_items_for_a_minute() {
    let double = Double::with(Options { cache: true, ..Options::default() }, world());
    let count = |path: &str| get(&double, path).json()["items"].as_array().unwrap().len();
    assert_eq!(count("/answers"), 3);
    double.world().crowd(Kind::Answers, NOON, 1);
    double.world().now += 59;
    assert_eq!(count("/answers"), 3);
    assert_eq!(count("/answers?order=asc"), 4, "another request");
    double.world().now += 1;
    assert_eq!(count("/answers"), 4);
}

#[test]
fn time_passes_by_itself_when_it_may() {
    let began = std::time::Instant::now();
    let double = Double::with(Options { real_time: true, ..Options::default() }, world());
    // It takes a second at most. If it never happened, the quota would end.
    double.quota(100_000);
    while double.world().now == NOON {
        assert_eq!(get(&double, "/answers").status, 200);
        double.forget();
    }
    assert!((0..3).all(|_| get(&double, "/answers").status == 200));
    let passed = double.world().now - NOON;
    assert!(passed <= began.elapsed().as_secs() as i64, "{passed} seconds have passed in the world");
}
