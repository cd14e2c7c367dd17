//! Methods, filters, wrappers and refusals.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stackexchange::{Double, Features, Kind, Options, World};
use crate::stackexchange_checks::client::{get, send};

/// One question with an answer, and a comment on each.
fn thread() -> World {
    let mut world = World::empty(1000);
    let dates = |id: i64| json!({ "creation_date": id, "last_activity_date": id, "score": 0, "body": "<p>text</p>" });
    for (kind, field, id, more) in [
        (Kind::Questions, "question_id", 1, json!({ "tags": ["rust"], "title": "Why?" })),
        (Kind::Answers, "answer_id", 2, json!({ "question_id": 1 })),
        (Kind::Comments, "comment_id", 3, json!({ "post_id": 1 })),
        (Kind::Comments, "comment_id", 4, json!({ "post_id": 2 })),
    ] {
        let mut item = dates(id);
        item[field] = json!(id);
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.insert(kind, item);
    }
    world
}

#[test]
fn each_method_shows_the_items_it_is_about() {
    let double = Double::new(thread());
    let all = |path: &str, field: &str| get(&double, path).all(field);
    assert_eq!(all("/questions/1;7/answers", "answer_id"), [2]);
    assert_eq!(all("/questions/7/answers", "answer_id"), [0; 0]);
    assert_eq!(all("/questions/1/comments", "comment_id"), [3]);
    assert_eq!(all("/answers/2%3B9/comments", "comment_id"), [4]);
    assert_eq!(all("/comments/", "comment_id"), [4, 3]);
    assert_eq!(all("/posts", "post_id"), [2, 1]);
    assert_eq!(get(&double, "/posts").json()["items"][0]["post_type"], "answer");
    assert_eq!(get(&double, "/info").json()["items"][0]["total_comments"], 2);
    assert_eq!(
        send(&double, "/sites?pagesize=1000&filter=!x", &[]).unwrap().json()["items"][0]["name"],
        "stackoverflow"
    );
    let made = Double::new(World::made(1, 50));
    assert_eq!(get(&made, "/users/101").all("user_id"), [101]);
    assert_eq!(get(&made, "/tags/synonyms").json()["items"][0]["from_tag"], "csharp");
    let names = get(&made, "/tags?sort=name&order=asc&min=c&max=javb").json();
    assert_eq!(
        names["items"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect::<Vec<_>>(),
        ["c#", "c++", "java"]
    );
}

#[test]
fn a_filter_decides_what_is_shown() {
    let features = Features { bodies: true, answers: true, comments: true, total: true };
    let filters = BTreeMap::from([("!threads".to_string(), features)]);
    let double = Double::with(Options { filters, ..Options::default() }, thread());
    let json = |path: &str| get(&double, path).json();
    assert_eq!(json("/comments")["items"][0]["body"], Value::Null);
    assert_eq!(json("/comments?filter=withbody")["items"][0]["body"], "<p>text</p>");
    assert_eq!(json("/comments?filter=total"), json!({ "total": 2 }));
    assert_eq!(json("/comments?filter=none"), json!({}));
    let question = &json("/questions?filter=!threads")["items"][0];
    assert_eq!(question["comments"][0]["comment_id"], 3);
    assert_eq!(question["answers"][0]["comments"][0]["body"], "<p>text</p>");
    assert_eq!(json("/questions?filter=!threads")["total"], 1);
    assert_eq!(json("/questions?filter=!other")["error_message"], "Invalid filter specified");
}

#[test]
fn a_wrapper_is_one_line_of_json_in_gzip_whether_asked_for_or_not() {
    let double = Double::new(thread());
    let answer = get(&double, "/answers");
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let wrapper = answer.json();
    let fields: Vec<_> = wrapper.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["items", "has_more", "quota_max", "quota_remaining"]);
}

#[test]
fn what_cannot_be_answered_is_refused_in_the_api_s_words() {
    let double = Double::new(thread());
    let cases = [
        ("/questions", 400, "site is required"),
        ("/questions?site=elsewhere", 400, "No site found for name `elsewhere`"),
        ("/questions?site=stackoverflow&pagesize=101", 400, "pagesize"),
        ("/questions?site=stackoverflow&page=0", 400, "page"),
        ("/questions?site=stackoverflow&sort=hot&min=1", 400, "min"),
        ("/comments?site=stackoverflow&sort=activity", 400, "sort"),
        ("/comments?site=stackoverflow&order=up", 400, "order"),
        ("/comments?site=stackoverflow&fromdate=yesterday", 400, "fromdate"),
        ("/questions/a?site=stackoverflow", 404, "no method found with this name"),
        ("/questions/1;b?site=stackoverflow", 404, "no method found with this name"),
        ("/nothing?site=stackoverflow", 404, "no method found with this name"),
        ("/errors/503", 503, "the API is temporarily unavailable"),
        ("/errors/1", 400, "id"),
        ("/filters/create", 403, "filters are named when the double starts"),
    ];
    for (path, id, message) in cases {
        let answer = send(&double, path, &[]).unwrap();
        let said = answer.json();
        assert_eq!(
            (answer.status, &said["error_id"], &said["error_message"]),
            (400, &json!(id), &json!(message)),
            "{path}"
        );
    }
    let ids = ["1"; 101].join(";");
    assert_eq!(get(&double, &format!("/questions/{ids}")).json()["error_message"], "ids");
}
