//! The template as it is reviewed, and what holds of it whatever the settings are.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::config::{self, Layers, Resolved, TargetKind};

/// A target whose raw and artifacts share a bucket, with two jobs.
const PROD: &str = "
default-target: prod
targets:
  prod:
    kind: emr
    lake:
      raw: s3://acme-lake/raw
      curated: s3://acme.curated
      artifacts: s3://acme-lake/soflow/artifacts
      logs: s3://acme-logs/soflow
    database: stackoverflow
    stack:
      schedules: { daily: cron(15 2 * * ? *), weekly_report: cron(0 6 ? * MON *) }
      time-zone: Europe/Berlin
      alert-emails: [data-team@example.com]
";

/// Clusters that run with the roles of others.
const OTHERS: &str = "
clusters:
  standard:
    service-role: EMR_DefaultRole
    instance-profile: arn:aws:iam::123456789012:instance-profile/teams/data
";

fn settings(text: &str) -> Resolved {
    let file = Some(("config/soflow.yaml".into(), text.into()));
    let layers = Layers { root: "/project".into(), file, ..Layers::default() };
    config::read(layers, &|path| path == Path::new("/project/pyspark/requirements.lock"))
        .unwrap_or_else(|problems| panic!("{}", Error::from(problems)))
}

fn made(text: &str) -> Result<Json> {
    let settings = settings(text).settings;
    let (name, target) = settings.targets.iter().find(|(name, _)| **name == settings.target).unwrap();
    let TargetKind::Emr(emr) = &target.kind else { panic!("`{name}` is no target of EMR") };
    template(&Stack { target: name, emr, lake: &target.lake, clusters: "soflow/1a2b3c4d/" })
}

fn changed(more: &str) -> Json {
    made(&format!("{PROD}{more}")).unwrap()
}

