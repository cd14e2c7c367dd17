//! Sail against Spark. Off unless asked for: Spark is a large download and takes minutes.

use std::io::Read as _;
use std::path::Path;

use fs_err as fs;
use serde_json::Value;

use super::lab::{Lab, real_pages, walk};

/// Returns whether Spark is wanted, after saying so when it is not.
fn wanted() -> bool {
    let wanted = std::env::var_os("SOFLOW_TEST_PARITY").is_some_and(|value| value == "1");
    if !wanted {
        println!("skipped: parity of both engines: SOFLOW_TEST_PARITY is not 1");
    }
    wanted
}

/// Returns a project with pages, or `None` when the test is skipped.
fn lab() -> Option<(Lab, &'static str)> {
    if !wanted() {
        return None;
    }
    let lab = Lab::new();
    if let Some(pages) = real_pages() {
        let chosen = lab.home().join("chosen");
        write_two_years(&pages, &chosen);
        lab.run(&["ingest", "pages", chosen.to_str().unwrap(), "--date", "2026-11-22"]).expect(0);
        return Some((lab, "2026-11-22"));
    }
    lab.run(&["ingest", "sample"]).expect(0);
    Some((lab, "2026-10-31"))
}

/// The years 2018 and 2019, in seconds since 1970. Real pages have posts of 170 months, and Spark takes minutes to write a
/// file for each.
const TWO_YEARS: std::ops::Range<i64> = 1_514_764_800..1_577_836_800;

/// Writes the items that were made in these years, as pages like those they are from.
fn write_two_years(pages: &Path, to: &Path) {
    let mut files = Vec::new();
    walk(pages, &mut files);
    let mut kept = 0;
    for file in files {
        let body = fs::read(&file).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
        let mut page: Value = serde_json::from_str(&text).unwrap();
        let items = page["items"].as_array_mut().unwrap();
        items.retain(|item| item["creation_date"].as_i64().is_some_and(|made| TWO_YEARS.contains(&made)));
        kept += items.len();
        let name = to.join(file.strip_prefix(pages).unwrap()).with_extension("").with_extension("json");
        fs::create_dir_all(name.parent().unwrap()).unwrap();
        fs::write(name, page.to_string()).unwrap();
    }
    assert!(kept > 1000, "only {kept} items are compared");
}

#[test]
fn both_engines_agree_on_the_daily_job() {
    let Some((lab, date)) = lab() else { return };
    lab.run(&["parity", "daily", "--date", date]).expect(0).says("Sail and Spark agree on");
}

/// Values that data seldom has, and what every engine makes of them.
const RARE: &[&str] = &[
    "cast('x' as int)",
    "1 / 0",
    "1 % 0",
    "cast('2026-13-01' as date)",
    "cast(9223372036854775807 as bigint) + 1",
    "try_cast(300 as tinyint)",
    "try_element_at(array(1, 2), 5)",
    "try_divide(1, 0)",
    "array(1, 2)[5]",
    "map('a', 1)['b']",
    "date'0001-01-01'",
    "date'1582-10-10'",
    "date'9999-12-31'",
    "timestamp'1800-01-01 00:00:00'",
    "timestamp'9999-12-31 23:59:59.999999'",
    "date'2026-01-31' + interval 1 month",
    "cast('NaN' as double) = cast('NaN' as double)",
    "cast('-0.0' as double) = 0.0D",
    "concat('a', null)",
    "length('e\u{301}')",
    "nullif('', '')",
    "substring('abc', 0, 2)",
    "cast(1e20 as decimal(38, 2))",
];

/// What the engines are known to make different things of. One that is mended in Sail moves up.
const DIFFERENT: &[&str] = &[
    "cast(300 as tinyint)",
    "element_at(array(1, 2), 5)",
    "cast(12345678901234567890 as decimal(20, 0)) * cast(12345678901234567890 as decimal(20, 0))",
    "from_json('{\"a\": 99999999999}', 'a int').a",
];

/// Writes what the engine makes of each expression, and columns whose values are as rare.
const STEP: &str = r#"
import argparse
import json

from pyspark.sql import SparkSession

parser = argparse.ArgumentParser()
parser.add_argument("--task", required=True)
with open(parser.parse_args().task.removeprefix("file://"), encoding="utf-8") as file:
    task = json.load(file)
spark = SparkSession.builder.getOrCreate()


def value(expression):
    try:
        return str(spark.sql(f"select cast({expression} as string) as v").first()[0])
    except Exception:
        return "refused"


rows = [(expression, value(expression)) for expression in json.loads(task["parameters"]["expressions"])]
frame = spark.createDataFrame(rows, "expression string, value string")
old = ["date'1500-01-01' as old_date", "timestamp'1800-01-01 00:00:00' as old_time"]
((_, output),) = task["outputs"].items()
frame.selectExpr("expression", "value", *old).write.parquet(output["prefix"])
"#;

/// Writes a job with a table of these expressions for each of the names.
fn add_job(lab: &Lab, tables: &[(&str, &[&str])], conf: &str) {
    lab.write("pyspark/steps/rare.py", STEP);
    let step = |(name, expressions): &(&str, &[&str])| {
        let list = serde_json::to_string(&serde_json::to_string(expressions).unwrap()).unwrap();
        format!(
            "  {name}:\n    script: steps/rare.py\n    writes: [{name}]\n    parameters: {{ expressions: {list} }}\n{conf}"
        )
    };
    let steps: String = tables.iter().map(step).collect();
    let keys: String = tables.iter().map(|(name, _)| format!("  {name}: {{ key: [expression] }}\n")).collect();
    lab.write("jobs/rare.yaml", format!("steps:\n{steps}tables:\n{keys}"));
}

#[test]
fn rare_values_are_equal_or_told_and_a_setting_decides_about_old_ones() {
    if !wanted() {
        return;
    }
    let lab = Lab::new();
    add_job(&lab, &[("rare", RARE)], "");
    let submit = ["submit", "rare", "--date", "2026-11-22", "--engine", "spark"];
    lab.run(&submit).expect(1).says("spark.sql.parquet.datetimeRebaseModeInWrite: CORRECTED");

    let corrected = "    spark: { conf: { spark.sql.parquet.datetimeRebaseModeInWrite: CORRECTED } }\n";
    add_job(&lab, &[("rare", RARE), ("different", DIFFERENT)], corrected);
    let said = lab.run(&["parity", "rare", "--date", "2026-11-22", "--output", "json"]);
    let tables = &said.expect(1).json()["tables"];
    let rare = &tables["rare"];
    assert_eq!((&rare["equal"], &rare["difference"]["rows_left"]), (&true.into(), &RARE.len().into()), "{rare}");
    assert_eq!(tables["different"]["equal"], false);
    let columns = tables["different"]["difference"]["columns"].as_array().unwrap();
    assert_eq!((columns.len(), &columns[0]["column"]), (1, &"value".into()), "{columns:?}");
    assert_eq!(columns[0]["rows"], DIFFERENT.len(), "{columns:?}");
    let example = columns[0]["examples"][0]["key"].to_string();
    assert!(DIFFERENT.iter().any(|expression| example.contains(&expression[..6])), "{example}");
}
