use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use super::units::{parse_pause, parse_share, parse_size};
use super::*;
use crate::error::{Error, Kind};

fn read(text: &str) -> (Option<Node>, Problems) {
    let mut problems = Problems::default();
    let node = parse(&Source::file("a.yaml", text), &mut problems);
    (node, problems)
}

fn refused(text: &str) -> String {
    let (_, problems) = read(text);
    assert!(problems.has_errors(), "accepted: {text}");
    problems.render()
}

/// The characters a node's place marks.
fn marked(place: &Place) -> String {
    place.text().chars().skip(place.column - 1).take(place.width).collect()
}

fn entries(node: &Node) -> &[Entry] {
    assert!(matches!(node.content, Content::Map(_)), "not a mapping");
    node.entries()
}

#[test]
fn every_node_knows_where_it_was_written() {
    let text =
        "a: plain text  # why\nb: \"qu\\\"oted\"\nc: [1, two]\nd:\n  - x: y\ne: |\n  block\n  text\nf: { g: h }\ni:\n";
    let (node, _) = read(text);
    let node = node.unwrap();
    let places: Vec<_> = entries(&node)
        .iter()
        .map(|entry| (entry.place.line, marked(&entry.place), entry.value.place.line, marked(&entry.value.place)))
        .collect();
    let owned = |a: usize, b: &str, c: usize, d: &str| (a, b.to_string(), c, d.to_string());
    assert_eq!(
        places,
        [
            owned(1, "a", 1, "plain text"),
            owned(2, "b", 2, "\"qu\\\"oted\""),
            owned(3, "c", 3, "[1, two]"),
            owned(4, "d", 5, "- x: y"),
            owned(6, "e", 7, "block"),
            owned(9, "f", 9, "{ g: h }"),
            owned(10, "i", 10, ":"),
        ]
    );
}

#[test]
fn a_problem_is_drawn_below_what_was_written() {
    let (node, mut problems) = read("steps:\n  one:\n    worker: 3\n");
    let node = node.unwrap();
    let step = json!({ "type": "object", "properties": { "workers": {}, "script": {} } });
    let schema =
        json!({ "type": "object", "properties": { "steps": { "type": "object", "additionalProperties": step } } });
    check(&node, &schema, "a job", &|_, text| Ok(Some(text.into())), &mut problems);
    let expected = "\
error: unknown key `worker`
 --> a.yaml:3:5
  |
3 |     worker: 3
  |     ^^^^^^
  = hint: did you mean `workers`?";
    assert_eq!(problems.render(), expected);
}

#[test]
fn carets_line_up_below_wide_characters_and_tabs() {
    let (node, mut problems) = read("\"日本\": \"\tü\"\n東京: x\t y\n");
    for entry in entries(&node.unwrap()) {
        problems.error(&entry.value.place, "here");
    }
    let expected = "\
error: here
 --> a.yaml:1:7
  |
1 | \"日本\": \"    ü\"
  |         ^^^^^^^

error: here
 --> a.yaml:2:5
  |
2 | 東京: x     y
  |       ^^^^^^^";
    assert_eq!(problems.render(), expected);
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    let (_, mut problems) = read("a: 1\n");
    problems.error(&Source::variable("SOFLOW_ENGINE", "\u{1b}[31mspar\u{202e}"), "unknown engine");
    let rendered = problems.render();
    assert!(!rendered.contains('\u{1b}') && !rendered.contains('\u{202e}'), "{rendered}");
}