fn resources(template: &Json) -> BTreeSet<&str> {
    template["Resources"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// Calls `each` with every intrinsic function below `value`: its name and its argument.
fn intrinsics<'a>(value: &'a Json, each: &mut impl FnMut(&'a str, &'a Json)) {
    match value {
        Json::Object(fields) => {
            for (key, value) in fields {
                if key == "Ref" || key == "DependsOn" || key.starts_with("Fn::") {
                    each(key, value);
                }
                intrinsics(value, each);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| intrinsics(item, each)),
        _ => {}
    }
}

#[test]
fn the_template_is_reviewed() {
    insta::assert_snapshot!(format!("{:#}\n", made(PROD).unwrap()));
}

#[test]
fn the_same_settings_give_the_same_template() {
    let turned = PROD.replace(
        "{ daily: cron(15 2 * * ? *), weekly_report: cron(0 6 ? * MON *) }",
        "{ weekly_report: cron(0 6 ? * MON *), daily: cron(15 2 * * ? *) }",
    );
    assert_ne!(turned, PROD);
    assert_eq!(made(PROD).unwrap().to_string(), made(&turned).unwrap().to_string());
}

#[test]
fn everything_that_is_named_is_there() {
    for template in
        [made(PROD).unwrap(), changed("      buckets: existing\n      database: existing\n      ingest: none\n")]
    {
        let mut there = resources(&template);
        there.extend(template["Parameters"].as_object().unwrap().keys().map(String::as_str));
        let mut wrong = Vec::new();
        let mut seen = 0;
        intrinsics(&template, &mut |function, argument| {
            let mut name = |name: &str| {
                let name = name.split('.').next().unwrap_or_default();
                seen += 1;
                if !name.starts_with("AWS::") && !there.contains(name) {
                    wrong.push(format!("{function} of {name}"));
                }
            };
            match (function, argument) {
                ("Ref", one) => name(one.as_str().unwrap()),
                ("DependsOn", many) => many.as_array().unwrap().iter().for_each(|one| name(one.as_str().unwrap())),
                ("Fn::GetAtt", pair) => name(pair[0].as_str().unwrap()),
                ("Fn::Sub", argument) => {
                    let (text, own) = match argument {
                        Json::Array(pair) => (pair[0].as_str().unwrap(), pair[1].as_object()),
                        text => (text.as_str().unwrap(), None),
                    };
                    for part in text.split("${").skip(1) {
                        let (named, _) = part.split_once('}').unwrap();
                        if own.is_none_or(|own| !own.contains_key(named)) {
                            name(named);
                        }
                    }
                }
                ("Fn::Join", _) => {}
                (other, _) => wrong.push(format!("{other} is not known here")),
            }
        });
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(seen > 200, "only {seen} names were found");
    }
}

#[test]
fn what_is_there_before_is_not_made() {
    let template = changed("      buckets: existing\n      database: existing\n      ingest: none\n");
    let (made, there) = (made(PROD).unwrap(), resources(&template));
    let gone: Vec<&str> = resources(&made).difference(&there).copied().collect();
    let expected = [
        "Database",
        "IngestLagAlarm",
        "IngestLateAlarm",
        "IngestSchedule",
        "LakeBucketAcmeCurated",
        "LakeBucketAcmeCuratedPolicy",
        "LakeBucketAcmeLake",
        "LakeBucketAcmeLakePolicy",
        "LakeBucketAcmeLogs",
        "LakeBucketAcmeLogsPolicy",
    ];
    assert_eq!(gone, expected);
    assert!(there.is_subset(&resources(&made)));
    // Their keys may be others.
    let text = template["Resources"]["PublishRole"].to_string();
    assert!(text.contains("kms:ViaService"), "{text}");
    assert!(!made.to_string().contains("kms:ViaService"));
}

#[test]
fn a_bucket_has_the_rules_of_what_is_in_it() {
    let template = made(PROD).unwrap();
    let rules = |bucket: &str| {
        let rules = &template["Resources"][bucket]["Properties"]["LifecycleConfiguration"]["Rules"];
        rules
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| (rule["Id"].as_str().unwrap(), rule["Prefix"].as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(rules("LakeBucketAcmeLake"), [("Old", None)]);
    assert_eq!(rules("LakeBucketAcmeLogs"), [("Old", None), ("Logs", Some("soflow/"))]);
}

#[test]
fn nothing_that_holds_data_goes_with_the_stack() {
    let template = made(PROD).unwrap();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let holds = matches!(
            resource["Type"].as_str(),
            Some("AWS::S3::Bucket" | "AWS::KMS::Key" | "AWS::Glue::Database" | "AWS::SecretsManager::Secret")
        );
        if holds {
            let policies = (resource["DeletionPolicy"].as_str(), resource["UpdateReplacePolicy"].as_str());
            assert_eq!(policies, (Some("RetainExceptOnCreate"), Some("Retain")), "{name}");
        }
    }
}

#[test]
fn every_right_and_every_function_is_used() {
    let rights: BTreeMap<String, Vec<Json>> =
        read("rights.yaml", include_str!("../../../config/stack/rights.yaml")).unwrap();
    let specs: BTreeMap<String, FunctionSpec> =
        read("functions.yaml", include_str!("../../../config/stack/functions.yaml")).unwrap();
    assert_eq!(specs.keys().map(String::as_str).collect::<BTreeSet<_>>(), HANDLERS.map(|one| one.name).into());
    let within = rights.values().flatten().filter_map(Json::as_str);
    let used: BTreeSet<&str> = specs.values().flat_map(|spec| &spec.rights).map(String::as_str).chain(within).collect();
    let by_code = BTreeSet::from(["nodes", "dead", "keys-of-buckets"]);
    assert_eq!(used.union(&by_code).copied().collect::<BTreeSet<_>>(), rights.keys().map(String::as_str).collect());
}

#[test]
fn a_function_may_do_what_its_handler_does_and_no_more() {
    let template = made(PROD).unwrap();
    let may = |function: &str, action: &str| {
        let role = &template["Resources"][format!("{function}Role")]["Properties"]["Policies"];
        role.to_string().contains(&format!("\"{action}\""))
    };
    let functions = ["Begin", "Cluster", "Submit", "Check", "Publish", "Ended", "Reap", "Ingest"];
    let who = |action: &str| functions.iter().filter(|one| may(one, action)).copied().collect::<Vec<_>>();
    assert_eq!(who("elasticmapreduce:RunJobFlow"), ["Cluster", "Submit", "Check"]);
    assert_eq!(who("iam:PassRole"), ["Cluster", "Submit", "Check"]);
    assert_eq!(who("elasticmapreduce:AddJobFlowSteps"), who("elasticmapreduce:CancelSteps"), "to end applications");
    assert_eq!(who("sns:Publish"), ["Ended", "Reap"]);
    assert_eq!(who("secretsmanager:GetSecretValue"), ["Ingest"]);
    assert_eq!(who("sqs:SendMessage"), ["Ended", "Reap", "Ingest"]);
}

#[test]
fn functions_hand_on_the_roles_that_the_shape_names() {
    let of = |text: &str| {
        let statements = made(text).unwrap()["Resources"]["ClusterRole"]["Properties"]["Policies"][0]["PolicyDocument"]
            ["Statement"]
            .take();
        let mut found = statements.as_array().unwrap().iter().filter(|statement| statement["Sid"] == "HandOnRoles");
        let settings = settings(text).settings;
        let TargetKind::Emr(emr) = &settings.targets["prod"].kind else { panic!("no target of EMR") };
        let unused = Stack { target: "prod", emr, lake: &settings.targets["prod"].lake, clusters: "" }.unused();
        (found.next().unwrap()["Resource"].to_string(), unused)
    };
    let (roles, unused) = of(PROD);
    assert_eq!(roles, r#"[{"Fn::GetAtt":["EmrServiceRole","Arn"]},{"Fn::GetAtt":["EmrNodeRole","Arn"]}]"#);
    assert_eq!(unused, [], "its own, where nobody says otherwise");
    let (roles, unused) = of(&format!("{PROD}{OTHERS}"));
    assert_eq!(
        roles,
        r#"[{"Fn::Sub":"arn:${AWS::Partition}:iam::${AWS::AccountId}:role/EMR_DefaultRole"},{"Fn::Sub":"arn:aws:iam::123456789012:role/teams/data"}]"#
    );
    let keys: Vec<&str> = unused.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["clusters.standard.service-role", "clusters.standard.instance-profile"]);
}

#[test]
fn what_is_late_depends_on_how_often_it_is_started() {
    let cases = [
        ("rate(30 minutes)", Some(3)),
        ("rate(1 hour)", Some(3)),
        ("rate(2 days)", Some(50)),
        ("rate(7 days)", None),
        ("cron(15 2 * * ? *)", Some(26)),
        ("cron(0/30 * ? * * *)", Some(3)),
        ("cron(0 6 ? * MON-FRI *)", Some(74)),
        ("cron(0 6 ? * MON *)", None),
        ("cron(0 6 1 * ? *)", None),
        ("cron(0 6 * 1 ? *)", None),
        ("at(2026-12-01T00:00:00)", None),
        ("rate(soon)", None),
    ];
    for (expression, hours) in cases {
        assert_eq!(patience(expression), hours, "{expression}");
    }
    let template = made(PROD).unwrap();
    assert!(resources(&template).contains("DailyMachineLateAlarm"));
    assert!(!resources(&template).contains("WeeklyReportMachineLateAlarm"));
}

#[test]
fn endpoints_are_made_where_they_are_wanted() {
    let endpoints = |template: &Json| -> Vec<String> {
        resources(template).into_iter().filter(|name| name.ends_with("Endpoint")).map(String::from).collect()
    };
    assert_eq!(endpoints(&made(PROD).unwrap()), [""; 0]);
    let with = |lists: &str| changed(&format!("      endpoints: {{ vpc: vpc-0a1b, {lists} }}\n"));
    let template = with("route-tables: [rtb-1, rtb-2]");
    assert_eq!(endpoints(&template), ["S3Endpoint"]);
    let expected = json!({
        "VpcEndpointType": "Gateway",
        "VpcId": "vpc-0a1b",
        "ServiceName": { "Fn::Sub": "com.amazonaws.${AWS::Region}.s3" },
        "RouteTableIds": ["rtb-1", "rtb-2"],
    });
    assert_eq!(template["Resources"]["S3Endpoint"]["Properties"], expected);
    let template = with("subnets: [subnet-1], security-groups: sg-1");
    let expected = ["Elasticmapreduce", "Glue", "Kms", "Logs", "Monitoring"].map(|name| format!("{name}Endpoint"));
    assert_eq!(endpoints(&template), expected);
    let glue = &template["Resources"]["GlueEndpoint"]["Properties"];
    assert_eq!((&glue["SubnetIds"], &glue["SecurityGroupIds"]), (&json!(["subnet-1"]), &json!(["sg-1"])));
    assert_eq!((&glue["VpcEndpointType"], &glue["PrivateDnsEnabled"]), (&json!("Interface"), &json!(true)));
}

#[test]
fn names_that_a_template_cannot_have_are_told() {
    let refused = |text: &str| {
        let error = made(text).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        format!("{error}; {}", error.hints.join("; "))
    };
    let twice = PROD.replace("weekly_report:", "dai_ly: rate(1 hour), dai-ly:");
    assert_eq!(
        refused(&twice),
        "two names are one in a template: both are `DaiLyMachineLogs` there; jobs, and buckets, must differ in more than `-`, `_` and `.`: rename one of the two"
    );
    let long = PROD.replace("weekly_report:", &format!("{}:", "w".repeat(61)));
    assert!(refused(&long).ends_with("at most 60 characters are left for it"));
    let target = "a_target_whose_name_is_too_long_for_it";
    let long = PROD.replace("prod", target);
    assert_eq!(
        refused(&long),
        format!(
            "a stack cannot be named `soflow-{}`: it has more than 40 characters; write a shorter one into `config/soflow.yaml`: `targets.{target}.stack.name`",
            target.replace('_', "-")
        )
    );
}
