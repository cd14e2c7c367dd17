//! What a run has cost: of a cluster it made, and of one that was there.

use crate::emr::lab::{DATE, Lab, Said};

/// Replaces the cluster's id and the amounts that depend on how long things took.
fn shown(lab: &Lab, said: &Said) -> String {
    let cluster = lab.clusters().remove(0);
    let text = said.stdout.replace(&cluster, "j-1");
    let (_, cost) = text.split_once("\nCost ").unwrap_or_else(|| panic!("no cost: {said}"));
    let (total, rest) = cost.split_once(':').unwrap();
    let estimate = rest.find('(').unwrap();
    format!("Cost {total}: … {}", &rest[estimate..])
}

#[test]
fn a_run_costs_what_its_cluster_did_in_its_time() {
    let lab = Lab::new();
    assert_eq!(lab.submit().code, Some(0));
    let first = format!("chain.{DATE}.1");
    insta::assert_snapshot!(shown(&lab, &lab.run(&["runs", "show", &first])), @r"
    Cost $0.01: … (estimate, prices of 2025-03-02)
      j-1, made for this run: from its beginning, until the run's end
    ");
    let kept = lab.twin.calls_of("emr", "ListInstances").len();
    assert_eq!(kept, 1, "asked once, when the run ended");

    let cost = lab.json(&["runs", "show", &first])["cost"].clone();
    let estimate = &cost["estimate"];
    let dollars = |part: &str| estimate[part]["low"].as_f64().unwrap();
    assert!((dollars("starting") + dollars("working") + dollars("idle") - dollars("total")).abs() < 1e-9, "{cost}");
    assert!(dollars("starting") > 0.0 && dollars("total") > 0.0, "{cost}");
    let steps = estimate["by_step"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    let sum: f64 = steps.iter().map(|step| step["cost"]["low"].as_f64().unwrap()).sum();
    assert!((sum - dollars("working")).abs() < 1e-9, "{cost}");

    assert_eq!(lab.run(&["submit", "chain", "--date", DATE, "--force"]).code, Some(0));
    let second = format!("chain.{DATE}.2");
    insta::assert_snapshot!(shown(&lab, &lab.run(&["runs", "show", &second])), @r"
    Cost $0.01: … (estimate, prices of 2025-03-02)
      j-1, from the run's first step, until the run's end
    ");
    let again = lab.json(&["runs", "show", &second])["cost"].clone();
    assert_eq!(again["estimate"]["starting"]["high"], 0.0, "others have paid for its start: {again}");
}

#[test]
fn a_missing_price_is_named() {
    let lab = Lab::with(
        "    cluster: strange\nclusters:\n  strange: { core: { types: [m5.xlarge, x9z.xlarge] }, primary: { types: [x9z.xlarge] } }\n",
        |options| options,
    );
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
    let shown = lab.run(&["runs", "show", &format!("chain.{DATE}.1")]);
    assert!(shown.stdout.contains("\nCost unknown: no price known for `x9z.xlarge` in `"), "{shown}");
}
