//! Made-up worlds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Kind, World};

/// When a made-up site was opened: 2024-01-01.
const OPENED: i64 = 1_704_067_200;
/// Seconds between an item and the next one of its kind, at most.
const GAP: u64 = 600;
/// Id of a made-up site's first question, answer and comment. Questions and answers share theirs, as posts do.
const FIRST: [(Kind, i64); 3] = [(Kind::Questions, 1000), (Kind::Answers, 1001), (Kind::Comments, 500_000)];
/// How many people write.
const PEOPLE: u64 = 40;
const TAGS: [&str; 12] =
    ["c#", "c++", ".net", "asp.net", "jboss6.x", "java", "python", "rust", "sql", "spark", "android-5.0-lollipop", "r"];

impl World {
    /// Returns a world with that many questions, answers and comments each, and with their tags and users. The same
    /// seed gives the same world. It is a day after the last of them.
    pub fn made(seed: u64, items: usize) -> Self {
        Self::opened(OPENED, seed, items)
    }

    /// Returns such a world that was opened at another time, in seconds since 1970.
    pub fn opened(opened: i64, seed: u64, items: usize) -> Self {
        let mut world = Self::empty(opened);
        let mut dice = Dice(seed);
        let mut asked = opened;
        for number in 0..items as i64 {
            asked += 1 + dice.below(GAP) as i64;
            for (kind, first) in FIRST {
                let step = if kind == Kind::Comments { 1 } else { 2 };
                let created = asked + first % 3;
                let active = if dice.below(3) == 0 { created + dice.below(100_000) as i64 } else { created };
                let item = world.item(kind, (first + step * number, created, active), &mut dice);
                world.insert(kind, item);
                world.now = world.now.max(active);
            }
        }
        world.now += 24 * 60 * 60;
        world.insert(Kind::Synonyms, synonym("golang", "go", opened));
        world.insert(Kind::Synonyms, synonym("csharp", "c#", opened + 1));
        world.mention();
        world
    }

    /// Puts that many more items of a kind there, all written within one second. Returns their ids.
    pub fn crowd(&mut self, kind: Kind, second: i64, count: usize) -> Vec<i64> {
        let mut dice = Dice(second as u64);
        let posts = [Kind::Questions, Kind::Answers];
        let shared: &[Kind] = if posts.contains(&kind) { &posts } else { &[kind] };
        let last = shared.iter().filter_map(|kind| self.last_id(*kind)).max().unwrap_or_default();
        let ids: Vec<i64> = (last + 1..).take(count).collect();
        for id in &ids {
            let item = self.item(kind, (*id, second, second), &mut dice);
            self.insert(kind, item);
        }
        ids
    }

    /// Puts the tags and users there that questions, answers and comments mention.
    pub fn mention(&mut self) {
        let mut tags: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for question in self.items(Kind::Questions) {
            for tag in question["tags"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let (count, active) = tags.entry(tag.to_string()).or_default();
                *count += 1;
                *active = question["last_activity_date"].as_i64().unwrap_or_default().max(*active);
            }
        }
        for (name, (count, active)) in tags {
            let tag = json!({ "has_synonyms": false, "is_moderator_only": false, "is_required": false, "count": count,
                "name": name, "last_activity_date": active });
            self.insert(Kind::Tags, tag);
        }
        let written = [Kind::Questions, Kind::Answers, Kind::Comments];
        let mut users: BTreeMap<i64, Value> = BTreeMap::new();
        for item in written.into_iter().flat_map(|kind| self.items(kind)) {
            if let Some(id) = item["owner"]["user_id"].as_i64() {
                let user = users.entry(id).or_insert_with(|| item["owner"].clone());
                let first = user["creation_date"].as_i64().unwrap_or(i64::MAX);
                let first = first.min(item["creation_date"].as_i64().unwrap_or(i64::MAX));
                user["creation_date"] = json!(first);
                user["last_modified_date"] = json!(first);
            }
        }
        users.into_values().for_each(|user| self.insert(Kind::Users, user));
    }

    fn item(&self, kind: Kind, (id, created, active): (i64, i64, i64), dice: &mut Dice) -> Value {
        let any = |kind, dice: &mut Dice| {
            let (Some(first), Some(last)) = (self.id_from(kind, 0), self.last_id(kind)) else { return id };
            self.id_from(kind, first + dice.below((last - first) as u64 + 1) as i64).unwrap_or(last)
        };
        let user = dice.below(PEOPLE);
        let mut item = json!({
            "owner": { "account_id": 9000 + user, "user_type": "registered", "user_id": 100 + user,
                "reputation": 10 * user * user, "display_name": format!("user{user}") },
            "content_license": "CC BY-SA 4.0", "score": dice.below(40) as i64 - 5, "creation_date": created,
            "body": format!("<p>Number {id}: {}</p>\n", "what is it? ".repeat(dice.below(40) as usize)),
        });
        item[kind.identity()] = json!(id);
        match kind {
            Kind::Comments => {
                let post = if dice.below(2) == 0 { Kind::Questions } else { Kind::Answers };
                item["post_id"] = json!(any(post, dice));
                item["edited"] = json!(false);
            }
            Kind::Answers => {
                item["question_id"] = json!(any(Kind::Questions, dice));
                item["is_accepted"] = json!(false);
            }
            _ => {
                let tags = 1 + dice.below(3) as usize;
                let first = dice.below(TAGS.len() as u64) as usize;
                item["tags"] = TAGS.iter().cycle().skip(first).take(tags).map(|tag| json!(tag)).collect();
                item["title"] = json!(format!("What&#39;s the matter with {id}?"));
                item["link"] = json!(format!("https://stackoverflow.com/questions/{id}/what-s-the-matter"));
                item["is_answered"] = json!(false);
                item["answer_count"] = json!(0);
                item["view_count"] = json!(dice.below(10_000));
            }
        }
        if kind != Kind::Comments {
            item["last_activity_date"] = json!(active);
        }
        item
    }
}

fn synonym(from: &str, to: &str, created: i64) -> Value {
    json!({ "from_tag": from, "to_tag": to, "applied_count": 1, "creation_date": created })
}

/// Numbers that look random and are the same for the same seed: splitmix64, whose constants these are.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
