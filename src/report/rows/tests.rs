use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int64Array, ListArray, MapBuilder, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};

use super::*;
use crate::report::Style;

fn people(width: Option<usize>) -> RowFormat {
    RowFormat::Table(Layout { width, ..Layout::default() })
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn rendered(batches: &[RecordBatch], form: RowFormat) -> String {
    let mut out = Vec::new();
    write(&mut out, &batches[0].schema(), batches, form).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_aligns_numbers_right_and_tells_null_from_its_name() {
    let batch = batch(vec![
        ("tag", texts(&[Some("日本"), Some("NULL"), None, Some("")])),
        ("n", ints(&[Some(1), Some(-200), None, Some(3)])),
        ("last", texts(&[Some("x"), Some("é"), None, Some("y")])),
    ]);
    let expected = "\
tag        n  last
──────────────────
日本       1  x
\"NULL\"  -200  é
NULL    NULL  NULL
           3  y
";
    assert_eq!(rendered(&[batch], people(None)), expected);
}

#[test]
fn nulls_are_dim_where_styles_are_allowed() {
    let batch = batch(vec![("a", texts(&[None]))]);
    let table = rendered(&[batch], RowFormat::Table(Layout { style: Style::new(true), width: None }));
    assert_eq!(table, "\u{1b}[1ma\u{1b}[0m\n\u{1b}[2m────\u{1b}[0m\n\u{1b}[2mNULL\u{1b}[0m\n");
}

#[test]
fn a_single_text_is_shown_in_its_lines_and_one_of_several_in_one() {
    let plan = batch(vec![("plan", texts(&[Some("== Plan ==\n  Scan\u{1b}[31m")]))]);
    assert_eq!(rendered(&[plan], people(None)), "plan\n────────────────\n== Plan ==\n  Scan\\u{1b}[31m\n");
    let two = batch(vec![("t", texts(&[Some("a\nb"), Some("c")]))]);
    assert_eq!(rendered(&[two], people(None)), "t\n────\na\\nb\nc\n");
}

#[test]
fn no_value_can_drive_the_terminal() {
    let batch = batch(vec![("a\u{7}", texts(&[Some("\u{1b}]0;x\u{7}\r\n\t\u{202e}z\u{9b}"), None]))]);
    let table = rendered(&[batch], people(None));
    assert!(table.starts_with("a\\u{7}"), "{table}");
    assert!(table.ends_with("\\u{1b}]0;x\\u{7}\\r\\n\\t\\u{202e}z\\u{9b}\nNULL\n"), "{table}");
}

#[test]
fn long_cells_are_cut_to_the_terminal_but_numbers_are_not() {
    let long = "abcdefghijklmnopqrstuvwxyz";
    let batch = batch(vec![
        ("n", ints(&[Some(1_234_567_890_123)])),
        ("short", texts(&[Some("four")])),
        ("long", texts(&[Some(long)])),
        ("wide", texts(&[Some("日本語日本語日本語")])),
    ]);
    let last = |width| rendered(std::slice::from_ref(&batch), people(width)).lines().last().unwrap().to_string();
    assert_eq!(last(Some(44)), "1234567890123  four   abcdefghi…  日本語日…");
    assert_eq!(last(Some(10)), "1234567890123  four   abcdefg…  日本語…");
    assert_eq!(last(None), format!("1234567890123  four   {long}  日本語日本語日本語"));
}

#[test]
fn json_keeps_whole_numbers_exact_and_names_what_it_has_no_number_for() {
    let decimals = Decimal128Array::from(vec![Some(-12345), None]).with_precision_and_scale(20, 2).unwrap();
    let micros = |zone: Option<&str>| {
        let array = TimestampMicrosecondArray::from(vec![Some(1_763_812_800_500_000), None]);
        Arc::new(array.with_timezone_opt(zone)) as ArrayRef
    };
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a\"\n"), None].into_iter().collect();
    let batch = batch(vec![
        ("i", ints(&[Some(i64::MAX), None])),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("x", Arc::new(Float64Array::from(vec![f64::NAN, f64::NEG_INFINITY]))),
        ("f", Arc::new(Float32Array::from(vec![0.1, 1e10]))),
        ("d", Arc::new(decimals)),
        ("at", micros(Some("UTC"))),
        ("zone", micros(Some("Europe/Berlin"))),
        ("local", micros(None)),
        ("day", Arc::new(Date32Array::from(vec![20_414, 0]))),
        ("b", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("s", Arc::new(dictionary)),
        ("raw", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff"), None]))),
    ]);
    let expected = concat!(
        r#"[
{"i":9223372036854775807,"u":18446744073709551615,"x":"NaN","f":0.1,"d":"-123.45","at":"2025-11-22T12:00:00.5Z","#,
        r#""zone":"2025-11-22T12:00:00.5Z","local":"2025-11-22T12:00:00.5","day":"2025-11-22","b":true,"s":"a\"\n","raw":"00ff"},
{"i":null,"u":0,"x":"-Infinity","f":10000000000.0,"d":null,"at":null,"#,
        r#""zone":null,"local":null,"day":"1970-01-01","b":null,"s":null,"raw":null}
]
"#
    );
    assert_eq!(rendered(&[batch], RowFormat::Json), expected);
}

#[test]
fn json_is_one_document_over_all_batches() {
    let one = |n| batch(vec![("n", ints(&[Some(n)]))]);
    assert_eq!(rendered(&[one(1), one(2)], RowFormat::Json), "[\n{\"n\":1},\n{\"n\":2}\n]\n");
    assert_eq!(rendered(&[one(1).slice(0, 0)], RowFormat::Json), "[]\n");
}

#[test]
fn nested_values_are_json_everywhere() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    let inner: ArrayRef = texts(&[Some("x, \"y\""), None]);
    let point = StructArray::from(vec![(Arc::new(Field::new("t", inner.data_type().clone(), true)), inner)]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("k");
    map.values().append_null();
    map.append(true).unwrap();
    map.append(false).unwrap();
    let batch = batch(vec![("l", Arc::new(list)), ("s", Arc::new(point)), ("m", Arc::new(map.finish()))]);
    let json = "[\n{\"l\":[1,null],\"s\":{\"t\":\"x, \\\"y\\\"\"},\"m\":{\"k\":null}},\n{\"l\":null,\"s\":{\"t\":null},\"m\":null}\n]\n";
    assert_eq!(rendered(std::slice::from_ref(&batch), RowFormat::Json), json);
    let csv =
        "l,s,m\n\"[1,null]\",\"{\"\"t\"\":\"\"x, \\\"\"y\\\"\"\"\"}\",\"{\"\"k\"\":null}\"\n,\"{\"\"t\"\":null}\",\n";
    assert_eq!(rendered(&[batch], RowFormat::Csv), csv);
}

#[test]
fn csv_tells_null_from_empty_and_quotes_what_needs_it() {
    let cells = [Some("plain"), Some(""), None, Some("a,b"), Some("say \"hi\""), Some("two\nlines"), Some("cr\r")];
    let batch = batch(vec![("a,b", texts(&cells)), ("n", ints(&[Some(1); 7]))]);
    let expected = "\"a,b\",n\nplain,1\n\"\",1\n,1\n\"a,b\",1\n\"say \"\"hi\"\"\",1\n\"two\nlines\",1\n\"cr\r\",1\n";
    assert_eq!(rendered(&[batch], RowFormat::Csv), expected);
}

#[test]
fn columns_of_one_name_stay_apart_in_json() {
    assert_eq!(distinct(["n", "n", "n_2", "n", "m"].into_iter()), ["n", "n_3", "n_2", "n_4", "m"]);
}

#[test]
fn no_rows_still_have_names() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]));
    let mut out = Vec::new();
    write(&mut out, &schema, &[], people(None)).unwrap();
    write(&mut out, &schema, &[], RowFormat::Csv).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "a\n─\na\n");
}
