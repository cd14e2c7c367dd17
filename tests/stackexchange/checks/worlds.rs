//! Worlds that are made, read, and change while somebody pages.

use std::path::PathBuf;

use serde_json::json;

use crate::stackexchange::{Double, Kind, World};
use crate::stackexchange_checks::client::get;

#[test]
fn the_same_seed_makes_the_same_world() {
    let shown = |seed| get(&Double::new(World::made(seed, 40)), "/questions?filter=withbody").json();
    assert_eq!(shown(3), shown(3));
    assert_ne!(shown(3), shown(4));
    let world = World::made(3, 40);
    for kind in [Kind::Questions, Kind::Answers, Kind::Comments] {
        assert_eq!(world.ids(kind).len(), 40, "{kind:?}");
        assert!(world.items(kind).all(|item| item["creation_date"].as_i64() < Some(world.now)), "{kind:?}");
    }
    assert!(world.ids(Kind::Questions).is_disjoint(&world.ids(Kind::Answers)), "both are posts");
}

#[test]
fn a_second_can_hold_more_items_than_a_page() {
    let mut world = World::made(3, 10);
    let (second, known) = (world.now - 5, world.ids(Kind::Questions));
    let crowd = world.crowd(Kind::Questions, second, 250);
    assert!(crowd.iter().all(|id| !known.contains(id) && !world.ids(Kind::Answers).contains(id)));
    let double = Double::new(world);
    let page = |page: i64| {
        let query = format!("/questions?sort=creation&order=asc&min={second}&max={second}&pagesize=100&page={page}");
        get(&double, &query).all("question_id")
    };
    assert_eq!([page(1), page(2), page(3)].concat(), crowd);
}

#[test]
fn items_arrive_change_and_vanish_while_somebody_pages() {
    let mut world = World::empty(1000);
    for id in 1..=4 {
        world.insert(
            Kind::Answers,
            json!({ "answer_id": id, "question_id": 9, "creation_date": id, "last_activity_date": id }),
        );
    }
    let double = Double::new(world);
    double.before(|world, number| match number {
        2 => world.touch(Kind::Answers, 1, 500),
        3 => drop(world.remove(Kind::Answers, 4)),
        4 => drop(world.crowd(Kind::Answers, 1000, 1)),
        _ => {}
    });
    let ids = || get(&double, "/answers?order=asc").all("answer_id");
    assert_eq!(ids(), [1, 2, 3, 4]);
    assert_eq!(ids(), [2, 3, 4, 1]);
    assert_eq!(ids(), [2, 3, 1]);
    assert_eq!(ids(), [2, 3, 1, 4]);
    assert_eq!(double.world().ids(Kind::Answers), [1, 2, 3, 4].into());
}

#[test]
fn genuine_pages_make_a_world() {
    let Some(folder) = std::env::var_os("SOFLOW_REAL_DATA").map(|data| PathBuf::from(data).join("stackoverflow-pages"))
    else {
        return println!("left out: SOFLOW_REAL_DATA does not say where genuine pages are");
    };
    let double = Double::new(World::from_pages(&folder));
    let total = |path: &str| get(&double, &format!("{path}?filter=total")).json()["total"].clone();
    assert_eq!([total("/questions"), total("/answers"), total("/comments")], [1238, 1956, 5381]);
    assert_eq!(get(&double, "/tags").json()["items"][0]["name"], "java");
    assert_eq!(get(&double, "/comments").json()["items"][0]["body"], json!(null));
    assert!(get(&double, "/comments?filter=withbody").json()["items"][0]["body"].is_string());
}
