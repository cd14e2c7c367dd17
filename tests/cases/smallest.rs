//! The smallest job there is: what all other cases differ from.

use crate::cases::project::{Table, add_job, empty};

#[test]
fn two_rows_are_published_and_read() {
    let lab = empty();
    add_job(&lab, &Table { name: "ok", ddl: "id bigint, tag string", rows: r#"[[1,"a"],[2,"b"]]"#, partition_by: "" });
    lab.run(&["submit", "ok", "--date", "2026-11-22"]).expect(0);
    lab.run(&["query", "select count(*) as n from ok", "--output", "json"]).expect(0).says("2");
}
