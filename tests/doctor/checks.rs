//! What is found in accounts of different health.

use serde_json::json;
use soflow::aws::IAM;
use soflow::doctor::State;
use soflow::names::Uri;

use crate::doctor::ward::{Ward, fleet, trusting};
use crate::twin::{Fault, FaultKind};

/// Operations that change something, and how often the doctor may do them: once a bucket.
const CHANGES: [&str; 2] = ["PutObject", "DeleteObject"];

#[test]
fn a_healthy_account() {
    let ward = Ward::healthy("doctor-healthy");
    let report = ward.examine();
    insta::assert_snapshot!(ward.shown(&report));
    assert_eq!((report.count(State::Problem), report.count(State::Unknown)), (0, 0));
    assert_eq!(ward.objects(), Vec::<String>::new(), "the probe is removed");

    let calls = ward.twin.calls();
    let read = |name: &str| ["Get", "List", "Describe", "Head", "Simulate"].iter().any(|verb| name.starts_with(verb));
    let changes: Vec<&str> =
        calls.iter().map(|call| call.operation.as_str()).filter(|operation| !read(operation)).collect();
    assert_eq!(changes, CHANGES);
    assert!(calls.len() <= 35, "{} calls: {calls:?}", calls.len());
}

#[test]
fn three_problems() {
    let mut ward = Ward::healthy("doctor-ill");
    let trust = trusting(&json!({ "Service": "lambda.amazonaws.com" }), &["sts:AssumeRole"]);
    let fields = [("RoleName", "doctor-ill-emr"), ("PolicyDocument", trust.as_str())];
    ward.form(&IAM, "UpdateAssumeRolePolicy", &fields, "");
    ward.lake.logs = Uri::in_bucket("doctor-ill-missing", "logs");
    ward.emr.shape.core = fleet("m4.xlarge", 2, 0);
    let report = ward.examine();
    insta::assert_snapshot!(ward.shown(&report));
    assert_eq!(report.count(State::Problem), 3);
}

#[test]
fn without_permissions_nothing_is_known_and_nothing_fails() {
    let ward = Ward::new("doctor-denied");
    for service in ["iam", "ec2", "emr", "glue", "athena", "servicequotas", "s3"] {
        ward.twin.fault(Fault::new(service, "*", FaultKind::AccessDenied).always());
    }
    let report = ward.examine();
    insta::assert_snapshot!(ward.shown(&report));
}

#[test]
fn what_may_not_be_done_is_told_with_the_statement_that_allows_it() {
    let ward = Ward::new("doctor-rights");
    ward.simulation("implicitDeny");
    ward.quota(11.0);
    ward.versioning();
    let report = ward.examine();
    let wrong = |state| -> Vec<_> {
        report.findings.iter().filter(|finding| finding.state == state).map(|finding| finding.check).collect()
    };
    assert_eq!(wrong(State::Unknown), Vec::<&str>::new());
    let expected = [
        "rights on EMR",
        "passing roles",
        "passing roles",
        "handing on roles",
        "rights on Glue",
        "rights on Athena",
        "rights on logs",
        "cleanup role",
        "quota on demand",
        "quota of spot",
    ];
    assert_eq!(wrong(State::Problem), expected);
    let pass = report.findings.iter().find(|finding| finding.check == "handing on roles").unwrap();
    insta::assert_snapshot!(format!("{}\n{}", pass.what, pass.mend[0]));
}

#[test]
fn all_pages_of_a_simulation_are_read() {
    let ward = Ward::new("doctor-pages");
    let first = "<R><EvaluationResults/><IsTruncated>true</IsTruncated><Marker>more</Marker></R>".to_string();
    ward.twin.fault(Fault::new("iam", "SimulatePrincipalPolicy", FaultKind::Answer(200, first)));
    ward.simulation("allowed");
    let report = ward.examine();
    let rights = report.findings.iter().find(|finding| finding.check == "rights on EMR").unwrap();
    assert_eq!(rights.state, State::Ok, "{rights:?}");
}

#[test]
fn subnets_that_are_missing_or_cut_off_are_named() {
    let mut ward = Ward::healthy("doctor-subnets");
    let routes = "<R><routeTableSet/></R>".to_string();
    ward.twin.fault(Fault::new("ec2", "DescribeRouteTables", FaultKind::Answer(200, routes)).always());
    ward.twin.fault(Fault::new("ec2", "DescribeVpcEndpoints", FaultKind::AccessDenied).always());
    let told = |ward: &Ward, check: &str| {
        let report = ward.examine();
        let finding = report.findings.iter().find(|finding| finding.check == check).unwrap();
        (finding.state, finding.what.clone())
    };
    let subnet = ward.emr.shape.subnets[0].clone();
    let why = "by their routes: `ec2:DescribeVpcEndpoints` is not allowed";
    let cut_off = format!("`{subnet}` reach neither the internet nor S3 {why}");
    assert_eq!(told(&ward, "way to S3"), (State::Unknown, cut_off));
    ward.emr.shape.subnets.push("subnet-0123456789abcdef0".into());
    assert_eq!(told(&ward, "subnets"), (State::Problem, "there is no `subnet-0123456789abcdef0`".to_string()));
}

#[test]
fn an_execution_role_needs_a_switch_and_trust() {
    let mut ward = Ward::healthy("doctor-runtime");
    ward.emr.execution_role = Some("arn:aws:iam::123456789012:role/doctor-runtime-steps".into());
    ward.emr.shape.security_configuration = Some("runtime".into());
    let nodes = "arn:aws:iam::123456789012:role/doctor-runtime-nodes";
    let half = trusting(&json!({ "AWS": nodes }), &["sts:AssumeRole"]);
    let fields = [("RoleName", "doctor-runtime-steps"), ("AssumeRolePolicyDocument", half.as_str())];
    ward.form(&IAM, "CreateRole", &fields, "");
    let told = |ward: &Ward| {
        let report = ward.examine();
        let about =
            |check: &&soflow::doctor::Finding| ["security configuration", "execution role"].contains(&check.check);
        report.findings.iter().filter(about).map(|finding| (finding.state, finding.what.clone())).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&ward),
        [
            (State::Problem, "`runtime` does not exist".to_string()),
            (State::Problem, format!("`doctor-runtime-steps` does not let `{nodes}` `sts:TagSession`")),
        ]
    );
    let switch =
        json!({ "AuthorizationConfiguration": { "IAMConfiguration": { "EnableApplicationScopedIAMRole": true } } });
    ward.twin.security_configuration("runtime", &switch);
    let whole = trusting(&json!({ "AWS": nodes }), &["sts:AssumeRole", "sts:TagSession"]);
    let fields = [("RoleName", "doctor-runtime-steps"), ("PolicyDocument", whole.as_str())];
    ward.form(&IAM, "UpdateAssumeRolePolicy", &fields, "");
    assert_eq!(told(&ward).iter().map(|(state, _)| *state).collect::<Vec<_>>(), [State::Ok, State::Ok]);
}

#[test]
fn with_expired_credentials_nothing_else_is_asked() {
    let ward = Ward::new("doctor-expired");
    ward.twin.fault(Fault::new("sts", "GetCallerIdentity", FaultKind::ExpiredToken).always());
    let report = ward.examine();
    insta::assert_snapshot!(ward.shown(&report), @r"
    PROBLEM credentials          the AWS credentials have expired (from the program)
                                 -> sign in: `aws configure`
    UNKNOWN all else             nothing else could be asked
    ");
    assert_eq!(ward.twin.calls().len(), 1);
}
