//! `soflow new step`: a step from SQL, from a notebook, and as a script.

use serde_json::json;

use super::support::{Output, Project, engine_is_there};

const BEST: &str = "select day, total, 'é' as note from sales order by total desc limit 3";

/// Returns a project whose small job is published.
fn project() -> Project {
    engine_is_there();
    let project = Project::empty();
    project.soflow(["init"]).succeeded();
    project.soflow(["submit", "example"]).succeeded();
    project
}

fn test_of(project: &Project, test: &str) -> Output {
    project.soflow(["engine", "python", "--", "-m", "pytest", "-q", "-p", "no:cacheprovider", test])
}

#[test]
fn a_query_becomes_a_step_with_checks_and_a_test() {
    let project = project();
    let before = project.read("jobs/example.yaml");
    shot!("a_step_of_sql", project.soflow(["new", "step", "best-days", "--from-sql", BEST]));
    insta::assert_snapshot!("the_job_with_a_step_of_sql", project.read("jobs/example.yaml"));
    insta::assert_snapshot!("the_test_of_a_step_of_sql", project.read("pyspark/tests/test_best_days.py"));
    assert_eq!(project.read("pyspark/steps/best_days.sql"), format!("{BEST}\n"));
    test_of(&project, "pyspark/tests/test_best_days.py").succeeded();

    project.soflow(["submit", "example", "--only", "best-days"]).succeeded();
    let found = project.soflow(["query", "select count(*) as n from best_days", "--output", "json"]).json();
    assert_eq!(found["rows"], json!([{ "n": 3 }]));

    // The columns are part of what is checked.
    project.write("pyspark/steps/best_days.sql", &BEST.replace("total,", "cast(total as string) as total,"));
    let said = project.soflow(["submit", "example", "--only", "best-days"]);
    assert_eq!(said.code, Some(6), "{said}");
    assert!(said.stderr.contains("`total` is `string`"), "{said}");
    assert!(project.read("jobs/example.yaml").starts_with(before.split("\n# What must hold").next().unwrap()));
    assert!(!project.path().join(".soflow/artifacts/trial/best-days").exists());
}

#[test]
fn a_notebook_is_copied_and_what_it_saves_is_entered() {
    let project = project();
    let cells = json!([
        { "cell_type": "code", "metadata": {}, "source": "%%sql large\nselect * from orders where amount > 50" },
        { "cell_type": "code", "metadata": {}, "source": "save('large_orders', large)\nsave(\"counts\", large.groupBy('day').count())" },
    ]);
    let notebook = json!({ "nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells });
    project.write("large.ipynb", &notebook.to_string());
    let made = project.soflow(["new", "step", "large", "--from-notebook", "large.ipynb", "--output", "json"]).json();
    assert_eq!(made["reads"], json!(["orders"]));
    assert_eq!(made["files"], json!(["pyspark/notebooks/large.ipynb"]));
    assert_eq!(made["tables"]["large_orders"]["key"], json!(["order_id"]));
    assert_eq!(made["tables"]["counts"]["columns"], json!([["day", "date"], ["count", "bigint"]]));
    project.soflow(["submit", "example"]).succeeded();
}

#[test]
fn a_script_reads_its_tables_and_its_test_runs() {
    let project = project();
    let said = project.soflow(["new", "step", "refunds", "--reads", "orders", "--reads", "sales"]);
    said.succeeded();
    insta::assert_snapshot!("a_new_script", project.read("pyspark/steps/refunds.py"));
    test_of(&project, "pyspark/tests/test_refunds.py").succeeded();
    project.soflow(["new", "step", "calendar"]).succeeded();
    test_of(&project, "pyspark/tests").succeeded();
    project.soflow(["submit", "example"]).succeeded();
}

#[test]
fn nothing_is_left_of_a_step_that_cannot_be_one() {
    let project = project();
    let before = project.read("jobs/example.yaml");
    let new = |name: &str, flag: &str, value: &str| project.soflow(["new", "step", name, flag, value]);
    shot!("a_query_that_fails", new("bad", "--from-sql", "select no_such_column from orders"));
    let refused = [
        (new("sales", "--from-sql", "select 1 as a"), "has a step `sales` already"),
        (new("Sales", "--from-sql", "select 1 as a"), "cannot name a step"),
        (new("x", "--from-sql", "drop table sales"), "not `drop`"),
        (new("x", "--reads", "sale"), "there is no table `sale`"),
        (new("x", "--from-sql", "missing.sql"), "`missing.sql` cannot be read"),
        (new("x", "--job", "other"), "there is no job `other`"),
    ];
    for (said, why) in refused {
        assert_eq!(said.code, Some(2), "{said}");
        assert!(said.stderr.contains(why), "{why}: {said}");
    }
    assert_eq!(project.read("jobs/example.yaml"), before);
    assert!(!project.path().join("pyspark/steps/bad.sql").exists());
    assert!(!project.path().join("pyspark/steps/x.py").exists());
}

#[test]
fn a_step_on_tables_that_are_not_there_yet_is_not_tried() {
    let project = Project::empty();
    project.soflow(["init"]).succeeded();
    let said = project.soflow(["new", "step", "best", "--from-sql", BEST]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stderr.contains("`sales` is not published yet: the step was not tried"), "{said}");
    assert!(project.read("jobs/example.yaml").contains("  best: {}\n"), "{}", project.read("jobs/example.yaml"));
    project.soflow(["validate"]).succeeded();
}
