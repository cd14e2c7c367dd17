//! Items, pages, sorts and bounds.

use crate::stackexchange::{Double, Kind, World};
use crate::stackexchange_checks::client::get;

/// Five questions: ids 1 to 5, created at 10 to 50, last active at 90, 80, 70, 70, 60.
fn five() -> World {
    let mut world = World::empty(1000);
    for (id, active) in [(1, 90), (2, 80), (3, 70), (4, 70), (5, 60)] {
        world.insert(
            Kind::Questions,
            serde_json::json!({ "question_id": id, "creation_date": id * 10, "last_activity_date": active, "score": id % 2,
                "tags": if id == 2 { vec!["c#", "java"] } else { vec!["java"] }, "body": "<p>text</p>" }),
        );
    }
    world
}

#[test]
fn pages_follow_each_other_in_the_order_that_was_asked_for() {
    let double = Double::new(five());
    let ids = |path: &str| get(&double, path).all("question_id");
    assert_eq!(ids("/questions"), [1, 2, 4, 3, 5], "by activity, the latest first; ties by id");
    assert_eq!(ids("/questions?order=asc"), [5, 3, 4, 2, 1]);
    assert_eq!(ids("/questions?sort=creation&order=asc&pagesize=2&page=2"), [3, 4]);
    assert_eq!(ids("/questions?sort=votes"), [5, 3, 1, 4, 2]);
    assert_eq!(get(&double, "/questions?pagesize=3&page=1").json()["has_more"], true);
    assert_eq!(get(&double, "/questions?pagesize=5&page=1").json()["has_more"], false);
    assert_eq!(ids("/questions?pagesize=5&page=2"), [0; 0]);
}

#[test]
fn posts_of_one_second_are_in_the_order_of_their_ids() {
    let mut world = World::empty(1000);
    for (kind, id) in [(Kind::Questions, 2), (Kind::Questions, 4), (Kind::Answers, 1), (Kind::Answers, 3)] {
        world.insert(kind, serde_json::json!({ kind.identity(): id, "creation_date": 7, "last_activity_date": 7 }));
    }
    let double = Double::new(world);
    assert_eq!(get(&double, "/posts?order=asc").all("post_id"), [1, 2, 3, 4]);
    assert_eq!(get(&double, "/posts?pagesize=2&page=2").all("post_id"), [2, 1]);
}

#[test]
fn bounds_are_inclusive_and_follow_the_sort_while_dates_follow_the_creation() {
    let double = Double::new(five());
    let ids = |query: &str| get(&double, &format!("/questions?order=asc&{query}")).all("question_id");
    assert_eq!(ids("sort=activity&min=70&max=80"), [3, 4, 2]);
    assert_eq!(ids("sort=creation&min=20&max=30"), [2, 3]);
    assert_eq!(ids("sort=activity&fromdate=20&todate=30"), [3, 2]);
    assert_eq!(ids("tagged=java;c%23"), [2]);
}
