use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use super::*;
use crate::event::Event;
use crate::store::FileStore;

/// Midnight (UTC) of the first day.
const START: i64 = 1_746_057_600;
const DAYS: i64 = 549;

struct Sample {
    home: tempfile::TempDir,
    summary: Summary,
    items: BTreeMap<&'static str, Vec<Value>>,
    wrappers: Vec<Value>,
}

async fn pages_of(raw: &Uri, endpoint: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    for page in &raw::list(&FileStore, raw, "stackoverflow", &[endpoint], SAMPLE_DATE).await.unwrap()[endpoint] {
        let mut body = String::new();
        let stored = FileStore.get(&page.uri).await.unwrap().unwrap();
        flate2::read::GzDecoder::new(&stored[..]).read_to_string(&mut body).unwrap();
        pages.push(serde_json::from_str(&body).unwrap());
    }
    pages
}

/// One sample for all tests that only read it.
static SAMPLE: LazyLock<Sample> = LazyLock::new(|| runtime().block_on(sample()));

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

async fn sample() -> Sample {
    let home = tempfile::tempdir().unwrap();
    let raw = Uri::from_path(home.path());
    let summary = write(&FileStore, &raw, "stackoverflow", &mut Vec::new()).await.unwrap();
    let (mut items, mut wrappers): (BTreeMap<_, Vec<Value>>, _) = (BTreeMap::new(), Vec::new());
    for endpoint in ENDPOINTS {
        for mut page in pages_of(&raw, endpoint).await {
            let Value::Array(of_page) = page["items"].take() else { panic!("no items") };
            assert!(of_page.len() <= 100);
            items.entry(endpoint).or_default().extend(of_page);
            wrappers.push(page);
        }
    }
    Sample { home, summary, items, wrappers }
}

impl Sample {
    fn ids(&self, endpoint: &str, id: &str) -> BTreeSet<u64> {
        self.items[endpoint].iter().filter_map(|item| item[id].as_u64()).collect()
    }

    fn questions(&self) -> BTreeMap<u64, &Value> {
        let items = self.items["questions"].iter();
        items.filter_map(|item| Some((item["question_id"].as_u64()?, item))).collect()
    }
}

#[test]
fn the_sample_is_the_same_on_every_machine() {
    let sample = &*SAMPLE;
    let totals: Vec<_> = sample.summary.endpoints.iter().map(|w| (w.endpoint.as_str(), w.pages, w.items)).collect();
    assert_eq!(totals, [("answers", 36, 3507), ("comments", 76, 7541), ("questions", 25, 2420)]);
    let raw = Uri::from_path(sample.home.path());
    let mut digests = Vec::new();
    for endpoint in ENDPOINTS {
        let names = [endpoint];
        let listed = raw::list(&FileStore, &raw, "stackoverflow", &names, SAMPLE_DATE);
        let listed = runtime().block_on(listed).unwrap();
        let pages = &listed[endpoint];
        assert_eq!(pages[0].fetched_at.to_string(), "2026-11-01T04:00:02Z");
        digests.push(pages[0].line.sha256.clone().unwrap());
    }
    assert_eq!(
        digests,
        [
            "a456e9a9bef5ef94193550d28d0c4dbe0d025f4483408b66770f01c454736a07",
            "e9cd4fbf8dfca6407d065fa54ec4e305c535006cc0324aef4c5847d85eddc6b0",
            "d6fe963e77db0ce6bff0d6a392ee5ce3d526fd804b1db245944b2e9e1ededd63",
        ]
    );
}

