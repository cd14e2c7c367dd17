use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

use super::*;
use crate::job::{Chart, ChartKind, ShowAs};

const BAD: &str = "<script>alert('x')</script> & \"a|b\" [l](x) \u{202e}";

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn chart(kind: ChartKind) -> Chart {
    let word = |word: &str| format!("{word} {BAD}");
    let (title, text, note) = (word("title"), word("text"), word("note"));
    Chart { title, kind, text, note, show_as: ShowAs::Number, sql: String::new() }
}

/// Returns a chart of each kind whose every text would be markup if it were not escaped.
fn figures() -> Vec<Figure> {
    let rows = batch(vec![
        ("label", text(&[BAD, BAD, "b", "b"])),
        ("x", text(&["2026-01", "2026-02", "2026-01", "2026-02"])),
        ("a", text(&[BAD, "a", "b", "c"])),
        ("b", text(&["b", BAD, "c", "a"])),
        ("value", numbers(&[1.0, 2.0, -1.0, 0.5])),
        ("low", numbers(&[0.5, 1.5, -2.0, 0.0])),
        ("high", numbers(&[1.5, 2.5, 0.0, 1.0])),
        ("n", Arc::new(Int64Array::from(vec![1000, 2, 3, 4]))),
        ("status", text(&[BAD, "rising", BAD, "falling"])),
        ("note", text(&[BAD; 4])),
    ]);
    use ChartKind::{Bars, Columns, Intervals, Lines, Network, Tiles, Trends};
    let rows = ChartRows::read(&[rows], 10);
    [Tiles, Trends, Lines, Intervals, Columns, Bars, Network].map(|kind| Figure::new(&chart(kind), &rows)).into()
}

fn page(figures: Vec<Figure>) -> ReportPage {
    let job = serde_json::json!({
        "name": "daily", "path": "jobs/daily.yaml", "description": BAD, "parameters": {}, "steps": [], "tables": {},
        "insights": [], "needs": {},
    });
    let job: Job = serde_json::from_value(job).unwrap();
    let mut record = RunRecord::example("daily.2026-11-22.1");
    record.error = Some(BAD.into());
    let insights = vec![InsightLines { title: BAD.into(), lines: vec![BAD.into()] }];
    let (index, now) = (Index::default(), Timestamp::UNIX_EPOCH);
    ReportPage::new(PageSource { job: &job, run: Some(&record), index: &index, made_up: true, insights, figures, now })
}

#[test]
fn no_text_is_markup() {
    let html = page(figures()).html().unwrap();
    assert_eq!(html.matches("<script>").count(), 1, "only our own");
    assert_eq!(html.matches("alert(&#39;x&#39;)").count(), html.matches("alert(").count());
    assert!(html.matches("alert(").count() > 20 && !html.contains('\u{202e}'), "{html}");
    let markdown = page(figures()).markdown().unwrap();
    assert!(!markdown.contains("<script") && !markdown.contains("[l]"), "{markdown}");
    for line in markdown.lines().filter(|line| line.starts_with('|') && line.contains("alert")) {
        assert!(line.contains("a\\|b"), "{line}");
    }
}

#[test]
fn the_same_rows_are_the_same_page() {
    assert_eq!(page(figures()).html().unwrap(), page(figures()).html().unwrap());
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let html = page(figures()).html().unwrap();
    let found = ["://", "src=", "@import", "url(", "<link rel=\"stylesheet"].map(|word| html.contains(word));
    assert_eq!(found, [false; 5]);
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_chart_without_rows_or_columns_says_so() {
    let html = |rows: &ChartRows| page(vec![Figure::new(&chart(ChartKind::Lines), rows)]).html().unwrap();
    assert!(html(&ChartRows::default()).contains("There is nothing to show yet."));
    let rows = ChartRows::read(&[batch(vec![("label", text(&["a"])), ("value", numbers(&[1.0]))])], 10);
    assert!(html(&rows).contains("This chart cannot be drawn: its query has no column `x`."));
}

#[test]
fn odd_values_are_drawn_within_the_drawing() {
    let value = [f64::NAN, f64::INFINITY, 0.0, 1e300];
    let rows = batch(vec![
        ("label", text(&["a", "a", "b", "c"])),
        ("x", text(&["", "z", "2026-99", ""])),
        ("value", numbers(&value)),
    ]);
    for kind in [ChartKind::Trends, ChartKind::Lines, ChartKind::Intervals, ChartKind::Columns, ChartKind::Bars] {
        let html =
            page(vec![Figure::new(&chart(kind), &ChartRows::read(std::slice::from_ref(&rows), 3))]).html().unwrap();
        let drawn = html.split("<svg").skip(1).map(|svg| svg.split("</svg").next().unwrap()).collect::<String>();
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{kind:?}: {drawn}");
        assert!(html.contains("There are more rows than these."), "{kind:?}");
    }
}

#[test]
fn names_below_an_axis_stand_apart_however_uneven_the_months_are() {
    let months = ["2021-03", "2021-04", "2021-05", "2021-08", "2023-11", "2025-07"];
    let rows = batch(vec![("label", text(&["a"; 6])), ("x", text(&months)), ("value", numbers(&[1.0; 6]))]);
    let html = page(vec![Figure::new(&chart(ChartKind::Lines), &ChartRows::read(&[rows], 10))]).html().unwrap();
    let place = |name: &str| {
        let text = html.lines().find(|line| line.contains(&format!(">{name}</text>")))?;
        let text = &text[..text.find(&format!(">{name}</text>"))?];
        text.rsplit_once("x=\"")?.1.split('"').next()?.parse::<f64>().ok()
    };
    let places: Vec<f64> = ["Mar ’21", "Nov ’23", "Jul ’25"].iter().filter_map(|name| place(name)).collect();
    assert_eq!(places.len(), 3);
    assert_eq!((place("Apr"), place("May")), (None, None), "they would stand on the first one");
    assert!(places.is_sorted_by(|a, b| b - a >= 50.0), "{places:?}");
}

/// Relative luminance and contrast as WCAG 2.2 defines them.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |colour: &str| {
        let digits = colour.trim_start_matches('#');
        let full: String =
            if digits.len() == 3 { digits.chars().flat_map(|c| [c, c]).collect() } else { digits.into() };
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&full[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn every_colour_of_text_can_be_read_in_light_dark_and_print() {
    let mut themes = 0;
    for block in STYLE.split('{').filter(|block| block.contains("--bg:")) {
        let pairs = block
            .split('}')
            .next()
            .unwrap()
            .split(';')
            .filter_map(|pair| pair.trim().strip_prefix("--")?.split_once(": "));
        let colours: BTreeMap<&str, &str> = pairs.collect();
        themes += 1;
        for name in ["fg", "dim", "link", "up", "down", "flat", "c1", "c2", "c3", "c4", "bad", "open"] {
            for ground in ["bg", "card"] {
                let found = contrast(colours[name], colours[ground]);
                assert!(found >= 4.5, "{name} on {ground} of theme {themes}: {found:.2}");
            }
        }
        for name in ["up", "bad", "open"] {
            assert!(contrast(colours["on"], colours[name]) >= 4.5, "on {name} of theme {themes}");
        }
        // Lines and bars need less.
        assert!(contrast(colours["part"], colours["bg"]) >= 3.0, "part of theme {themes}");
    }
    assert_eq!(themes, 4);
}
