//! Worlds from genuine pages.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{Kind, World};

impl World {
    /// Returns the items of the pages in a folder's `questions`, `answers` and `comments`, each `*.json.gz`, with the
    /// tags and users that they mention. It is an hour after the last of them. Genuine comments come without bodies;
    /// they get one, else `withbody` would have nothing to show.
    ///
    /// # Panics
    /// When a page cannot be read.
    pub fn from_pages(folder: &Path) -> Self {
        let mut world = Self::empty(0);
        let folders = [(Kind::Questions, "questions"), (Kind::Answers, "answers"), (Kind::Comments, "comments")];
        for (kind, name) in folders {
            let mut files: Vec<_> =
                fs_err::read_dir(folder.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
            files.sort();
            for file in files {
                let Value::Array(items) = page(&file)["items"].take() else { panic!("{}: no items", file.display()) };
                items.into_iter().for_each(|item| world.insert(kind, with_body(kind, item)));
            }
        }
        let dates = [Kind::Questions, Kind::Answers, Kind::Comments].map(|kind| {
            let latest = |item: &Value| item["last_activity_date"].as_i64().max(item["creation_date"].as_i64());
            world.items(kind).filter_map(latest).max().unwrap_or_default()
        });
        world.now = dates.into_iter().max().unwrap_or_default() + 3600;
        world.mention();
        world
    }
}

fn page(file: &Path) -> Value {
    let mut text = String::new();
    GzDecoder::new(fs_err::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn with_body(kind: Kind, mut item: Value) -> Value {
    if kind == Kind::Comments && item["body"].is_null() {
        item["body"] = json!(format!("comment {}", item["comment_id"]));
    }
    item
}
