//! Sail against Spark. Off unless asked for: Spark is a large download and takes minutes.

use fs_err as fs;
use serde_json::Value;

use super::lab::{Lab, real_pages};

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
        lab.run(&["ingest", "pages", pages.to_str().unwrap(), "--date", "2026-11-22"]).expect(0);
        return Some((lab, "2026-11-22"));
    }
    lab.run(&["ingest", "sample"]).expect(0);
    Some((lab, "2026-10-31"))
}

#[test]
fn both_engines_agree_and_a_doctored_step_is_caught() {
    let Some((lab, date)) = lab() else { return };
    lab.run(&["parity", "daily", "--date", date]).expect(0).says("Sail and Spark agree on");

    let module = lab.root().join("pyspark/soflow_jobs/tag_health.py");
    let honest = fs::read_to_string(&module).unwrap();
    let call = "    lake.write(\"tag_health_monthly\", rows)";
    assert!(honest.contains(call), "the module has changed: mend this test");
    let doctored = honest.replace(
        call,
        "    if spark.version.startswith(\"3.5\"):\n        rows = rows.withColumn(\"n\", F.col(\"n\") + 1)\n    lake.write(\"tag_health_monthly\", rows)",
    );
    fs::write(&module, doctored).unwrap();
    let said = lab.run(&["parity", "daily", "--date", date, "--output", "json"]);
    let found: Value = said.expect(1).json();
    let different: Vec<&String> = found["tables"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, table)| table["equal"] == false)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(different, ["tag_health_monthly"]);
    let difference = &found["tables"]["tag_health_monthly"]["difference"];
    let columns: Vec<&str> =
        difference["columns"].as_array().unwrap().iter().map(|column| column["column"].as_str().unwrap()).collect();
    assert_eq!(columns, ["n"], "{difference}");
    assert!(!difference["columns"][0]["examples"][0]["key"].as_str().unwrap().is_empty());
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
frame.selectExpr("expression", "value", *old).write.parquet(task["outputs"]["rare"]["prefix"])
"#;

fn rare(lab: &Lab, expressions: &[&str], conf: &str) {
    let list = serde_json::to_string(&serde_json::to_string(expressions).unwrap()).unwrap();
    lab.write("pyspark/steps/rare.py", STEP);
    lab.write(
        "jobs/rare.yaml",
        format!(
            "steps:\n  rare:\n    script: steps/rare.py\n    writes: [rare]\n    parameters: {{ expressions: {list} }}\n\
             {conf}tables:\n  rare: {{ key: [expression] }}\n"
        ),
    );
}

#[test]
fn both_engines_agree_on_rare_values_or_say_which_setting_decides() {
    if !wanted() {
        return;
    }
    let lab = Lab::new();
    rare(&lab, RARE, "");
    let submit = ["submit", "rare", "--date", "2026-11-22", "--engine", "spark"];
    lab.run(&submit).expect(1).says("spark.sql.parquet.datetimeRebaseModeInWrite: CORRECTED");

    let corrected = "    spark: { conf: { spark.sql.parquet.datetimeRebaseModeInWrite: CORRECTED } }\n";
    rare(&lab, RARE, corrected);
    lab.run(&["parity", "rare", "--date", "2026-11-22"]).expect(0).says("Sail and Spark agree on");
    rare(&lab, DIFFERENT, corrected);
    let found = lab.run(&["parity", "rare", "--date", "2026-11-22", "--output", "json"]).expect(1).json();
    let columns = &found["tables"]["rare"]["difference"]["columns"];
    assert_eq!(columns[0]["rows"], DIFFERENT.len(), "{columns}");
}
