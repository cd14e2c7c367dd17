//! What is read of EMR targets and cluster shapes that are right.

use std::time::Duration;

use super::*;

fn emr<'a>(resolved: &'a Resolved, target: &str) -> &'a Emr {
    match &resolved.settings.targets[target].kind {
        TargetKind::Emr(emr) => emr,
        TargetKind::Local(_) => panic!("not an EMR target"),
    }
}

/// The settings of a target `prod` of kind `emr`, with `more` in it and `clusters` beside.
fn with(more: &str, clusters: &str) -> Resolved {
    let file = file(more, clusters);
    resolve(layers(&file, &[], &[]))
        .unwrap_or_else(|error| panic!("{file}\n{}", error.detail.as_deref().unwrap_or_default()))
}

pub(super) fn file(more: &str, clusters: &str) -> String {
    format!(
        "default-target: prod\ntargets:\n  prod:\n    kind: emr\n    lake: s3://bucket/prefix\n{more}\nclusters:\n{clusters}\n"
    )
}

#[test]
fn a_lake_is_all_that_an_emr_target_needs() {
    let resolved = resolve(layers("targets: { emr: { lake: s3://bucket/prefix/ } }\n", &[], &[])).unwrap();
    let emr = emr(&resolved, "emr");
    assert_eq!(resolved.settings.targets["emr"].lake.logs.as_str(), "s3://bucket/prefix/logs");
    assert_eq!((emr.region.as_ref(), emr.profile.as_ref(), emr.execution_role.as_ref()), (None, None, None));
    assert_eq!((emr.database.as_str(), emr.workgroup.as_str()), ("soflow", "primary"));
    assert_eq!((emr.cluster.as_str(), emr.queue_seconds, emr.dependencies.as_ref()), ("standard", 1_800, None));
    assert_eq!((emr.poll_fastest, emr.poll_slowest), (Duration::from_secs(5), Duration::from_secs(30)));
    assert_eq!(emr.lost_answer_wait, Duration::from_secs(60));
    assert!((emr.api_quota - 1.0).abs() < f64::EPSILON);
    assert_eq!(serde_json::to_value(emr).unwrap()["poll_fastest_seconds"], 5.0);
    assert!(resolved.warnings.is_empty(), "{:?}", resolved.warnings);
}

#[test]
fn the_standard_shape_is_whole() {
    let resolved = with("", "");
    let shape = &emr(&resolved, "prod").shape;
    assert_eq!(shape.release, "emr-7.14.0");
    let applications = ["Spark", "Hive", "Hue", "JupyterHub", "Livy", "Trino", "AmazonCloudWatchAgent"];
    assert_eq!(shape.applications, applications);
    assert_eq!(
        (shape.service_role.as_str(), shape.instance_profile.as_str()),
        ("EMR_DefaultRole", "EMR_EC2_DefaultRole")
    );
    let large = |name: &str, weight| InstanceType { name: name.into(), weight };
    assert_eq!((shape.primary.types.clone(), shape.primary.on_demand), (vec![large("m5.xlarge", 1)], 1));
    assert_eq!((shape.core.on_demand, shape.core.spot, &shape.task), (2, 0, &None));
    assert_eq!(shape.scaling, Some(Scaling { min: 2, max: 10, max_on_demand: None, max_core: None }));
    assert_eq!(shape.disk, Disk { gigabytes: 64, count: 2, iops: 3_000, throughput: 125 });
    assert_eq!((shape.step_concurrency, shape.python.as_str(), shape.cloudwatch_logs), (1, "3.11", true));
    assert_eq!((shape.idle_seconds, shape.max_age_seconds), (3_600, 86_400));
    assert!((shape.max_dollars_per_hour - 10.0).abs() < f64::EPSILON);
    assert!(shape.subnets.is_empty() && shape.bootstrap.is_empty() && shape.configurations.is_empty());
    assert_eq!((&shape.key_name, &shape.security_configuration, &shape.log_key), (&None, &None, &None));
}

