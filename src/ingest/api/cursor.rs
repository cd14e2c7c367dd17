//! Reads a sorted list to its end without page numbers (keyset pagination): each page begins at the value the one before
//! it ended with.
//!
//! New and changed items only ever move behind the place that is being read, removed ones take nothing with them, and no
//! limit on page numbers is met. Page numbers are needed inside one second with more items than a page holds; there the
//! pages overlap, so that items which moved up across a border of pages show themselves.

use serde::{Deserialize, Serialize};

use super::endpoint::Sort;

/// The most items of a page. Source: api.stackexchange.com/docs/paging.
pub const PAGE: u64 = 100;

/// How many items neighbouring pages share inside a crowded second, at best.
const OVERLAP: u64 = 10;

/// How often a crowded second is begun again because items moved while it was read.
const RESTARTS: u64 = 20;

/// How many pages that bring nothing, and say that there is more, are believed, one after the other.
const FRUITLESS_PAGES: u32 = 5;

/// What items are ordered or told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ItemKey {
    /// An id, or seconds since 1970.
    Number(i64),
    /// A tag's name.
    Text(String),
}

impl std::fmt::Display for ItemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// An item, as far as reading on is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListItem {
    /// What tells it from others.
    pub id: ItemKey,
    /// What it is ordered by.
    pub value: Option<ItemKey>,
}

/// A way through a sorted list, as far as it has been gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What the list is sorted by, ascending.
    pub sort: Sort,
    /// Where the next page begins, inclusive.
    pub min: Option<ItemKey>,
    /// Where the list ends, inclusive.
    pub max: Option<ItemKey>,
    /// The first and last `creation_date` of items wanted, inclusive.
    pub created: (Option<i64>, Option<i64>),
    /// Set while more than a page of items has the value `min`.
    #[serde(rename = "crowd", skip_serializing_if = "Option::is_none")]
    ties: Option<TiedItems>,
    restarts: u64,
    /// How many items of the value `min` were come by so far: reading those again gets on without bringing anything.
    reach: u64,
    /// How many pages have brought nothing, one after the other.
    fruitless: u32,
}

/// The place within items of one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TiedItems {
    /// How many items from the value's first one on are known.
    covered: u64,
    /// The ids on the page before.
    tail: Vec<ItemKey>,
}

impl TiedItems {
    /// How many items the next page shares with what is known, at least.
    fn overlap(&self) -> u64 {
        OVERLAP.min(self.covered / 4)
    }

    /// Returns the page, and its size, that reaches furthest without leaving a gap.
    fn next(&self, most: u64) -> (u64, u64) {
        let begin = (self.covered - self.overlap()).max(1);
        let pages = (1..=begin).map(|before| (before + 1, most.min(begin / before)));
        let far = |&(page, size): &(u64, u64)| (page * size, std::cmp::Reverse(page));
        pages.max_by_key(far).unwrap_or((2, most))
    }
}

/// Why a list cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Pages without items say that there are more.
    Empty,
    /// Pages of a crowded second bring nothing new and say that there is more.
    Circling,
    /// A crowded second never keeps still.
    Restless,
    /// No item of a page has the field that the list is sorted by.
    Unordered,
}

impl Cursor {
    /// Returns the way through everything from `min` to `max`, both inclusive.
    pub fn new(sort: Sort, min: Option<ItemKey>, max: Option<ItemKey>) -> Self {
        Self { sort, min, max, created: (None, None), ties: None, restarts: 0, reach: 0, fruitless: 0 }
    }

    /// Returns the way through items with a `creation_date` from `from` to `to`, both inclusive.
    #[must_use]
    pub fn created(self, from: Option<i64>, to: Option<i64>) -> Self {
        Self { created: (from, to), ..self }
    }

    /// Returns the number and the size of the page to ask for.
    pub fn page(&self) -> (u64, u64) {
        // Another size is another question: the API would answer the same one from its memory, as things were before.
        let most = PAGE - self.restarts;
        self.ties.as_ref().map_or((1, most), |ties| ties.next(most))
    }

    /// Goes on behind a page, which is `fresh` when an item of it is on no page that this process has read before; returns
    /// whether the list has ended. After a restart a page may be called fresh that is not, which only delays
    /// [`Stuck::Circling`].
    ///
    /// # Errors
    /// `Stuck` when asking on would never end.
    pub fn take(&mut self, rows: &[ListItem], fresh: bool, has_more: bool) -> Result<bool, Stuck> {
        let (page, size) = self.page();
        let start = (page - 1) * size;
        let last = rows.iter().filter_map(|row| row.value.as_ref()).max();
        if let Some(ties) = &self.ties
            && start < ties.covered
            && !rows.iter().any(|row| ties.tail.contains(&row.id))
        {
            // Nothing that is known is where it should be: items between may have moved up and been passed over.
            self.restarts += 1;
            self.ties = None;
            return if self.restarts > RESTARTS { Err(Stuck::Restless) } else { Ok(false) };
        }
        if !has_more {
            return Ok(true);
        }
        let covered = start + rows.len() as u64;
        match last {
            Some(last) if self.min.as_ref().is_none_or(|min| last > min) => {
                self.min = Some(last.clone());
                (self.ties, self.reach, self.fruitless) = (None, 0, 0);
            }
            None if !rows.is_empty() => return Err(Stuck::Unordered),
            None => {
                self.ties = Some(TiedItems { covered: start + size, tail: Vec::new() });
                self.count_fruitless(Stuck::Empty)?;
            }
            Some(_) => {
                let before = self.ties.as_ref().map_or(0, |ties| ties.covered);
                self.ties = Some(TiedItems { covered, tail: rows.iter().map(|row| row.id.clone()).collect() });
                if fresh {
                    (self.reach, self.fruitless) = (self.reach.max(covered), 0);
                } else if covered <= before || covered > self.reach {
                    self.count_fruitless(Stuck::Circling)?;
                }
            }
        }
        Ok(false)
    }

    /// Counts a page that brought nothing.
    fn count_fruitless(&mut self, stuck: Stuck) -> Result<(), Stuck> {
        self.fruitless += 1;
        if self.fruitless < FRUITLESS_PAGES { Ok(()) } else { Err(stuck) }
    }
}

#[cfg(test)]
mod tests;
