//! Everything the sample's items are made from, and the order in which a collector would have received them.

use serde::Serialize;
use serde_json::Value;

use super::SEED;
use super::items;
use super::outline::Outline;
use super::people::{self, Owner};
use super::tags::Tags;
use super::text::Phrases;
use crate::error::{Error, Kind, Result};

/// An endpoint of the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Answers,
    Comments,
    Questions,
}

impl Endpoint {
    /// All endpoints, sorted by name.
    pub const ALL: [Self; 3] = [Self::Answers, Self::Comments, Self::Questions];

    /// Returns the endpoint's name in the API and in raw.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Comments => "comments",
            Self::Questions => "questions",
        }
    }
}

/// The sample's rows and what their texts are made from.
pub struct World {
    pub tags: Tags,
    pub phrases: Phrases,
    pub outline: Outline,
}

impl World {
    /// Returns the world of the sample at `scale`.
    pub fn new(scale: u32) -> Self {
        let tags = Tags::load();
        let outline = Outline::new(SEED, scale, &tags);
        Self { tags, phrases: Phrases::load(), outline }
    }

    /// Returns a user by number.
    pub fn owner(&self, number: u32) -> Owner {
        people::owner(&self.phrases, number)
    }

    /// Returns how many rows an endpoint has.
    pub fn rows(&self, endpoint: Endpoint) -> usize {
        match endpoint {
            Endpoint::Answers => self.outline.answers.len(),
            Endpoint::Comments => self.outline.comments.len(),
            Endpoint::Questions => self.outline.questions.len(),
        }
    }

    /// Returns the JSON of a row; a `newer` one is as it was seen somewhat later.
    pub fn item(&self, endpoint: Endpoint, index: usize, newer: bool) -> Result<String> {
        let outline = &self.outline;
        match endpoint {
            Endpoint::Answers => {
                to_json(outline.answers.get(index).and_then(|row| items::answer(self, index, row, newer)))
            }
            Endpoint::Comments => {
                to_json(outline.comments.get(index).and_then(|row| items::comment(self, index, row, newer)))
            }
            Endpoint::Questions => {
                to_json(outline.questions.get(index).and_then(|row| items::question(self, index, row, newer)))
            }
        }
    }

    /// Returns the malformed copy that follows a few rows, so that there is something to quarantine.
    pub fn malformed(&self, endpoint: Endpoint, index: usize) -> Result<Option<String>> {
        let change: fn(&mut serde_json::Map<String, Value>) = match (endpoint, index) {
            (Endpoint::Questions, index) if index % 2_000 == 701 => |item| drop(item.shift_remove("question_id")),
            (Endpoint::Questions, index) if index % 2_000 == 1_701 => {
                |item| drop(item.insert("score".into(), "n/a".into()))
            }
            (Endpoint::Answers, index) if index % 3_000 == 1_201 => {
                |item| drop(item.insert("creation_date".into(), "yesterday".into()))
            }
            _ => return Ok(None),
        };
        let mut item: Value = serde_json::from_str(&self.item(endpoint, index, false)?).map_err(broken)?;
        item.as_object_mut().into_iter().for_each(change);
        serde_json::to_string(&item).map(Some).map_err(broken)
    }
}

fn to_json(item: Option<impl Serialize>) -> Result<String> {
    let item = item.ok_or_else(|| Error::new(Kind::Internal, "the sample has no such row"))?;
    serde_json::to_string(&item).map_err(broken)
}

fn broken(error: serde_json::Error) -> Error {
    Error::new(Kind::Internal, "cannot write the sample").caused_by(error)
}
