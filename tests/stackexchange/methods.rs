//! The methods there are, and which items each of them is about.

use super::Kind;
use super::refusal::Refusal;

/// A method of the API.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// Its path, with `{ids}` where the request has ids. Backoff goes by it.
    pub template: &'static str,
    /// What it answers with.
    pub about: About,
}

/// What a method answers with.
#[derive(Debug, PartialEq, Eq)]
pub enum About {
    /// Items, those whose field has one of the path's ids when there is a field.
    Items(Source, &'static str),
    /// The site in numbers.
    Info,
    /// The list of sites.
    Sites,
    /// The error with the path's id.
    Error,
    /// A new filter.
    NewFilter,
}

/// Where items come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One kind.
    One(Kind),
    /// Questions and answers, shown as posts.
    Posts,
}

/// A way to sort: its name, the field it goes by, and what `min` and `max` are.
#[derive(Debug, PartialEq, Eq)]
pub struct Sort {
    pub name: &'static str,
    pub field: &'static str,
    pub bounds: Bounds,
}

/// What `min` and `max` of a sort are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Dates or counts.
    Numbers,
    /// Names.
    Text,
    /// They are refused.
    None,
}

const fn items(template: &'static str, kind: Kind, by: &'static str) -> Method {
    Method { template, about: About::Items(Source::One(kind), by) }
}

/// What all paths begin with.
pub const BASE: &str = "/2.3";

const METHODS: &[Method] = &[
    items("/questions", Kind::Questions, ""),
    items("/questions/{ids}", Kind::Questions, "question_id"),
    items("/questions/{ids}/answers", Kind::Answers, "question_id"),
    items("/questions/{ids}/comments", Kind::Comments, "post_id"),
    items("/answers", Kind::Answers, ""),
    items("/answers/{ids}", Kind::Answers, "answer_id"),
    items("/answers/{ids}/comments", Kind::Comments, "post_id"),
    items("/comments", Kind::Comments, ""),
    items("/comments/{ids}", Kind::Comments, "comment_id"),
    Method { template: "/posts", about: About::Items(Source::Posts, "") },
    items("/tags", Kind::Tags, ""),
    items("/tags/synonyms", Kind::Synonyms, ""),
    items("/users", Kind::Users, ""),
    items("/users/{ids}", Kind::Users, "user_id"),
    Method { template: "/info", about: About::Info },
    Method { template: "/sites", about: About::Sites },
    Method { template: "/errors/{id}", about: About::Error },
    Method { template: "/filters/create", about: About::NewFilter },
];

const fn sort(name: &'static str, field: &'static str) -> Sort {
    Sort { name, field, bounds: Bounds::Numbers }
}

const fn hot(name: &'static str) -> Sort {
    Sort { name, field: "score", bounds: Bounds::None }
}

const fn name(field: &'static str) -> Sort {
    Sort { name: "name", field, bounds: Bounds::Text }
}

const ACTIVITY: Sort = sort("activity", "last_activity_date");
const CREATION: Sort = sort("creation", "creation_date");
const VOTES: Sort = sort("votes", "score");
const MODIFIED: Sort = sort("modified", "last_modified_date");
const APPLIED: Sort = sort("activity", "last_applied_date");

impl Source {
    /// Returns the ways to sort; the first is taken when a request names none.
    pub fn sorts(self) -> &'static [Sort] {
        match self {
            Self::One(Kind::Questions) => const { &[ACTIVITY, VOTES, CREATION, hot("hot"), hot("week"), hot("month")] },
            Self::One(Kind::Answers) | Self::Posts => const { &[ACTIVITY, CREATION, VOTES] },
            Self::One(Kind::Comments) => const { &[CREATION, VOTES] },
            Self::One(Kind::Tags) => const { &[sort("popular", "count"), ACTIVITY, name("name")] },
            Self::One(Kind::Users) => {
                const { &[sort("reputation", "reputation"), CREATION, name("display_name"), MODIFIED] }
            }
            Self::One(Kind::Synonyms) => const { &[CREATION, sort("applied", "applied_count"), APPLIED] },
        }
    }
}

/// Returns the template of the method that a path belongs to.
pub fn template(path: &str) -> Option<&'static str> {
    find(path).map(|method| method.template)
}

/// Returns the method of a path with the path's ids.
///
/// # Errors
/// When there is none, also because an id is no number; when there are more than 100 ids.
pub fn route(path: &str) -> Result<(&'static Method, Vec<i64>), Refusal> {
    let method = find(path).ok_or_else(no_method)?;
    let mut ids = Vec::new();
    let parts = path.trim_start_matches(BASE).split('/');
    for (part, pattern) in parts.zip(method.template.split('/')) {
        if pattern.starts_with('{') {
            let numbers: Result<Vec<i64>, _> = part.split(';').map(str::parse).collect();
            ids = numbers.map_err(|_| no_method())?;
        }
    }
    if ids.len() > 100 {
        return Err(Refusal::parameter("ids"));
    }
    Ok((method, ids))
}

fn find(path: &str) -> Option<&'static Method> {
    let path = path.strip_prefix(BASE)?;
    let fits = |method: &&Method| {
        let (path, template) = (path.split('/'), method.template.split('/'));
        path.clone().count() == template.clone().count()
            && path.zip(template).all(|(part, pattern)| {
                part == pattern || pattern.starts_with('{') && part.starts_with(|first: char| first.is_ascii_digit())
            })
    };
    METHODS.iter().find(fits)
}

fn no_method() -> Refusal {
    Refusal::known(404).unwrap()
}
