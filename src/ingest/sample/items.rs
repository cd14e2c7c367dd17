//! The JSON of questions, answers and comments, with the fields in the API's order and absent instead of null.

use serde::Serialize;
use serde_json::{Value, json};

use super::dice::{Dice, Stream};
use super::outline::{Answer, Comment, Post, Question};
use super::people::{self, Owner};
use super::text::{escape_api, slug};
use super::world::World;
use super::{DAYS, SEED, START};

const LICENSE: &str = "CC BY-SA 4.0";
const END: i64 = START + DAYS * 86_400;

/// Reasons of today and of years ago: real data has both.
const CLOSED_REASONS: [&str; 9] = [
    "Duplicate",
    "Needs details or clarity",
    "Duplicate",
    "Not suitable for this site",
    "Opinion-based",
    "Needs more focus",
    "exact duplicate",
    "not a real question",
    "not constructive",
];

/// A question as `/questions?filter=withbody` sends it.
#[derive(Debug, Serialize)]
pub struct QuestionItem {
    tags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    migrated_from: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    posted_by_collectives: Option<Value>,
    owner: Owner,
    is_answered: bool,
    view_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounty_amount: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bounty_closes_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_answer_id: Option<u64>,
    answer_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_owned_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locked_date: Option<i64>,
    score: i32,
    last_activity_date: i64,
    creation_date: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_edit_date: Option<i64>,
    question_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_license: Option<&'static str>,
    link: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_reason: Option<&'static str>,
    title: String,
    body: String,
    /// A field nobody has heard of: readers must live with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    experiment_group: Option<&'static str>,
}

/// An answer as `/answers?filter=withbody` sends it.
#[derive(Debug, Serialize)]
pub struct AnswerItem {
    owner: Owner,
    is_accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_owned_date: Option<i64>,
    score: i32,
    last_activity_date: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_edit_date: Option<i64>,
    creation_date: i64,
    answer_id: u64,
    question_id: u64,
    content_license: &'static str,
    body: String,
}

/// A comment as `/comments?filter=withbody` sends it.
#[derive(Debug, Serialize)]
pub struct CommentItem {
    owner: Owner,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_user: Option<Owner>,
    edited: bool,
    score: u32,
    creation_date: i64,
    post_id: u64,
    comment_id: u64,
    content_license: &'static str,
    body: String,
}

/// Returns an item; a `newer` one is as it was seen somewhat later.
pub fn question(world: &World, index: usize, row: &Question, newer: bool) -> Option<QuestionItem> {
    let mut dice = Dice::new(SEED, Stream::Question, index as u64);
    let tag = row.tags.first().and_then(|tag| world.tags.get(*tag))?;
    let (title, body) = (world.phrases.title(tag, &mut dice), world.phrases.question(tag, &mut dice));
    let later = |dice: &mut Dice, permille, middle| {
        let at = row.created + dice.seconds(middle, 512);
        (dice.permille(permille) && at < END).then_some(at)
    };
    let last_edit_date = later(&mut dice, 320, 3_000);
    let closed_date = later(&mut dice, 80, 3_600);
    let migrated = dice.permille(4);
    let bounty = (END - row.created < 60 * 86_400 && dice.permille(40)).then(|| 50 * (1 + dice.below(6)));
    Some(QuestionItem {
        tags: row.tags.iter().filter_map(|tag| Some(world.tags.get(*tag)?.name)).collect(),
        migrated_from: migrated.then(|| migration(row, &mut dice)),
        posted_by_collectives: dice.permille(12).then(|| collective(tag.name)),
        owner: world.owner(row.author),
        is_answered: row.answered,
        view_count: views(row, &mut dice) + u32::from(newer) * 7,
        bounty_amount: bounty,
        bounty_closes_date: bounty.map(|_| END + 3 * 86_400),
        closed_date,
        accepted_answer_id: row.accepted,
        answer_count: row.answers,
        community_owned_date: later(&mut dice, 4, 3_000),
        protected_date: later(&mut dice, 6, 4_000),
        locked_date: later(&mut dice, 3, 4_200),
        score: question_score(&mut dice) + i32::from(newer),
        last_activity_date: row.last_activity.max(last_edit_date.unwrap_or(0)),
        creation_date: row.created,
        last_edit_date,
        question_id: row.id,
        content_license: (closed_date.is_none() && !migrated).then_some(LICENSE),
        link: format!("https://stackoverflow.com/questions/{}/{}", row.id, slug(&title)),
        closed_reason: closed_date.and_then(|_| dice.choose(&CLOSED_REASONS).copied()),
        title: escape_api(&title),
        body,
        experiment_group: dice.permille(10).then_some("b"),
    })
}