#[test]
fn everything_happens_in_the_window_and_belongs_to_something() {
    let sample = &*SAMPLE;
    let questions = sample.questions();
    let ids: BTreeSet<u64> = questions.keys().copied().collect();
    let answers = sample.ids("answers", "answer_id");
    let end = START + DAYS * 86_400;
    for question in questions.values() {
        let created = question["creation_date"].as_i64().unwrap();
        let active = question["last_activity_date"].as_i64().unwrap();
        assert!((START..end).contains(&created) && (created..end).contains(&active), "{question}");
        assert!((1..=5).contains(&question["tags"].as_array().unwrap().len()));
        assert_eq!(
            question.get("content_license").is_none(),
            question.get("closed_date").is_some() || question.get("migrated_from").is_some()
        );
        if let Some(accepted) = question.get("accepted_answer_id") {
            assert!(answers.contains(&accepted.as_u64().unwrap()) && question["is_answered"] == true);
        }
    }
    assert!(sample.items["answers"].iter().all(|answer| ids.contains(&answer["question_id"].as_u64().unwrap())));
    let posts: BTreeSet<u64> = ids.union(&answers).copied().collect();
    let orphans =
        sample.items["comments"].iter().filter(|comment| !posts.contains(&comment["post_id"].as_u64().unwrap()));
    assert!((3..8).contains(&orphans.count()));
    let last = questions.values().filter_map(|question| question["creation_date"].as_i64()).max().unwrap();
    assert!(end - last < 86_400);
    for endpoint in ENDPOINTS {
        let created: Vec<_> = sample.items[endpoint].iter().filter_map(|item| item["creation_date"].as_i64()).collect();
        assert!(created.is_sorted(), "{endpoint}");
    }
}

#[test]
fn answers_agree_with_their_questions() {
    let sample = &*SAMPLE;
    let mut by_question: BTreeMap<u64, BTreeMap<u64, &Value>> = BTreeMap::new();
    for answer in sample.items["answers"].iter() {
        let id = answer["answer_id"].as_u64().unwrap();
        by_question.entry(answer["question_id"].as_u64().unwrap()).or_default().insert(id, answer);
    }
    let mut answered_without_answer = 0;
    for (id, question) in sample.questions() {
        let answers = by_question.remove(&id).unwrap_or_default();
        assert_eq!(question["answer_count"].as_u64().unwrap(), answers.len() as u64, "{id}");
        assert!(answers.values().filter(|answer| answer["is_accepted"] == true).count() <= 1);
        answered_without_answer += usize::from(!answers.is_empty() && question["is_answered"] == false);
        for answer in answers.values().filter(|answer| answer["creation_date"].is_i64()) {
            assert!(answer["creation_date"].as_i64().unwrap() > question["creation_date"].as_i64().unwrap());
        }
    }
    assert!(answered_without_answer > 50);
}

#[test]
fn the_oddities_of_real_pages_are_there() {
    let sample = &*SAMPLE;
    let questions = &sample.items["questions"];
    let count = |of: &dyn Fn(&Value) -> bool| questions.iter().filter(|item| of(item)).count();
    for field in [
        "closed_reason",
        "migrated_from",
        "posted_by_collectives",
        "experiment_group",
        "bounty_amount",
        "locked_date",
        "protected_date",
        "community_owned_date",
        "last_edit_date",
    ] {
        assert!(count(&|item| item.get(field).is_some()) > 0, "{field}");
    }
    assert!(
        count(&|item| item["owner"]["user_type"] == "does_not_exist" && item["owner"].get("user_id").is_none()) > 20
    );
    assert!(
        count(&|item| item["owner"]["user_type"] == "does_not_exist" && item["owner"].get("display_name").is_none())
            > 0
    );
    assert!(count(&|item| item["owner"]["user_type"] == "unregistered") > 0);
    assert!(count(&|item| item["closed_reason"] == "exact duplicate") > 0);
    assert!(count(&|item| item["score"].as_i64().is_some_and(|score| score < 0)) > 50);
    for part in ["&#39;", "&quot;", "&amp;", "&lt;", "&#129408;", "קובץ", "日本語", "كيف"] {
        let found = count(&|item| item["title"].as_str().unwrap().contains(part));
        assert!(found > 0 || part == "קובץ", "{part}");
    }
    for part in ["<pre><code>", "<pre class=", "<code>", "<blockquote>", "<ul>", "\r\n", "&lt;"] {
        assert!(count(&|item| item["body"].as_str().unwrap().contains(part)) > 0, "{part}");
    }
    let tags: BTreeSet<&str> =
        questions.iter().flat_map(|item| item["tags"].as_array().unwrap()).filter_map(Value::as_str).collect();
    assert!(tags.len() > 60);
    for tag in ["c++", "c#", ".net", "node.js", "jboss6.x", "android-5.0-lollipop", "f#", "objective-c", "python-3.15"]
    {
        assert!(tags.contains(tag), "{tag}");
    }
    assert!(sample.items["comments"].iter().filter(|comment| comment.get("reply_to_user").is_some()).count() > 500);
    assert!(sample.wrappers.iter().any(|wrapper| wrapper["quota_remaining"] == -1));
    assert!(sample.wrappers.iter().filter(|wrapper| wrapper.get("backoff").is_some()).count() > 5);
    assert_eq!(sample.wrappers.iter().filter(|wrapper| wrapper["has_more"] == false).count(), 3);
}