#[test]
fn a_long_line_is_cut_around_the_caret() {
    let text = format!("a: [{}oops, {}]\n", "x, ".repeat(2_000), "y, ".repeat(2_000));
    let (node, mut problems) = read(&text);
    let Content::List(items) = &entries(node.as_ref().unwrap())[0].value.content else { panic!("no list") };
    let oops = items.iter().find(|item| marked(&item.place) == "oops").unwrap();
    problems.error(&oops.place, "here");
    let lines: Vec<String> = problems.render().lines().map(String::from).collect();
    assert!(lines[3].len() < 130, "{}", lines[3]);
    let at = lines[4].find('^').unwrap();
    assert_eq!(&lines[3][at..at + 4], "oops");
    // Counted in columns of a terminal.
    for around in ["\t", "日"] {
        let around = around.repeat(2_000);
        let source = Source::file("a.yaml", &format!("{around}oops{around}"));
        Problems::default()
            .error(&Place { source, line: 1, column: 2_001, width: 4 }, "here")
            .render()
            .lines()
            .for_each(|line| assert!(line.width() < 130, "{line}"));
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_invisible() {
    let (node, problems) = read("\u{feff}a: 1\r\nb: x\r\n");
    assert!(!problems.has_errors());
    let node = node.unwrap();
    assert_eq!(entries(&node)[1].place.to_string(), "a.yaml:2:1");
    assert_eq!(entries(&node)[1].value.content, Content::Scalar { text: "x".into(), plain: true });
}

#[test]
fn bytes_that_are_not_utf8_are_shown() {
    let problems = Source::decode("a.yaml", b"ok: 1\nname: caf\xe9\n").unwrap_err();
    let expected = "\
error: the file is text in Latin-1 or Windows-1252
 --> a.yaml:2:10
  |
2 | name: caf\u{fffd}
  |          ^
  = hint: save as UTF-8 (`iconv -f WINDOWS-1252 -t UTF-8`)";
    assert_eq!(problems.render(), expected);
    let problems = Source::decode("a.yaml", b"\xff\xfea\0:\0").unwrap_err();
    let expected = "\
error: the file is UTF-16 text
 --> a.yaml
  = hint: save as UTF-8 (`Out-File -Encoding utf8`)";
    assert_eq!(problems.render(), expected);
}

#[test]
fn what_has_no_use_here_is_refused_by_name() {
    for (text, message) in [
        ("a: 1\nb: 2\na: 3\n", "`a` is written twice"),
        ("a: &x 1\nb: 2\n", "anchors (`&name`) are not supported"),
        ("a: *x\n", "unknown anchor"),
        ("a: !!int 1\n", "tags (`!name`) are not supported"),
        ("a: 1\n---\nb: 2\n", "a second YAML document starts here"),
        ("{[a]: 1}\n", "a key must be text"),
        ("a:\n\tb: 1\n", "a tab cannot indent YAML"),
        ("a: [1, 2\nb: 3\n", "this is not YAML"),
        ("a: \"open\n", "this is not YAML"),
    ] {
        let rendered = refused(text);
        assert!(rendered.contains(message), "{text:?}: {rendered}");
    }
}

#[test]
fn deep_and_large_texts_are_refused_quickly() {
    assert!(refused(&"[".repeat(100_000)).contains("nested deeper"));
    assert!(refused(&"- ".repeat(100_000)).contains("nested deeper"));
    assert!(refused(&"{a: ".repeat(100_000)).contains("nested deeper"));
    assert!(refused(&"x".repeat(2 << 20)).contains("more than"));
    let laughs: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
    assert!(refused(&format!("a0: &a0 x\n{laughs}")).contains("anchors"));
}

#[test]
fn the_largest_texts_are_read_in_reasonable_time() {
    let started = std::time::Instant::now();
    let keys: String = (0..100_000).map(|n| format!("k{n}: 1\n")).collect();
    let list = format!("[{}]", "a, ".repeat(300_000));
    for text in [keys, list, "- a\n".repeat(250_000), format!("a: {}", "x ".repeat(500_000)), "a: b\n".repeat(200_000)]
    {
        let (node, problems) = read(&text);
        assert!(node.is_some() && problems.render().len() < 10_000);
    }
    // Seconds when something looks through the whole text for every value in it: minutes.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn nothing_at_all_is_null() {
    for text in ["", "\n\n", "# only a comment\n", "---\n"] {
        let (node, problems) = read(text);
        assert!(!problems.has_errors(), "{text:?}");
        assert!(node.unwrap().is_null(), "{text:?}");
    }
}

/// The value of one line `v: ...` by a schema, or the message.
fn value(text: &str, schema: serde_json::Value) -> Result<serde_json::Value, String> {
    let (node, mut problems) = read(&format!("v: {text}\n"));
    let schema = json!({ "type": "object", "properties": { "v": schema } });
    let found = check(&node.unwrap(), &schema, "a test", &|_, text| Ok(Some(text.into())), &mut problems).unwrap();
    let told = problems.sorted().first().map(|problem| problem.message.clone());
    told.map_or_else(|| Ok(serde_json::to_value(&found).unwrap()["v"].clone()), Err)
}

#[test]
fn numbers_and_words_are_told_apart() {
    let text = || json!({ "type": "string" });
    assert_eq!(value("seven", text()), Ok(json!("seven")));
    assert_eq!(value("\"7\"", text()), Ok(json!("7")));
    assert_eq!(value("7", text()), Err("`v` must be text, found the number 7".into()));
    assert_eq!(value("true", text()), Err("`v` must be text, found `true`".into()));
    assert_eq!(value("[a]", text()), Err("`v` must be text, found a list".into()));
    let single = || json!({ "type": ["string", "number", "boolean"] });
    assert_eq!(value("3.10", single()), Ok(json!("3.10")));
    assert_eq!(value("[a]", single()), Err("`v` must be a single value, found a list".into()));
    let typed = || json!({ "type": ["boolean", "number", "string"] });
    assert_eq!([value("3.10", typed()), value("x", typed())], [Ok(json!(3.1)), Ok(json!("x"))]);
    let boolean = || json!({ "type": "boolean" });
    assert_eq!(value("True", boolean()), Ok(json!(true)));
    assert_eq!(value("yes", boolean()), Err("`v` must be `true` or `false`, found `yes`".into()));
    let whole = |most: i64| json!({ "type": "integer", "minimum": 1, "maximum": most });
    assert_eq!(value("12", whole(20)), Ok(json!(12)));
    assert_eq!(value("21", whole(20)), Err("`v` must be a whole number from 1 to 20, found the number 21".into()));
    for wrong in ["\"12\"", "1.5", "012", "99999999999999999999", "0x10", "\"-\""] {
        assert!(value(wrong, whole(i64::MAX)).is_err(), "{wrong}");
    }
    let number = || json!({ "type": "number", "exclusiveMinimum": -2000 });
    assert_eq!(value("-1.5e3", number()), Ok(json!(-1500.0)));
    assert_eq!(value("-2000", number()), Err("`v` must be a number greater than -2000, found the number -2000".into()));
    for wrong in [".inf", ".nan", "nan", "inf", "1e999", "e"] {
        assert!(value(wrong, number()).is_err(), "{wrong}");
    }
}

#[test]
fn quantities_have_units() {
    let fits = |format: &str, text: &str| value(text, json!({ "type": "string", "format": format })).is_ok();
    for (text, seconds) in [("7d", 604_800), ("12h", 43_200), ("30m", 1_800), ("90s", 90), ("1d12h", 129_600)] {
        assert_eq!((fits("duration", text), parse_duration(text)), (true, Some(seconds)), "{text}");
    }
    for (text, pause) in [("500ms", 500), ("5s", 5_000), ("1s500ms", 1_500), ("1m", 60_000), ("0s", 0)] {
        assert_eq!((fits("pause", text), parse_pause(text)), (true, Some(Duration::from_millis(pause))), "{text}");
    }
    for wrong in ["500", "ms", "5sm", "500ms1s", "0.5s", "[5s]"] {
        assert!(!fits("pause", wrong), "{wrong}");
    }
    for wrong in [
        "500ms",
        "1s1ms",
        "7",
        "d",
        "1h1d",
        "1d1d",
        "-1d",
        "1.5h",
        "7 d",
        "9999999999999999999d",
        "1é",
        "300000000000000w",
    ] {
        assert!(!fits("duration", wrong), "{wrong}");
    }
    for (text, bytes) in [("4g", 4 << 30), ("512M", 512 << 20), ("1tb", 1 << 40), ("8kb", 8 << 10)] {
        assert_eq!((fits("size", text), parse_size(text)), (true, Some(bytes)), "{text}");
    }
    for wrong in ["4", "g", "0g", "1.5g", "-1g", "4 g", "4gib", "20000000t"] {
        assert!(!fits("size", wrong), "{wrong}");
    }
    for (text, share) in [("5%", 0.05), ("0.05", 0.05), ("100%", 1.0), ("0", 0.0), ("12.5 %", 0.125)] {
        assert_eq!((fits("share", text), parse_share(text)), (true, Some(share)), "{text}");
    }
    for wrong in ["5", "101%", "-1%", "\"%\"", "a", "[1]"] {
        assert!(!fits("share", wrong), "{wrong}");
    }
}

#[test]
fn only_near_words_are_suggested() {
    let known = ["sail", "spark"];
    assert_eq!(did_you_mean("spar", known), Some("did you mean `spark`?".into()));
    assert_eq!(did_you_mean("Sail", known), Some("did you mean `sail`?".into()));
    assert_eq!(did_you_mean("flink", known), None);
}

#[test]
fn problems_become_one_usage_error_in_order() {
    let source = Source::file("a.yaml", "x\ny\n");
    let at = |line| Place { source: Arc::clone(&source), line, column: 1, width: 1 };
    let mut problems = Problems::default();
    problems.error(&at(2), "second");
    problems.error(&at(1), "first").note(&at(2), "see here").hint("do this");
    let error = Error::from(problems);
    assert_eq!((error.kind, error.message.as_str()), (Kind::Usage, "`a.yaml` has 2 problems"));
    let expected = "\
error: first
 --> a.yaml:1:1
  |
1 | x
  | ^
 ::: a.yaml:2:1
  |
2 | y
  | ^ see here
  = hint: do this

error: second
 --> a.yaml:2:1
  |
2 | y
  | ^";
    assert_eq!(error.detail.as_deref(), Some(expected));
}

#[test]
fn the_machine_form_has_the_place_in_fields() {
    let mut problems = Problems::default();
    problems.error(&Source::flag("--engine", "spar"), "unknown engine").hint("did you mean `spark`?");
    let (node, _) = read("a: b\n");
    let entry = &entries(node.as_ref().unwrap())[0];
    problems.warning(&entry.place, "odd").note(&entry.value.place, "here");
    let expected = r#"[{"severity":"error","origin":"--engine","line":null,"column":null,"width":null,"message":"unknown engine","notes":[],"hint":"did you mean `spark`?"},{"severity":"warning","origin":"a.yaml","line":1,"column":1,"width":1,"message":"odd","notes":[{"origin":"a.yaml","line":1,"column":4,"width":1,"message":"here"}],"hint":null}]"#;
    assert_eq!(serde_json::to_string(&problems).unwrap(), expected);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let (_, problems) = read(&text);
        problems.render();
    }

    #[test]
    fn no_text_that_looks_like_yaml_makes_it_panic(text in "[a-c:,{}\\[\\]\\-? \n\t\"'#&*!|>%@\u{e9}\u{65e5}\r\\\\]{0,60}") {
        let (node, problems) = read(&text);
        prop_assert!(node.is_some() || problems.has_errors());
        problems.render();
    }

    #[test]
    fn whole_days_and_hours_read_as_seconds(days in 0_i64..10_000, hours in 0_i64..24) {
        prop_assert_eq!(parse_duration(&format!("{days}d{hours}h")), Some(days * 86_400 + hours * 3_600));
    }
}
