//! What AWS or soflow refuses, and what is said about it.

use crate::emr::lab::{DATE, JOB, Lab};
use crate::emr::said::support::hold_lease;
use crate::twin::{Fate, Fault, FaultKind};

#[test]
fn a_cluster_above_the_limit_is_not_made() {
    let lab = Lab::with("clusters:\n  standard: { max-dollars-per-hour: 1 }\n", |options| options);
    shot!("too_dear_up", lab, lab.run(&["cluster", "up"]));
    shot!("too_dear_submit", lab, lab.submit());
    shot!("too_dear_plan", lab, lab.run(&["plan", "chain", "--date", DATE]));
    assert_eq!(lab.twin.calls_of("emr", "RunJobFlow").len(), 0);
    assert!(lab.json(&["runs"])["runs"].as_array().unwrap().is_empty(), "a run was claimed that could only fail");
}

#[test]
fn a_cluster_that_is_there_is_used_whatever_it_costs() {
    let lab = Lab::new();
    lab.run(&["cluster", "up"]);
    let path = lab.home.path().join("config/soflow.yaml");
    let settings = fs_err::read_to_string(&path).unwrap();
    lab.write("config/soflow.yaml", &(settings + "clusters:\n  standard: { max-dollars-per-hour: 1 }\n"));
    let said = lab.submit();
    assert_eq!(said.code, Some(0), "{said}");
}

#[test]
fn a_price_that_is_not_known_is_a_warning() {
    let lab = Lab::with("clusters:\n  standard: { core: [m5a.xlarge] }\n", |options| options);
    shot!("unknown_price", lab, lab.run(&["cluster", "up", "--no-wait"]));
    assert_eq!(lab.clusters().len(), 1);
}

#[test]
fn a_job_that_needs_more_than_the_shape_has() {
    let lab = Lab::new();
    lab.write(
        "jobs/chain.yaml",
        &format!("{JOB}cluster: {{ applications: [Spark, HBase], memory: 900g, cores: 64 }}\n"),
    );
    lab.twin.reset_calls();
    shot!("needs", lab, lab.submit());
    assert_eq!(lab.twin.calls().len(), 0, "refused before any call");
    lab.write(
        "jobs/chain.yaml",
        &format!("{JOB}cluster: {{ applications: [Spark, Hive], memory: 160g, cores: 40 }}\n"),
    );
    let plan = lab.run(&["plan", "chain", "--date", DATE]);
    assert_eq!(plan.code, Some(0), "ten units of 4 cores and 16 GiB are enough: {plan}");
}

#[test]
fn a_lease_held_by_another() {
    let lab = Lab::new();
    lab.run(&["cluster", "up"]);
    hold_lease(&lab, &lab.clusters()[0]);
    shot!("held", lab, lab.run(&["submit", "chain", "--date", DATE, "--queue-for", "0s"]));
}

#[test]
fn throttled_for_good() {
    let lab = Lab::new();
    lab.twin.fault(Fault::new("emr", "*", FaultKind::Throttle).always());
    shot!("throttled", lab, lab.submit());
}

#[test]
fn what_may_not_be_done_is_named_with_the_permission_to_add() {
    for (name, service, operation) in [
        ("denied_run_job_flow", "emr", "RunJobFlow"),
        ("denied_add_steps", "emr", "AddJobFlowSteps"),
        ("denied_put_object", "s3", "PutObject"),
        ("denied_list_objects", "s3", "ListObjectsV2"),
    ] {
        let lab = Lab::new();
        lab.twin.fault(Fault::new(service, operation, FaultKind::AccessDenied).always());
        let mut said = lab.submit();
        // The code was on its way beside the call that was refused: it may have arrived or not.
        said.stderr = said.stderr.split_inclusive('\n').filter(|line| !line.contains(" uploaded ")).collect();
        shot!(name, lab, said);
    }
}

#[test]
fn what_emr_does_not_take_is_explained() {
    let lab = Lab::new();
    let body = r#"{"__type":"ValidationException","message":"Invalid InstanceProfile: EMR_EC2_DefaultRole."}"#;
    lab.twin.fault(Fault::new("emr", "RunJobFlow", FaultKind::Answer(400, body.into())).always());
    shot!("invalid_profile", lab, lab.run(&["cluster", "up"]));
}

#[test]
fn a_cluster_that_does_not_come_up() {
    for (name, fate) in [
        ("bootstrap", Fate::BootstrapFails { action: 1, instance: "i-0abc123def4567890".into() }),
        ("no_capacity", Fate::NoCapacity { spot: false }),
        ("no_linked_role", Fate::ServiceLinkedRoleMissing),
    ] {
        let lab = Lab::new();
        lab.twin.next_cluster(fate);
        shot!(name, lab, crate::emr::said::support::walked(&lab, &["submit", "chain", "--date", DATE]));
    }
}
