//! Folders with names that engines, Python or Hadoop read otherwise: they work, or are refused at once.

use crate::cases::project::{Table, add_job, empty};
use crate::daily::lab::Lab;

const OK: Table<'_> =
    Table { name: "ok", ddl: "id bigint, tag string", rows: r#"[[1,"a"],[2,"b"]]"#, partition_by: "tag" };

#[test]
fn a_project_in_a_folder_with_signs_in_its_name_runs() {
    // What the shipped code does with its task: reading text, importing its package, writing and reading tables.
    let lab = Lab::below("C# stats/v1:2/~/50% é & 'x'");
    let page = lab.root().join("pages/questions");
    fs_err::create_dir_all(&page).unwrap();
    let question = crate::daily::lab::question(1, "2026-11-22T10:00:00Z", &["rust"], 1);
    fs_err::write(page.join("1.json"), crate::daily::lab::page(&[question])).unwrap();
    lab.run(&["ingest", "pages", "pages", "--date", "2026-11-22"]).expect(0);
    lab.run(&["submit", "daily", "--date", "2026-11-22", "--only", "questions"]).expect(0);
    let found = lab.run(&["query", "select count(*) as n from questions", "--output", "json"]);
    assert_eq!(found.expect(0).json()["rows"][0]["n"], 1);
}

#[test]
fn a_folder_that_engines_read_as_a_pattern_is_refused_at_once() {
    for name in ["what?", "[x]", "{x}", "a*b", "100%25"] {
        let lab = Lab::below(name);
        let ran = lab.run(&["ingest", "sample"]);
        ran.expect(2).says("cannot hold a lake").says(name);
        assert!(!lab.lake().exists(), "{name}");
    }
}

#[test]
fn an_engine_folder_with_a_colon_is_refused_at_once() {
    let mut lab = empty();
    add_job(&lab, &OK);
    lab.variables.insert("SOFLOW_ENGINE_DIR".into(), lab.home().join("v1:2").display().to_string());
    lab.run(&["submit", "ok", "--date", "2026-11-22"]).expect(2).says("cannot hold an engine environment").says("v1:2");
}

#[test]
fn a_prefix_that_hadoop_reads_otherwise_is_refused_by_validate() {
    let lab = empty();
    add_job(&lab, &OK);
    lab.write(
        "config/soflow.yaml",
        "targets:\n  slash: { kind: emr, lake: \"s3://some-bucket//x\", region: eu-west-1 }\n  \
         glob: { kind: emr, lake: \"s3://some-bucket/{x}\", region: eu-west-1 }\n  \
         up: { kind: emr, lake: \"s3://some-bucket/a/../b\", region: eu-west-1 }\n",
    );
    for arguments in [&["validate"][..], &["ingest", "sample", "--target", "slash"]] {
        let ran = lab.run(arguments);
        ran.expect(2).says("config/soflow.yaml:2:").says("config/soflow.yaml:3:").says("config/soflow.yaml:4:");
        ran.says("Hadoop does not take `//`").says("does not take `{`").says("does not take `..`");
    }
}
