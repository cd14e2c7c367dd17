//! From where data really comes: the API, read while it changes and while the reader is killed, and a data dump.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fs_err as fs;

use super::bad::column;
use super::lab::{Lab, real_pages};
use crate::stackexchange::{Double, Kind, Options, World};

const KINDS: [(Kind, &str); 3] =
    [(Kind::Questions, "questions"), (Kind::Answers, "answers"), (Kind::Comments, "comments")];

/// The ids in a published table, as often as they are there.
fn published(lab: &Lab, table: &str, id: &str) -> Vec<i64> {
    let files = lab.files(table).into_iter();
    files.flat_map(|(file, _)| column(&file, id)).map(|id| id.parse().unwrap()).collect()
}

#[test]
fn what_the_api_had_throughout_is_in_the_tables_once_whatever_happened_meanwhile() {
    let (world, names) = match real_pages() {
        Some(pages) => (World::from_pages(&pages), "genuine items"),
        None => (World::made(7, 600), "made-up items"),
    };
    let stayed: BTreeMap<&str, BTreeSet<i64>> = KINDS.iter().map(|(kind, name)| (*name, world.ids(*kind))).collect();
    let stayed = Arc::new(Mutex::new(stayed));
    let double = Double::with(Options { anonymous_quota: 10_000, ..Options::default() }, world);
    let lab = Lab::new();
    lab.write("config/soflow.yaml", format!("ingest:\n  api: {}\n", double.url()));
    // Before some requests the reader is killed: its process id, once it is known.
    let (reader, kills) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (target, killed, left) = (reader.clone(), kills.clone(), stayed.clone());
    double.before(move |world, number| {
        world.now += 1;
        let now = world.now;
        for (kind, name) in KINDS {
            world.crowd(kind, now, 2);
            let ids: Vec<i64> = world.ids(kind).into_iter().collect();
            let at = |factor: u64| ids[usize::try_from(number * factor).unwrap() % ids.len()];
            world.touch(kind, at(37), now);
            world.remove(kind, at(53));
            left.lock().unwrap().get_mut(name).unwrap().remove(&at(53));
        }
        if number % 23 == 5 && target.load(Ordering::SeqCst) > 0 {
            let process = target.swap(0, Ordering::SeqCst).to_string();
            std::process::Command::new("kill").args(["-KILL", &process]).status().unwrap();
            killed.fetch_add(1, Ordering::SeqCst);
        }
    });
    let code = loop {
        let mut command = lab.command(&["ingest", "api", "--since", "2008-07-31", "--events", "quiet"]);
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        reader.store(u64::from(child.id()), Ordering::SeqCst);
        if let Some(code) = child.wait().unwrap().code() {
            break code;
        }
    };
    assert_eq!(code, 0);
    assert!(kills.load(Ordering::SeqCst) >= 1, "it was never killed");
    let date = fs::read_dir(lab.lake().join("raw/site=stackoverflow/endpoint=questions")).unwrap().next().unwrap();
    let date = date.unwrap().file_name().to_string_lossy().trim_start_matches("dt=").to_string();
    // What follows from these tables is computed on other pages.
    let only = KINDS.iter().flat_map(|(_, table)| ["--only", table]);
    let submit = ["submit", "daily", "--date", &date, "--events", "plain"].into_iter().chain(only);
    lab.run(&submit.collect::<Vec<_>>()).expect(0);
    for (kind, table) in KINDS {
        let ids = published(&lab, table, kind.identity());
        let distinct: BTreeSet<i64> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "{table}: some are there twice");
        let stayed = &stayed.lock().unwrap()[table];
        let missed: Vec<&i64> = stayed.difference(&distinct).collect();
        assert!(missed.is_empty(), "{table}: missed {missed:?}");
        println!("{table}: all {} {names} that stayed, of {} rows", stayed.len(), ids.len());
    }
    println!("{} requests, killed {} times", double.requests().len(), kills.load(Ordering::SeqCst));
}

#[test]
fn a_dump_is_counted_to_the_last_row() {
    let Some(pages) = real_pages() else { return };
    let dump = pages.parent().unwrap().join("bicycles-meta-dump");
    let lab = Lab::new();
    let folder = dump.to_str().unwrap();
    lab.run(&["ingest", "dump", folder, "--site", "bicycles.meta", "--date", "2023-08-31"]).expect(0);
    let site = "site=bicycles.meta";
    lab.run(&["submit", "daily", "--date", "2023-08-31", "--param", site, "--events", "plain"]).expect(0);
    let posts = text(&dump.join("Posts.xml.gz"));
    let of_type = |kind: u32| posts.matches(&format!(" PostTypeId=\"{kind}\"")).count();
    let comments = text(&dump.join("Comments.xml.gz")).matches("<row ").count();
    for ((kind, table), expected) in KINDS.into_iter().zip([of_type(1), of_type(2), comments]) {
        assert!(expected > 400, "{table}: too few to mean anything");
        assert_eq!(published(&lab, table, kind.identity()).len(), expected, "{table}");
    }
}

fn text(file: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&fs::read(file).unwrap()[..]).read_to_string(&mut text).unwrap();
    text
}