/// Returns an item; a `newer` one is as it was seen somewhat later.
pub fn answer(world: &World, index: usize, row: &Answer, newer: bool) -> Option<AnswerItem> {
    let mut dice = Dice::new(SEED, Stream::Answer, index as u64);
    let question = world.outline.questions.get(row.question as usize)?;
    let tag = question.tags.first().and_then(|tag| world.tags.get(*tag))?;
    Some(AnswerItem {
        owner: world.owner(row.author),
        is_accepted: row.accepted,
        community_owned_date: dice.permille(5).then_some(row.created),
        score: row.score + i32::from(newer && row.score > 0),
        last_activity_date: row.edited.unwrap_or(row.created),
        last_edit_date: row.edited,
        creation_date: row.created,
        answer_id: row.id,
        question_id: question.id,
        content_license: LICENSE,
        body: world.phrases.answer(tag, &mut dice),
    })
}

/// Returns an item; a `newer` one is as it was seen somewhat later.
pub fn comment(world: &World, index: usize, row: &Comment, newer: bool) -> Option<CommentItem> {
    let mut dice = Dice::new(SEED, Stream::Comment, index as u64);
    let question = world.outline.questions.get(row.question as usize)?;
    let tag = question.tags.first().and_then(|tag| world.tags.get(*tag))?;
    let post = match row.post {
        Post::Question => question.id,
        Post::Answer(answer) => world.outline.answers.get(answer as usize)?.id,
    };
    let name = row.reply_to.map(|person| people::first_name(&world.phrases, person));
    // A few posts have been deleted since; their comments are still in a page fetched before.
    let deleted = index % 1_500 == 777;
    Some(CommentItem {
        owner: world.owner(row.author),
        reply_to_user: row.reply_to.map(|person| world.owner(person)),
        edited: dice.percent(12),
        score: [0, 1, 2, 5, 14][dice.weighted(&[70, 18, 7, 4, 1])] + u32::from(newer),
        creation_date: row.created,
        post_id: if deleted { post - 80_000_000 } else { post },
        comment_id: row.id,
        content_license: LICENSE,
        body: world.phrases.comment(tag, name.as_deref(), &mut dice),
    })
}

/// Returns how often a question was seen: the older, the more.
fn views(row: &Question, dice: &mut Dice) -> u32 {
    let days = u32::try_from((END - row.created) / 86_400).unwrap_or(0);
    4 + dice.below(40) + dice.below(days + 1)
}

/// Returns a score as questions have it: mostly around zero, some negative, a few large.
fn question_score(dice: &mut Dice) -> i32 {
    let spans = [(-7, 5), (-2, 2), (0, 1), (1, 3), (4, 12), (16, 90)];
    let (from, span) = spans[dice.weighted(&[2, 10, 45, 35, 7, 1])];
    from + i32::try_from(dice.below(span)).unwrap_or(0)
}

fn migration(row: &Question, dice: &mut Dice) -> Value {
    let id = 800_000 + dice.below(90_000);
    json!({
        "other_site": {
            "site_type": "main_site",
            "name": "Super User",
            "site_url": "https://superuser.com",
            "api_site_parameter": "superuser",
            "site_state": "normal",
        },
        "on_date": row.created + 5_400,
        "question_id": id,
    })
}

fn collective(tag: &str) -> Value {
    json!([{
        "tags": [tag],
        "external_links": [],
        "description": "An example collective &amp; its friends",
        "link": "/collectives/example",
        "name": "Example Collective",
        "slug": "example",
    }])
}
