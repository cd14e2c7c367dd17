//! Killed at any write, while items arrive, change and vanish: nothing is missed, and no page counts twice.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use soflow::ingest::api::Span;

use crate::crash::process::{DEATHS, Death, DyingStore, Process};
use crate::ingest::lab::{Lab, name};
use crate::stackexchange::{Kind, Options, World};

/// Every page of raw that counts, by its path without the run's own name.
fn counted(lab: &Lab) -> Vec<String> {
    lab.files().into_iter().filter(|file| file.starts_with("site=") && file.ends_with(".json.gz")).collect()
}

#[test]
fn killed_at_any_write_the_next_call_goes_on_without_a_gap_or_a_page_twice() {
    let reference = Lab::new(World::made(3, 430));
    let healthy = Process::healthy();
    let request = reference.request(&["questions", "comments"], reference.all());
    reference.read_through(Arc::new(DyingStore(healthy.clone())), &request).unwrap();
    let writes = healthy.writes.load(std::sync::atomic::Ordering::SeqCst);
    assert!(writes > 20, "only {writes} writes");
    for at in 1..=writes {
        for death in DEATHS {
            let lab = Lab::new(World::made(3, 430));
            let request = lab.request(&["questions", "comments"], lab.all());
            let process = Process::dying(at, death);
            lab.read_through(Arc::new(DyingStore(process)), &request).unwrap_err();
            lab.read(&["questions", "comments"], lab.all()).unwrap();
            for kind in [Kind::Questions, Kind::Comments] {
                assert_eq!(lab.ids(kind), lab.double.world().ids(kind), "write {at}, {death:?}");
            }
            assert_eq!(counted(&lab).len(), counted(&reference).len(), "write {at}, {death:?}");
            assert!(!lab.files().iter().any(|file| file.contains("_lines")));
        }
    }
    println!("{} deaths", writes * DEATHS.len() as u64);
}

#[derive(Clone, Debug)]
enum Change {
    Arrive(Kind),
    Touch(usize),
    Vanish(Kind, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let kind = prop_oneof![Just(Kind::Questions), Just(Kind::Answers), Just(Kind::Comments)];
    prop_oneof![
        kind.clone().prop_map(Change::Arrive),
        any::<usize>().prop_map(Change::Touch),
        (kind, any::<usize>()).prop_map(|(kind, at)| Change::Vanish(kind, at)),
    ]
}

fn happen(world: &mut World, change: &Change, stayed: &mut BTreeSet<(&'static str, i64)>) {
    world.now += 1;
    let now = world.now;
    let pick = |world: &World, kind: Kind, at: usize| {
        let ids: Vec<i64> = world.ids(kind).into_iter().collect();
        ids.get(at % ids.len().max(1)).copied()
    };
    match change {
        Change::Arrive(kind) => _ = world.crowd(*kind, now, 1),
        Change::Touch(at) => {
            for kind in [Kind::Questions, Kind::Answers] {
                if let Some(id) = pick(world, kind, *at) {
                    world.touch(kind, id, now);
                }
            }
        }
        Change::Vanish(kind, at) => {
            if let Some(id) = pick(world, *kind, *at) {
                world.remove(*kind, id);
                stayed.remove(&(name(*kind), id));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn what_is_there_throughout_is_in_raw(
        seed in 0_u64..1_000,
        crowds in prop::collection::vec((0_i64..5, 1_usize..330), 0..3),
        changes in prop::collection::vec((1_u64..60, change()), 0..150),
        deaths in prop::collection::vec((1_u64..25, prop_oneof![Just(Death::Before), Just(Death::Halfway), Just(Death::After)]), 0..5),
        follow in any::<bool>(),
    ) {
        const KINDS: [Kind; 3] = [Kind::Questions, Kind::Answers, Kind::Comments];
        let mut world = World::made(seed, 150);
        for (second, count) in &crowds {
            let at = world.now - 1_000 + second;
            for kind in KINDS {
                world.crowd(kind, at, *count);
            }
        }
        let stayed: BTreeSet<(&str, i64)> =
            KINDS.iter().flat_map(|kind| world.ids(*kind).into_iter().map(|id| (name(*kind), id))).collect();
        let stayed = Arc::new(Mutex::new(stayed));
        let lab = Lab::with(Options { anonymous_quota: 100_000, ..Options::default() }, world);
        let names = ["questions", "answers", "comments"];
        let span = lab.all();
        let hook = stayed.clone();
        lab.double.before(move |world, number| {
            for (_, change) in changes.iter().filter(|(at, _)| *at == number) {
                happen(world, change, &mut hook.lock().unwrap());
            }
        });
        for (at, death) in deaths {
            let request = lab.request(&names, span);
            // One that comes through before it would have died is as good.
            let _ = lab.read_through(Arc::new(DyingStore(Process::dying(at, death))), &request);
        }
        lab.read(&names, span).unwrap();
        if follow {
            lab.read(&names, Span::Follow).unwrap();
        }
        for kind in KINDS {
            let read = lab.ids(kind);
            let missed: Vec<_> =
                stayed.lock().unwrap().iter().filter(|(of, id)| *of == name(kind) && !read.contains(id)).cloned().collect();
            prop_assert!(missed.is_empty(), "missed {:?}", missed);
        }
        let pages = counted(&lab);
        let distinct: BTreeSet<&String> = pages.iter().collect();
        prop_assert_eq!(pages.len(), distinct.len());
    }
}
