//! What an item looks like through a filter.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::Options;
use super::log::Asked;
use super::methods::Source;
use super::refusal::Refusal;
use super::{Kind, World};

/// What a filter adds to `default`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `body`, of everything that has one.
    pub bodies: bool,
    /// `answers` in questions that have some.
    pub answers: bool,
    /// `comments` in questions and answers that have some.
    pub comments: bool,
    /// `total` in the wrapper.
    pub total: bool,
}

/// What a filter lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Items and the wrapper.
    Items(Features),
    /// How many items there are, and nothing else.
    Total,
    /// Nothing.
    Nothing,
}

impl Filter {
    /// Returns the filter that a request names, or `default`.
    ///
    /// # Errors
    /// When it is neither built in nor among the options.
    pub fn named(asked: &Asked, options: &Options) -> Result<Self, Refusal> {
        match asked.param("filter").unwrap_or("default") {
            "default" => Ok(Self::Items(Features::default())),
            "withbody" => Ok(Self::Items(Features { bodies: true, ..Features::default() })),
            "total" => Ok(Self::Total),
            "none" => Ok(Self::Nothing),
            id => match options.filters.get(id) {
                Some(features) => Ok(Self::Items(*features)),
                None => Err(Refusal::new(400, "Invalid filter specified")),
            },
        }
    }
}

/// Fields that a post has in common with what it is.
const POST: [&str; 9] = [
    "owner",
    "score",
    "last_edit_date",
    "last_activity_date",
    "creation_date",
    "content_license",
    "link",
    "title",
    "body",
];

/// Shows items through a filter.
pub struct Shaper<'a> {
    features: Features,
    source: Source,
    /// By question.
    answers: HashMap<i64, Vec<&'a Value>>,
    /// By post.
    comments: HashMap<i64, Vec<&'a Value>>,
}

impl<'a> Shaper<'a> {
    pub fn new(world: &'a World, source: Source, features: Features) -> Self {
        let by = |wanted: bool, kind: Kind, field: &str| {
            let mut groups: HashMap<i64, Vec<&Value>> = HashMap::new();
            for item in world.items(kind).filter(|_| wanted) {
                groups.entry(item[field].as_i64().unwrap_or_default()).or_default().push(item);
            }
            groups
        };
        let answers = by(features.answers, Kind::Answers, "question_id");
        let comments = by(features.comments, Kind::Comments, "post_id");
        Self { features, source, answers, comments }
    }

    /// Returns an item as the API shows it.
    pub fn show(&self, kind: Kind, item: &Value) -> Value {
        if self.source == Source::Posts {
            return Value::Object(self.post(kind, item));
        }
        let mut shown = self.plain(kind, item);
        let id = item[kind.identity()].as_i64().unwrap_or_default();
        if let (Kind::Questions, Some(answers)) = (kind, self.answers.get(&id)) {
            shown.insert("answers".into(), answers.iter().map(|answer| self.show(Kind::Answers, answer)).collect());
        }
        if let (Kind::Questions | Kind::Answers, Some(comments)) = (kind, self.comments.get(&id)) {
            let comments = comments.iter().map(|comment| Value::Object(self.plain(Kind::Comments, comment)));
            shown.insert("comments".into(), comments.collect());
        }
        Value::Object(shown)
    }

    fn plain(&self, kind: Kind, item: &Value) -> Map<String, Value> {
        let hidden = |field: &str| match field {
            "body" => !self.features.bodies,
            // Tags are sorted by it and do not show it.
            "last_activity_date" => kind == Kind::Tags,
            _ => false,
        };
        let fields = item.as_object().into_iter().flatten().filter(|(field, _)| !hidden(field));
        fields.map(|(field, value)| (field.clone(), value.clone())).collect()
    }

    fn post(&self, kind: Kind, item: &Value) -> Map<String, Value> {
        let mut post = self.plain(kind, item);
        post.retain(|field, _| POST.contains(&field.as_str()));
        post.insert("post_type".into(), json!(if kind == Kind::Questions { "question" } else { "answer" }));
        post.insert("post_id".into(), item[kind.identity()].clone());
        post
    }
}