#[test]
fn few_rows_are_malformed_and_some_come_twice() {
    let sample = &*SAMPLE;
    let without_id = sample.items["questions"].iter().filter(|item| item.get("question_id").is_none()).count();
    let text_score = sample.items["questions"].iter().filter(|item| item["score"].is_string()).count();
    let text_date = sample.items["answers"].iter().filter(|item| item["creation_date"].is_string()).count();
    assert_eq!((without_id, text_score, text_date), (1, 1, 1));
    let repeated = sample.items["comments"].len() - sample.ids("comments", "comment_id").len();
    assert!((5..30).contains(&repeated), "{repeated}");
}

#[test]
fn trends_can_be_seen() {
    let sample = &*SAMPLE;
    let share = |tag: &str, days: std::ops::Range<i64>| {
        let days = START + days.start * 86_400..START + days.end * 86_400;
        let created = |item: &&&Value| days.contains(&item["creation_date"].as_i64().unwrap());
        let questions = sample.questions();
        let asked: Vec<_> = questions.values().filter(created).collect();
        let tagged =
            asked.iter().filter(|item| item["tags"].as_array().unwrap().iter().any(|name| name == tag)).count();
        tagged * 1000 / asked.len()
    };
    assert!(share("rust", 450..549) > 2 * share("rust", 0..100));
    assert!(3 * share("jquery", 400..549) < 2 * share("jquery", 0..150));
    assert_eq!(share("python-3.15", 0..409), 0);
    assert!(share("python-3.15", 480..549) > 10);
    let asked = |days: std::ops::Range<i64>| {
        sample
            .questions()
            .values()
            .filter(|item| days.contains(&((item["creation_date"].as_i64().unwrap() - START) / 86_400)))
            .count()
    };
    assert!(asked(0..100) * 3 > asked(449..549) * 4);
}

#[tokio::test]
async fn a_complete_sample_is_left_alone_and_an_incomplete_one_completed() {
    let home = tempfile::tempdir().unwrap();
    let raw = Uri::from_path(home.path());
    write(&FileStore, &raw, "stackoverflow", &mut Vec::new()).await.unwrap();
    let before = digests(home.path());
    let mut events = Vec::new();
    let again = write(&FileStore, &raw, "stackoverflow", &mut events).await.unwrap();
    assert!(matches!(events.as_slice(), [Event::Note { .. }]));
    assert_eq!(again.pages(), 0);
    let manifest = raw.join("site=stackoverflow/endpoint=answers/dt=2026-10-31/run=sample-7-x1/_manifest.jsonl");
    FileStore.remove(&manifest).await.unwrap();
    let completed = write(&FileStore, &raw, "stackoverflow", &mut Vec::new()).await.unwrap();
    assert_eq!(completed.endpoints.iter().filter(|written| written.pages > 0).count(), 1);
    assert_eq!(digests(home.path()), before);
}

fn digests(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(digests(&path));
        } else {
            found.insert(path.display().to_string(), page::sha256(&fs_err::read(&path).unwrap()));
        }
    }
    found
}

async fn refusal(there: &str, run: &str) -> Option<String> {
    let lake = tempfile::tempdir().unwrap();
    let raw = Uri::from_path(lake.path()).join("raw");
    let page = format!("site=s/endpoint=questions/dt=2026-01-01/run={there}/000001.json.gz");
    FileStore.put(&raw.join(&page), b"x").await.unwrap();
    refuse_mixture(&FileStore, &raw, "s", run).await.err().map(|error| error.message)
}

#[tokio::test]
async fn samples_and_real_pages_stay_apart() {
    assert_eq!(refusal("pages-1", "pages-2").await, None);
    assert_eq!(refusal("sample-7-x1", "sample-7-x1").await, None);
    assert!(refusal("pages-1", "sample-7-x1").await.unwrap().contains("raw holds real pages"));
    assert!(refusal("sample-7-x1", "pages-1").await.unwrap().contains("raw holds the made-up sample"));
    assert!(refusal("sample-7-x1", "sample-7-x10").await.unwrap().contains("another size"));
}