#[test]
fn every_key_of_a_target_is_read() {
    let target = "
    region: eu-west-1
    profile: data
    database: lake_2
    workgroup: Analysts.v2
    cluster: big
    execution-role: arn:aws:iam::123456789012:role/jobs/daily
    dependencies: scripts/prepare.sh
    queue-for: 2h
    poll-fastest: 500ms
    poll-slowest: 1m
    lost-answer-wait: 2m
    api-quota: 0.5
";
    let resolved =
        with(target, "  big: { security-configuration: strict, release: emr-6.15.0, cloudwatch-logs: false }\n");
    let emr = emr(&resolved, "prod");
    assert_eq!((emr.region.as_deref(), emr.profile.as_deref()), (Some("eu-west-1"), Some("data")));
    assert_eq!((emr.database.as_str(), emr.workgroup.as_str()), ("lake_2", "Analysts.v2"));
    assert_eq!((emr.cluster.as_str(), emr.shape.release.as_str()), ("big", "emr-6.15.0"));
    assert_eq!(emr.execution_role.as_deref(), Some("arn:aws:iam::123456789012:role/jobs/daily"));
    assert_eq!(emr.dependencies.as_deref(), Some(Path::new("/project/scripts/prepare.sh")));
    assert_eq!(
        (emr.queue_seconds, emr.poll_fastest, emr.poll_slowest, emr.lost_answer_wait),
        (7_200, Duration::from_millis(500), Duration::from_secs(60), Duration::from_secs(120))
    );
    assert!((emr.api_quota - 0.5).abs() < f64::EPSILON);
}

#[test]
fn every_key_of_a_stack_is_read() {
    let shipped = with("", "");
    let stack = &emr(&shipped, "prod").stack;
    assert_eq!(
        (&stack.name, stack.ingest.as_deref(), stack.time_zone.as_str()),
        (&None, Some("rate(30 minutes)"), "UTC")
    );
    assert_eq!((stack.schedules.len(), stack.alert_emails.len()), (0, 0));
    assert_eq!((stack.buckets, stack.database), (Provision::Make, Provision::Make));
    assert_eq!((stack.log_retention_days, stack.longest_run_seconds), (365, 43_200));
    assert_eq!((stack.architecture, stack.scan_limit_gb), (LambdaArchitecture::Arm64, 100));

    let written = "
    stack:
      name: Data-Team
      schedules: { daily: cron(15 2 * * ? *), weekly_report: rate(7 days) }
      ingest: none
      time-zone: Europe/Berlin
      alert-emails: ann@example.com
      buckets: existing
      database: existing
      log-retention-days: 30
      longest-run: 1d12h
      architecture: x86_64
      scan-limit-gb: 5
      endpoints: { vpc: vpc-0a, route-tables: rtb-1, subnets: [subnet-1, subnet-2], security-groups: [sg-1] }
";
    let resolved = with(written, "");
    let stack = &emr(&resolved, "prod").stack;
    assert_eq!(
        (stack.name.as_deref(), &stack.ingest, stack.time_zone.as_str()),
        (Some("Data-Team"), &None, "Europe/Berlin")
    );
    assert_eq!((stack.schedules["weekly_report"].as_str(), stack.schedules.len()), ("rate(7 days)", 2));
    assert_eq!(stack.alert_emails, ["ann@example.com"]);
    assert_eq!((stack.buckets, stack.database), (Provision::Existing, Provision::Existing));
    assert_eq!((stack.log_retention_days, stack.longest_run_seconds), (30, 129_600));
    assert_eq!((stack.architecture, stack.scan_limit_gb), (LambdaArchitecture::X86_64, 5));
    let EndpointSettings { vpc, route_tables, subnets, security_groups } = &stack.endpoints;
    assert_eq!((vpc.as_deref(), route_tables.len(), subnets.len()), (Some("vpc-0a"), 1, 2));
    assert_eq!(security_groups, &["sg-1"]);
}

