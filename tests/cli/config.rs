//! `soflow config`.

use crate::cli::support::Project;

#[test]
fn every_setting_and_where_it_is_from() {
    let project = Project::empty().with("SOFLOW_PARALLEL", "3").with("SOFLOW_ENGINE_DIR", "engines");
    project.write("config/soflow.yaml", "keep-for: 12h\ntargets:\n  local: { lake: file:elsewhere }\n");
    shot!(project.soflow(["config", "show", "--origin"]));
}

#[test]
fn the_settings_of_a_cluster() {
    let project = Project::empty();
    let target = "targets:\n  prod: { kind: emr, lake: s3://bucket/prefix, region: eu-west-1, cluster: big }\n";
    let shape = "clusters:\n  big: { core: [m5.xlarge, { m5.2xlarge: 2 }], configurations: { hive-site: { my.password: x } } }\n";
    project.write("config/soflow.yaml", &format!("default-target: prod\n{target}{shape}"));
    let seen = project.soflow(["config", "show", "--origin"]);
    // Those of the other entries are in the test above.
    let ours = |line: &&str| {
        line.contains("big") || line.contains("prod") || line.contains("password") || line.starts_with('[')
    };
    let all = seen.to_string();
    shot!(all.lines().filter(ours).map(|line| format!("{}\n", line.trim_end())).collect::<String>());
}

#[test]
fn a_mistake_in_a_cluster() {
    let project = Project::empty();
    project.write("config/soflow.yaml", "clusters:\n  big: { applications: [Spark], core: { on-demand: few } }\n");
    shot!(project.soflow(["config", "show"]));
}

#[test]
fn what_needs_a_local_target_says_so() {
    let project = Project::daily().with("SOFLOW_TARGET", "emr").with("SOFLOW_LAKE", "s3://bucket/prefix");
    shot!("an_engine_on_a_cluster", project.soflow(["engine", "status"]));
    shot!("parity_on_a_cluster", project.soflow(["parity", "daily"]));
}

#[test]
fn a_target_without_a_lake() {
    shot!(Project::empty().soflow(["config", "show", "--target", "emr"]));
}

#[test]
fn settings_for_programs() {
    let seen = Project::empty().soflow(["config", "show", "--output", "json"]);
    assert_eq!(seen.json()["settings"]["target"], "local", "{seen}");
    assert_eq!(seen.json()["v"], 1);
}

#[test]
fn a_variable_that_is_no_setting() {
    shot!(Project::empty().with("SOFLOW_PARALEL", "3").with("SOFLOW_ENGINE_DIR", "engines").soflow(["config", "show"]));
}

#[test]
fn the_reference_is_the_page_in_docs() {
    let page = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.md")).unwrap();
    let seen = Project::empty().soflow(["config", "reference"]);
    assert!(seen.stdout == page, "docs/config.md is not what `soflow config reference` prints");
    seen.succeeded();
}

#[test]
fn the_schemas_are_those_in_the_repository() {
    for (of, file) in [("settings", "soflow.schema.json"), ("job", "job.schema.json")] {
        let path = format!("{}/config/schema/{file}", env!("CARGO_MANIFEST_DIR"));
        let seen = Project::empty().soflow(["config", "schema", of]);
        assert!(
            seen.stdout == fs_err::read_to_string(path).unwrap(),
            "config/schema/{file} is not what `soflow config schema {of}` prints: run `just docs`"
        );
        seen.succeeded();
    }
}
