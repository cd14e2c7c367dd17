//! The sentences of the summary cannot be had: the tables are published all the same.

use crate::cases::project::{Table, add_job, empty};

#[test]
fn insights_that_cannot_be_asked_for_leave_a_published_run_what_it_is() {
    let mut lab = empty();
    add_job(&lab, &Table { name: "ok", ddl: "id bigint, tag string", rows: r#"[[1,"a"],[2,"b"]]"#, partition_by: "" });
    let job = fs_err::read_to_string(lab.root().join("jobs/ok.yaml")).unwrap();
    lab.write("jobs/ok.yaml", format!("{job}insights:\n  - {{ title: Rows, sql: SELECT count(*) FROM ok }}\n"));
    // Where the answers would be put.
    lab.variables.insert("TMPDIR".into(), lab.home().join("gone").display().to_string());
    let ran = lab.run(&["submit", "ok", "--date", "2026-11-22"]);
    ran.expect(0).says("1 table published").says("what the tables say cannot be computed");
    let record = lab.run(&["runs", "show", "ok.2026-11-22.1", "--output", "json"]).expect(0).json();
    assert_eq!(record["state"], "succeeded");
}