#[test]
fn a_target_with_a_stack_has_what_that_makes_unless_others_are_named() {
    let named = |written: &str, clusters: &str| {
        let resolved = with(written, clusters);
        let target = emr(&resolved, "prod");
        let shape = &target.shape;
        let configuration = shape.security_configuration.clone().unwrap_or_default();
        [&shape.service_role, &shape.instance_profile, &configuration, &target.workgroup].map(|name| name.clone())
    };
    let stack = "    stack: { schedules: { daily: rate(1 day) } }\n";
    assert_eq!(named("", ""), ["EMR_DefaultRole", "EMR_EC2_DefaultRole", "", "primary"]);
    assert_eq!(named(stack, ""), ["soflow-prod-emr", "soflow-prod-nodes", "soflow-prod", "soflow-prod"]);
    let other = "    stack: { name: lake, schedules: { daily: rate(1 day) } }\n    workgroup: primary\n";
    let shape = "  standard: { service-role: EMR_DefaultRole, security-configuration: strict }\n";
    assert_eq!(named(other, shape), ["EMR_DefaultRole", "lake-nodes", "strict", "primary"]);
}

#[test]
fn every_key_of_a_shape_is_read() {
    let shape = "
  big:
    release: emr-7.13.0
    applications: [Spark, Livy, AmazonCloudWatchAgent]
    service-role: arn:aws:iam::123456789012:role/emr
    instance-profile: nodes
    subnets: [subnet-0a1b2c3d4e5f67890, subnet-0a1b2c3d]
    key-name: my key
    security-configuration: strict
    primary: r5.2xlarge
    core: { types: [m5.xlarge, { m5.2xlarge: 2 }], on-demand: 0, spot: 4, spot-timeout: 1h, when-no-spot: terminate }
    task: { spot: 8 }
    scaling: { min: 4, max: 20, max-on-demand: 6, max-core: 4 }
    step-concurrency: 4
    python: 3.9
    disk: { gigabytes: 500, count: 4, iops: 6000, throughput: 500 }
    bootstrap: [scripts/prepare.sh, { script: s3://bucket/more.sh, name: More, args: [a, 2] }]
    configurations:
      spark-defaults: { spark.sql.shuffle.partitions: 64 }
      hue-ini: { desktop: { database: { engine: mysql } } }
    tags: { team: data, cost-center: 42 }
    idle-timeout: 10m
    max-age: 2d
    max-dollars-per-hour: 2.5
    cloudwatch-logs: false
    log-key: arn:aws:kms:eu-west-1:123456789012:key/0a1b
";
    let resolved = with("    cluster: big", shape);
    let shape = &emr(&resolved, "prod").shape;
    assert_eq!(shape.core.types[1], InstanceType { name: "m5.2xlarge".into(), weight: 2 });
    let core = (shape.core.on_demand, shape.core.spot, shape.core.spot_timeout_minutes, shape.core.spot_fallback);
    assert_eq!(core, (0, 4, 60, SpotFallback::Terminate));
    assert_eq!((shape.primary.types[0].name.as_str(), shape.primary.on_demand), ("r5.2xlarge", 1));
    let task = shape.task.as_ref().unwrap();
    assert_eq!(
        (task.types.len(), task.spot, task.spot_timeout_minutes, task.spot_fallback),
        (3, 8, 10, SpotFallback::OnDemand)
    );
    assert_eq!(shape.scaling, Some(Scaling { min: 4, max: 20, max_on_demand: Some(6), max_core: Some(4) }));
    assert_eq!((shape.subnets.len(), shape.key_name.as_deref()), (2, Some("my key")));
    assert_eq!((shape.step_concurrency, shape.python.as_str()), (4, "3.9"));
    assert_eq!(shape.disk, Disk { gigabytes: 500, count: 4, iops: 6_000, throughput: 500 });
    let scripts: Vec<(&str, &str)> =
        shape.bootstrap.iter().map(|action| (action.name.as_str(), action.script.as_str())).collect();
    assert_eq!(scripts, [("prepare.sh", "file:///project/scripts/prepare.sh"), ("More", "s3://bucket/more.sh")]);
    assert_eq!(shape.bootstrap[1].args, ["a", "2"]);
    let hue = &shape.configurations[0];
    assert_eq!(hue.configurations[0].configurations[0].properties["engine"], "mysql");
    assert_eq!(shape.configurations[1].properties["spark.sql.shuffle.partitions"], "64");
    assert_eq!(shape.tags, [("cost-center".into(), "42".into()), ("team".into(), "data".into())].into());
    assert_eq!((shape.idle_seconds, shape.max_age_seconds), (600, 172_800));
    assert!((shape.max_dollars_per_hour - 2.5).abs() < f64::EPSILON && !shape.cloudwatch_logs);
    assert!(shape.log_key.is_some() && shape.security_configuration.is_some());
}

#[test]
fn a_shape_takes_from_standard_key_by_key() {
    let clusters = "
  standard: { scaling: { max: 20 }, tags: { team: data, env: dev }, key-name: ops, subnets: [subnet-0a1b2c3d], disk: { count: 3 } }
  small: { core: m5.large, scaling: none, task: none, tags: { env: test }, key-name: none, subnets: [] }
  wide: { scaling: { min: 1 }, disk: { gigabytes: 100 } }
";
    let both = format!("{clusters}  # two targets\n");
    let resolved = with("    cluster: small\n  other: { kind: emr, lake: s3://bucket/other, cluster: wide }", &both);
    let small = &emr(&resolved, "prod").shape;
    assert_eq!((small.core.types[0].name.as_str(), small.core.on_demand), ("m5.large", 2));
    assert_eq!((&small.scaling, &small.task, &small.key_name, small.disk.count), (&None, &None, &None, 3));
    assert!(small.subnets.is_empty(), "lists are replaced whole");
    assert_eq!(small.tags, [("env".into(), "test".into()), ("team".into(), "data".into())].into());
    let wide = &emr(&resolved, "other").shape;
    assert_eq!(wide.scaling, Some(Scaling { min: 1, max: 20, max_on_demand: None, max_core: None }));
    assert_eq!((wide.disk.gigabytes, wide.disk.count, wide.key_name.as_deref()), (100, 3, Some("ops")));
    let origin =
        |key: &str| resolved.origins.iter().find(|origin| origin.key == key).map(|origin| origin.origin.as_str());
    assert_eq!(origin("clusters.wide.scaling.max"), Some("config/soflow.yaml:10"));
    assert_eq!(origin("clusters.wide.scaling.min"), Some("config/soflow.yaml:12"));
    assert_eq!(origin("clusters.wide.release"), Some("default"));
    assert_eq!(origin("clusters.small.scaling"), Some("config/soflow.yaml:11"));
    assert_eq!(origin("clusters.small.scaling.max"), None);
}

#[test]
fn standard_without_scaling_leaves_it_to_others() {
    let clusters = "  standard: { scaling: none, task: none }\n  big: { scaling: { min: 2, max: 4 }, task: { types: m5.large, on-demand: 1, spot: 0, spot-timeout: 5m, when-no-spot: terminate } }\n";
    let resolved = with("    cluster: big\n  other: { kind: emr, lake: s3://bucket/other }", clusters);
    assert_eq!(emr(&resolved, "other").shape.scaling, None);
    let big = &emr(&resolved, "prod").shape;
    assert_eq!(
        (big.scaling.as_ref().map(|scaling| scaling.max), big.task.as_ref().map(|task| task.on_demand)),
        (Some(4), Some(1))
    );
}

#[test]
fn a_lake_may_come_from_a_variable() {
    let environment = [("SOFLOW_LAKE", "s3://bucket/prefix")];
    let resolved = resolve(layers("", &environment, &[("default-target", "emr", "--target")])).unwrap();
    assert_eq!(resolved.settings.targets["emr"].lake.raw.as_str(), "s3://bucket/prefix/raw");
}

#[test]
fn a_flag_sets_what_its_kind_of_target_has() {
    let flags = [("cluster", "big", "--cluster")];
    let resolved = resolve(layers(&file("", "  big: { step-concurrency: 8 }"), &[], &flags)).unwrap();
    assert_eq!(emr(&resolved, "prod").shape.step_concurrency, 8);
}

#[test]
fn a_variable_for_another_kind_of_target_is_left_alone_and_a_flag_is_a_mistake() {
    let text = file("", "");
    let resolved = resolve(layers(&text, &[("SOFLOW_ENGINE", "spark")], &[])).unwrap();
    assert_eq!((resolved.warnings.len(), local(&resolved.settings.targets["local"]).engine), (0, Engine::Sail));
    let expected = "\
error: `engine` is for targets of kind `local`, and `prod` is of kind `emr`
 --> --engine
  |
  | --engine spark
  |          ^^^^^
  = hint: add `--target local`";
    assert_eq!(refused(&text, &[], &[("engine", "spark", "--engine")]), expected);
}

#[test]
fn the_shipped_local_may_become_another_kind() {
    let text = "targets: { local: { kind: emr, lake: s3://bucket/prefix } }\n";
    let resolved = resolve(layers(text, &[], &[])).unwrap();
    assert_eq!(emr(&resolved, "local").database, "soflow");
    assert!(resolved.origins.iter().all(|origin| origin.key != "targets.local.engine"));
}

#[test]
fn what_is_odd_about_the_shape_in_use_is_a_warning() {
    let clusters = "
  odd:
    applications: [Spark, HBase, AmazonCloudWatchAgent]
    configurations: { hive-site: { javax.jdo.option.ConnectionPassword: hunter2 } }
";
    let resolved = with("    cluster: odd", clusters);
    let expected = [
        "config/soflow.yaml:10:19: work of `HBase` does not count: `idle-timeout` may end a cluster that is busy with it",
        "config/soflow.yaml:11:36: `javax.jdo.option.ConnectionPassword` looks like a secret, and whoever may describe the cluster can read it: let the cluster fetch it, from Secrets Manager for example",
    ];
    assert_eq!(resolved.warnings, expected);
    assert!(with("", clusters).warnings.is_empty(), "the shape is not in use");

    // The value is there for the cluster and nowhere to be seen.
    assert_eq!(
        emr(&resolved, "prod").shape.configurations[0].properties["javax.jdo.option.ConnectionPassword"],
        "hunter2"
    );
    let shown = serde_json::to_string(&resolved).unwrap();
    assert!(shown.contains("ConnectionPassword") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_prefix_that_hadoop_reads_otherwise_is_refused() {
    for (prefix, sign) in [
        ("//x", "//"),
        ("/a/../b", ".."),
        ("/./b", "."),
        ("/{x}", "{"),
        ("/[x]", "["),
        ("/a*", "*"),
        ("/a?", "?"),
        ("/a b", " "),
        ("/a%20b", "%"),
        ("/a#b", "#"),
    ] {
        let text = file("", "").replace("s3://bucket/prefix", &format!("\"s3://bucket{prefix}\""));
        let said = refused(&text, &[], &[]);
        assert!(said.contains(&format!("Hadoop does not take `{sign}`")), "{said}");
        assert!(said.contains("config/soflow.yaml:5"), "{said}");
    }
    let text = file("", "").replace("s3://bucket/prefix", "s3://bucket/a/b-c_d.e=f+g/é/");
    assert!(resolve(layers(&text, &[], &[])).is_ok());
}
