//! `soflow config`.

use crate::support::Project;

#[test]
fn every_setting_and_where_it_is_from() {
    let project = Project::empty().with("SOFLOW_PARALLEL", "3").with("SOFLOW_ENGINE_DIR", "engines");
    project.write("config/soflow.yaml", "keep-for: 12h\ntargets:\n  local: { lake: file:elsewhere }\n");
    shot!(project.soflow(["config", "show", "--origin"]));
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
