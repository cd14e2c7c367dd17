//! Which items a page has, in which order.

use serde_json::Value;

use super::methods::{Sort, Source};
use super::parameters::{Bound, Query};
use super::{Kind, World};

/// The value that items are sorted by. An item without one comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Nothing,
    Number(i64),
    Text(&'a str),
}

/// A page before it is put into words.
pub struct Selected<'a> {
    pub items: Vec<(Kind, &'a Value)>,
    pub has_more: bool,
    pub total: usize,
}

/// Returns a page of the items that a query means, those among them whose field `by` is one of `ids` when there is one.
/// Items with the same value are in the order of their ids, turned round with the rest.
pub fn select<'a>(world: &'a World, source: Source, (by, ids): (&str, &[i64]), query: &Query) -> Selected<'a> {
    let kinds: &[Kind] = match &source {
        Source::One(kind) => std::slice::from_ref(kind),
        Source::Posts => &[Kind::Questions, Kind::Answers],
    };
    let all = kinds.iter().flat_map(|kind| world.items(*kind).map(|item| (*kind, item)));
    let wanted = all.filter(|(_, item)| by.is_empty() || item[by].as_i64().is_some_and(|id| ids.contains(&id)));
    let mut found: Vec<_> = wanted
        .filter(|(_, item)| meant(item, query))
        .map(|(kind, item)| (key(item, query.sort), key_of(&item[kind.identity()]), kind, item))
        .collect();
    found.sort_unstable_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
    if !query.ascending {
        found.reverse();
    }
    let (total, size) = (found.len(), query.page_size as usize);
    let before = size.saturating_mul(query.page as usize - 1);
    let items: Vec<_> = found.into_iter().skip(before).take(size).map(|(_, _, kind, item)| (kind, item)).collect();
    Selected { has_more: before.saturating_add(size) < total, items, total }
}

fn meant(item: &Value, query: &Query) -> bool {
    let created = || item["creation_date"].as_i64();
    let key = || key(item, query.sort);
    let has = |tag: &String| item["tags"].as_array().is_some_and(|tags| tags.iter().any(|known| known == tag));
    query.min.as_ref().is_none_or(|min| key() != Key::Nothing && key() >= key_of_bound(min))
        && query.max.as_ref().is_none_or(|max| key() != Key::Nothing && key() <= key_of_bound(max))
        && query.from.is_none_or(|from| created() >= Some(from))
        && query.to.is_none_or(|to| created().is_some_and(|at| at <= to))
        && query.tagged.iter().all(has)
}

fn key<'a>(item: &'a Value, sort: &Sort) -> Key<'a> {
    key_of(&item[sort.field])
}

fn key_of(value: &Value) -> Key<'_> {
    match value {
        Value::Number(number) => number.as_i64().map_or(Key::Nothing, Key::Number),
        Value::String(text) => Key::Text(text),
        _ => Key::Nothing,
    }
}

fn key_of_bound(bound: &Bound) -> Key<'_> {
    match bound {
        Bound::Number(number) => Key::Number(*number),
        Bound::Text(text) => Key::Text(text),
    }
}
