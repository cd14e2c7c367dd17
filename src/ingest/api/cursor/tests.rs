use proptest::prelude::*;

use super::*;

/// A list that the API would have, ascending by value and id.
#[derive(Clone, Debug)]
struct List(Vec<(i64, i64)>);

impl List {
    fn answer(&self, cursor: &Cursor) -> (Vec<ListItem>, bool) {
        let (page, size) = cursor.page();
        let least = match &cursor.min {
            Some(ItemKey::Number(least)) => *least,
            _ => i64::MIN,
        };
        let mut sorted: Vec<_> = self.0.iter().filter(|(value, _)| *value >= least).collect();
        sorted.sort();
        let start = ((page - 1) * size) as usize;
        let end = start + size as usize;
        let rows = sorted.iter().skip(start).take(size as usize);
        let row =
            |&&(value, id): &&(i64, i64)| ListItem { id: ItemKey::Number(id), value: Some(ItemKey::Number(value)) };
        (rows.map(row).collect(), sorted.len() > end)
    }
}

/// Reads `list` to its end, changing it with `between` before each page; returns the ids seen and the pages taken.
fn read(list: &mut List, mut between: impl FnMut(&mut List, usize)) -> (Vec<i64>, usize) {
    let mut cursor = Cursor::new(Sort::Activity, Some(ItemKey::Number(0)), None);
    let mut seen = Vec::new();
    for pages in 1..500 {
        between(list, pages);
        let (rows, more) = list.answer(&cursor);
        let before = seen.len();
        seen.extend(rows.iter().map(|row| match row.id {
            ItemKey::Number(id) => id,
            ItemKey::Text(_) => 0,
        }));
        let fresh = seen[before..].iter().any(|id| !seen[..before].contains(id));
        if cursor.take(&rows, fresh, more).unwrap() {
            return (seen, pages);
        }
    }
    panic!("no end in sight: {cursor:?}");
}

fn spread(items: i64) -> List {
    List((0..items).map(|id| (1_000 + 7 * id, id)).collect())
}

#[test]
fn a_list_is_read_with_one_item_of_each_page_twice() {
    for (items, pages) in [(0, 1), (1, 1), (100, 1), (101, 2), (199, 2), (200, 3), (1_238, 13), (1_956, 20)] {
        let (seen, took) = read(&mut spread(items), |_, _| {});
        assert_eq!(took, pages, "{items} items");
        assert_eq!(seen.len() as i64, items + took as i64 - 1, "{items} items");
    }
}

#[test]
fn a_crowded_second_is_read_in_pages_that_overlap() {
    let ties = |items: i64| List((0..items).map(|id| (5_000, id)).chain([(4_000, -1), (6_000, -2)]).collect());
    for (items, most) in [(99, 2), (100, 3), (101, 4), (250, 5), (1_000, 14)] {
        let (seen, took) = read(&mut ties(items), |_, _| {});
        let distinct: std::collections::BTreeSet<i64> = seen.into_iter().collect();
        assert_eq!(distinct.len() as i64, items + 2);
        assert!(took <= most, "{items} items took {took} pages");
    }
}

#[test]
fn items_that_move_up_within_a_crowded_second_are_not_passed_over() {
    // With page numbers alone, 30 items that vanish from the first page take the next 30 of the second with them.
    let mut list = List((0..400).map(|id| (5_000, id)).collect());
    let (seen, _) = read(&mut list, |list, page| {
        if page == 2 {
            list.0.retain(|(_, id)| *id >= 30);
        }
    });
    assert!((30..400).all(|id| seen.contains(&id)), "{seen:?}");
}

#[test]
fn what_never_ends_is_an_error() {
    let start = || Cursor::new(Sort::Activity, Some(ItemKey::Number(0)), None);
    let mut cursor = start();
    let ended = (0..10).find_map(|_| cursor.take(&[], false, true).err());
    assert_eq!(ended, Some(Stuck::Empty));
    let nameless = ListItem { id: ItemKey::Number(1), value: None };
    assert_eq!(start().take(&[nameless], true, true), Err(Stuck::Unordered));
    let mut cursor = start();
    let restless = (0..1_000_i64).find_map(|turn| {
        let row = |id| ListItem { id: ItemKey::Number(turn * 1_000 + id), value: Some(ItemKey::Number(0)) };
        cursor.take(&(0..50).map(row).collect::<Vec<_>>(), true, true).err()
    });
    assert_eq!(restless, Some(Stuck::Restless));
}

/// Whether the last page comes again and again, or the first one whatever is asked for.
#[test]
fn a_second_whose_pages_bring_nothing_new_and_never_end_is_an_error() {
    for ignores_pages in [false, true] {
        let list = List((0..150).map(|id| (5_000, id)).collect());
        let mut cursor = Cursor::new(Sort::Activity, Some(ItemKey::Number(0)), None);
        let first = list.answer(&cursor).0;
        let mut seen = std::collections::HashSet::new();
        let ended = (0..30).find_map(|pages| {
            let rows = if ignores_pages { first.clone() } else { list.answer(&cursor).0 };
            let fresh = rows.iter().filter(|row| seen.insert(row.id.clone())).count() > 0;
            cursor.take(&rows, fresh, true).err().map(|stuck| (pages, stuck))
        });
        let (pages, stuck) = ended.unwrap();
        assert_eq!(stuck, Stuck::Circling);
        assert!(pages < 12, "{pages} pages");
    }
}

#[test]
fn a_walk_goes_on_from_what_was_written_down() {
    let list = List((0..400).map(|id| (5_000, id)).collect());
    let mut cursor = Cursor::new(Sort::Activity, Some(ItemKey::Number(0)), None);
    for _ in 0..3 {
        let (rows, more) = list.answer(&cursor);
        cursor.take(&rows, true, more).unwrap();
        let text = serde_json::to_string(&cursor).unwrap();
        assert_eq!(serde_json::from_str::<Cursor>(&text).unwrap(), cursor, "{text}");
    }
}

/// Something that happens to a list while it is read.
#[derive(Clone, Debug)]
enum Change {
    Vanish(usize),
    Touch(usize),
    Arrive,
}

proptest! {
    #[test]
    fn nothing_that_was_there_throughout_is_missed(
        values in prop::collection::vec(0_i64..40, 1..900),
        changes in prop::collection::vec((1_usize..30, prop_oneof![
            any::<usize>().prop_map(Change::Vanish),
            any::<usize>().prop_map(Change::Touch),
            Just(Change::Arrive),
        ]), 0..120),
    ) {
        // Seconds that follow each other closely, many of them crowded.
        let mut list = List(values.iter().enumerate().map(|(id, value)| (1_000 + value * value / 9, id as i64)).collect());
        let mut stayed: std::collections::BTreeSet<i64> = (0..list.0.len() as i64).collect();
        let (mut now, mut next) = (10_000, 1_000_000);
        let (seen, _) = read(&mut list, |list, page| {
            for (_, change) in changes.iter().filter(|(at, _)| *at == page) {
                now += 1;
                match change {
                    Change::Arrive => {
                        list.0.push((now, next));
                        next += 1;
                    }
                    Change::Vanish(at) if !list.0.is_empty() => {
                        let at = at % list.0.len();
                        stayed.remove(&list.0.remove(at).1);
                    }
                    Change::Touch(at) if !list.0.is_empty() => {
                        let at = at % list.0.len();
                        list.0[at].0 = now;
                    }
                    _ => {}
                }
            }
        });
        let missed: Vec<_> = stayed.iter().filter(|id| !seen.contains(id)).collect();
        prop_assert!(missed.is_empty(), "missed {:?}", missed);
    }
}
