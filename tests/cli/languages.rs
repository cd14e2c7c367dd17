//! Steps as their authors write them: SQL files and notebooks beside scripts.

use serde_json::{Value, json};

use super::support::{Project, engine_is_there};

const JOB: &str = "\
parameters: { smallest: 50 }
steps:
  orders: { script: steps/orders.py, writes: [orders] }
  sales: { sql: steps/sales.sql, reads: [orders], writes: [sales] }
  best: { notebook: notebooks/best.ipynb, reads: [sales], writes: [best] }
tables:
  orders: { key: [order_id] }
  sales: { key: [day], partition-by: [weekday] }
  best: { partition-by: [weekday] }
";

const ORDERS: &str = "\
from lake import start, write
from pyspark.sql import functions as F
spark, task = start()
order = F.col('id')
day = F.date_add(F.lit('2026-01-01').cast('date'), (order % 7).cast('int'))
write(spark.range(1000).select(order.alias('order_id'), day.alias('day'), (order % 97 + 3).alias('amount')), task, 'orders')
";

const SALES: &str = "\
-- What is sold each day.
with large as (select * from orders where amount >= :smallest)
select day, sum(amount) as total, date_format(day, 'E') as weekday
from large
group by day;
";

/// Returns a notebook of cells, each a kind, a source, and tags.
pub fn notebook(cells: &[(&str, &str, &[&str])], printed: &str) -> String {
    let cells = cells.iter().enumerate().map(|(at, (kind, source, tags))| {
        let lines: Vec<&str> = source.split_inclusive('\n').collect();
        let id = format!("{printed}-{at}");
        match *kind {
            "code" => json!({ "cell_type": kind, "id": id, "source": lines, "metadata": { "tags": tags },
                "execution_count": 7, "outputs": [{ "output_type": "stream", "name": "stdout", "text": [printed] }] }),
            _ => json!({ "cell_type": kind, "id": id, "source": lines, "metadata": {} }),
        }
    });
    json!({ "cells": cells.collect::<Vec<_>>(), "nbformat": 4, "nbformat_minor": 5,
        "metadata": { "kernelspec": { "language": "python", "name": "soflow" } } })
    .to_string()
}

const CELLS: &[(&str, &str, &[&str])] = &[
    ("markdown", "# The best days", &[]),
    ("code", "%matplotlib inline\n", &["scratch"]),
    ("code", "%%sql best\nselect weekday, total from sales\norder by total desc limit 2", &[]),
    (
        "code",
        "from pyspark.sql import functions as F\nbest = best.withColumn('note', F.lit('ü'))\nassert tables['sales'].count() > 2",
        &[],
    ),
    ("code", "save('best', best)", &[]),
];

/// Returns the files of a job in three languages, by their paths in a project.
pub fn files() -> [(&'static str, String); 5] {
    [
        ("jobs/sold.yaml", JOB.into()),
        ("pyspark/lake.py", include_str!("../../templates/minimal/pyspark/lake.py").into()),
        ("pyspark/steps/orders.py", ORDERS.into()),
        ("pyspark/steps/sales.sql", SALES.into()),
        ("pyspark/notebooks/best.ipynb", notebook(CELLS, "first")),
    ]
}

fn project() -> Project {
    engine_is_there();
    let project = Project::empty();
    files().iter().for_each(|(name, text)| project.write(name, text));
    project
}

const SUBMIT: [&str; 4] = ["submit", "sold", "--date", "2026-11-22"];

/// Returns what a run would do of each step.
fn planned(project: &Project) -> Vec<String> {
    let plan = project.soflow(["plan", "sold", "--date", "2026-11-22", "--output", "json"]).json();
    let steps = plan["steps"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
    steps
        .iter()
        .map(|step| format!("{}: {}", step["name"].as_str().unwrap(), step["action"].as_str().unwrap()))
        .collect()
}

fn rows(project: &Project, sql: &str) -> Value {
    project.soflow(["query", sql, "--output", "json"]).json()
}

#[test]
fn a_step_in_sql_and_one_in_a_notebook_run_and_run_again_when_their_code_has_changed() {
    let project = project();
    project.soflow(SUBMIT).succeeded();
    let expected = json!([{ "weekday": "Sun", "total": 5392, "note": "ü" }]);
    let found = rows(&project, "select * from best order by total desc limit 1");
    assert_eq!(found["rows"], expected, "{found:#}");
    let nothing = ["orders: up-to-date", "sales: up-to-date", "best: up-to-date"];
    assert_eq!(planned(&project), nothing);

    // Outputs, counts, ids and remarks are no code.
    let mut more = CELLS.to_vec();
    more.insert(1, ("markdown", "More words.", &[]));
    project.write("pyspark/notebooks/best.ipynb", &notebook(&more, "second"));
    assert_eq!(planned(&project), nothing);

    let mut other = CELLS.to_vec();
    other[4].1 = "save('best', best.limit(1))";
    project.write("pyspark/notebooks/best.ipynb", &notebook(&other, "second"));
    assert_eq!(planned(&project), ["orders: up-to-date", "sales: up-to-date", "best: run"]);

    project.write("pyspark/steps/sales.sql", &SALES.replace("sum(amount)", "max(amount)"));
    assert_eq!(planned(&project), ["orders: up-to-date", "sales: run", "best: run"]);
    project.soflow(SUBMIT).succeeded();
    assert_eq!(rows(&project, "select count(*) as n from best")["rows"], json!([{ "n": 1 }]));
}

#[test]
fn both_engines_make_the_same_of_sql_and_of_notebooks() {
    if std::env::var_os("SOFLOW_TEST_PARITY").is_none_or(|value| value != "1") {
        println!("skipped: parity of SQL and notebooks: SOFLOW_TEST_PARITY is not 1");
        return;
    }
    let said = project().soflow(["parity", "sold", "--date", "2026-11-22"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.contains("Sail and Spark agree on"), "{said}");
}

#[test]
fn a_cell_that_fails_is_named() {
    let project = project();
    let mut cells = CELLS.to_vec();
    cells[3].1 = "x = 1\nraise ValueError('no best day')";
    project.write("pyspark/notebooks/best.ipynb", &notebook(&cells, "x"));
    let said = project.soflow(SUBMIT);
    assert_eq!(said.code, Some(1), "{said}");
    for part in ["step `best`", "ValueError: no best day", "notebooks/best.ipynb cell 4\", line 2"] {
        assert!(said.stderr.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_cannot_be_a_step_is_told_before_anything_runs() {
    let project = project();
    project.write("pyspark/steps/sales.sql", "insert into orders select 1");
    project.write("pyspark/notebooks/best.ipynb", &notebook(&[("code", "x = 1\n!pip install x", &[])], "x"));
    shot!("languages_refused", project.soflow(["validate"]));
}
