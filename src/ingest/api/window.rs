//! From a span of time to the lists that hold everything created or changed in it.

use serde::{Deserialize, Serialize};

use super::cursor::{Cursor, ItemKey};
use super::endpoint::{Endpoint, ReadOrder, Sort};

/// How far back reading on from the watermark begins: what was answered from the API's caches may have been older.
const OVERLAP_SECONDS: i64 = 3600;

/// How long the API may go on answering as things were. Source: api.stackexchange.com/docs/throttle says a minute for the
/// same question.
const LAG_SECONDS: i64 = 300;

/// A span that ended no longer ago than this is read to now: little more comes in than would need another request.
const RECENT_SECONDS: i64 = 24 * 3600;

/// A span of time, seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Its first second.
    pub from: i64,
    /// The first second after it; `None`: it reaches to now.
    pub until: Option<i64>,
    /// The first second that was not asked for; whatever comes after it is by the way.
    pub asked: Option<i64>,
    /// What counts as read before this second once the window has been read, even if nothing newer was seen.
    pub settled: i64,
}

impl Window {
    /// Returns the window from `from` to before `until`, read to now when that is recent.
    pub fn new(from: i64, until: i64, now: i64) -> Self {
        let settled = until.min(now - LAG_SECONDS).max(from);
        let past = until < now - RECENT_SECONDS;
        Self { from, until: past.then_some(until), asked: Some(until), settled }
    }

    /// Returns the window from where reading ended before, `end`, to now.
    pub fn following(end: i64) -> Self {
        Self { from: end - OVERLAP_SECONDS, until: None, asked: None, settled: end }
    }

    /// Returns the lists to read, in this order; together they have everything of the window.
    ///
    /// The API's `min` and `max` follow the sort, `fromdate` and `todate` always the creation. Items created in a window
    /// that ended long ago and changed since stand behind it in the order of activity: they are a list of their own. It
    /// is read second, so that what changes meanwhile is found there.
    pub fn lists(&self, endpoint: &Endpoint) -> Vec<Cursor> {
        let (first, last) = (Some(self.from), self.until.map(|until| until - 1));
        let cursor = |sort| Cursor::new(sort, first.map(ItemKey::Number), last.map(ItemKey::Number));
        match endpoint.order {
            ReadOrder::Name => vec![Cursor::new(Sort::Name, None, None)],
            ReadOrder::Creation => vec![cursor(Sort::Creation)],
            ReadOrder::Modification => {
                let changed = cursor(Sort::Modified).created(None, Some(self.from - 1));
                vec![cursor(Sort::Creation), changed]
            }
            ReadOrder::Activity => {
                let since = self.until.map(|until| {
                    Cursor::new(Sort::Activity, Some(ItemKey::Number(until)), None).created(first, Some(until - 1))
                });
                std::iter::once(cursor(Sort::Activity)).chain(since).collect()
            }
        }
    }
}

/// Spans of time that have been read, sorted and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spans(pub Vec<(i64, i64)>);

impl Spans {
    /// Adds the span from `from` to before `until`.
    pub fn add(&mut self, from: i64, until: i64) {
        let (mut from, mut until) = (from, until.max(from));
        self.0.retain(|&(first, end)| {
            let touches = first <= until && end >= from;
            if touches {
                (from, until) = (from.min(first), until.max(end));
            }
            !touches
        });
        let at = self.0.partition_point(|&(first, _)| first < from);
        self.0.insert(at, (from, until));
    }

    /// Returns whether all from `from` to before `until` is in one span.
    pub fn cover(&self, from: i64, until: i64) -> bool {
        self.0.iter().any(|&(first, end)| first <= from && until <= end)
    }

    /// Returns where the last span ends.
    pub fn end(&self) -> Option<i64> {
        self.0.last().map(|&(_, end)| end)
    }

    /// Returns what lies between the spans, each from its first second to the first one after it.
    pub fn gaps(&self) -> Vec<(i64, i64)> {
        self.0.windows(2).map(|pair| (pair[0].1, pair[1].0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::endpoint::endpoint;
    use super::*;

    #[test]
    fn a_past_window_is_two_lists_without_an_item_in_common_and_a_recent_one_is_one() {
        let questions = endpoint("questions").unwrap();
        let past = Window::new(1_000, 2_000, 1_000_000).lists(questions);
        let [within, since] = past.as_slice() else { panic!("{past:?}") };
        assert_eq!((&within.min, &within.max), (&Some(ItemKey::Number(1_000)), &Some(ItemKey::Number(1_999))));
        assert_eq!(
            (&since.min, &since.max, since.created),
            (&Some(ItemKey::Number(2_000)), &None, (Some(1_000), Some(1_999)))
        );
        let recent = Window::new(1_000, 2_000, 2_000 + RECENT_SECONDS).lists(questions);
        assert_eq!(recent.len(), 1);
        assert_eq!(recent[0].max, None);
        assert_eq!(Window::new(1_000, 2_000, 1_000_000).lists(endpoint("comments").unwrap()).len(), 1);
        assert_eq!(Window::new(1_000, 2_000, 1_000_000).lists(endpoint("tags").unwrap())[0].min, None);
    }

    proptest! {
        #[test]
        fn spans_hold_exactly_what_was_added(added in prop::collection::vec((0_i64..60, 0_i64..20), 0..12)) {
            let mut spans = Spans::default();
            for (from, length) in &added {
                spans.add(*from, from + length);
            }
            for second in 0..90 {
                let expected = added.iter().any(|(from, length)| (*from..from + length).contains(&second));
                prop_assert_eq!(spans.cover(second, second + 1), expected, "{} in {:?}", second, &spans);
            }
            prop_assert!(spans.gaps().iter().all(|(from, until)| from < until), "{:?}", spans);
        }
    }
}
