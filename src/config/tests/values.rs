//! A bad value for every key of EMR targets and cluster shapes, each refused and told where it is.

use super::emr::file;
use super::mistakes::{line, marked, problems};
use super::*;

/// A key below target `prod` or cluster `mine`, a bad value, what is said, and what the caret marks.
type Bad = (&'static str, &'static str, &'static str, &'static str);

const TARGETS: &[Bad] = &[
    ("lake", "[x]", "`lake` must be a mapping or text, found a list", "["),
    ("kind", "emrr", "`kind` must be `local` or `emr`, found `emrr`", "emrr"),
    ("region", "eu_west_1", "`region` must be such as `eu-west-1` or `none`, found `eu_west_1`", "eu_west_1"),
    ("region", "[eu-west-1]", "`region` must be such as `eu-west-1` or `none`, found a list", "["),
    ("profile", "{ a: b }", "`profile` must be a single value or `none`, found a mapping", "{"),
    ("database", "My-Tables", "`database` must be such as `soflow` or `lake_2`, found `My-Tables`", "My-Tables"),
    ("workgroup", "\"\"", "`workgroup` must be a single value, found nothing", "\"\""),
    ("cluster", "standrad", "there is no cluster `standrad`", "standrad"),
    ("execution-role", "[a]", "`execution-role` must be a single value or `none`, found a list", "["),
    ("fuse", "yes", "`fuse` must be `true` or `false`, found `yes`", "yes"),
    ("dependencies", "requirements.txt", "there is no file `requirements.txt`", "requirements.txt"),
    (
        "queue-for",
        "8d",
        "`queue-for` must be a duration such as `7d`, `12h`, `30m`, `90s` or `1d12h` from 0 to 604800 seconds, found `8d`",
        "8d",
    ),
    (
        "poll-fastest",
        "0s",
        "`poll-fastest` must be a duration such as `30s` or `500ms` greater than 0 seconds, found `0s`",
        "0s",
    ),
    (
        "poll-slowest",
        "0s",
        "`poll-slowest` must be a duration such as `30s` or `500ms` greater than 0 seconds, found `0s`",
        "0s",
    ),
    (
        "lost-answer-wait",
        "long",
        "`lost-answer-wait` must be a duration such as `30s` or `500ms`, found `long`",
        "long",
    ),
    ("api-quota", "0", "`api-quota` must be a number greater than 0, found the number 0", "0"),
    (
        "lake",
        "{ raw: file:x, curated: s3://bucket/c, artifacts: s3://bucket/a, logs: s3://bucket/l }",
        "`raw` of an EMR target must be in S3",
        "file:x",
    ),
    ("lake", "{ raw: s3://bucket/r, curated: s3://bucket/c, artifacts: s3://bucket/a }", "`lake` has no `logs`", "{"),
    (
        "lake",
        "{ raw: s3://bucket/r, curated: s3://bucket/r/c, artifacts: s3://bucket/a, logs: s3://bucket/l }",
        "two locations of a lake are the same, or one is within the other",
        "s3://bucket/r/c",
    ),
    ("stack", "[x]", "`stack` must be a mapping, found a list", "["),
    ("engine", "sail", "`engine` is for targets of kind `local`, and `prod` is of kind `emr`", "engine"),
    ("regoin", "eu-west-1", "unknown key `regoin`", "regoin"),
];

const STACKS: &[Bad] = &[
    ("name", "soflow_prod", "`name` must be such as `soflow-prod` or `none`, found `soflow_prod`", "soflow_prod"),
    ("schedules", "[daily]", "`schedules` must be a mapping, found a list", "["),
    ("schedules", "{ daily: nightly }", "`daily` must be such as `cron(15 2 * * ? *)`, found `nightly`", "nightly"),
    (
        "schedules",
        "{ Daily: rate(1 day) }",
        "`Daily` cannot name a job: a name starts with a lowercase letter and has only lowercase letters, digits, `_`, `-`",
        "Daily",
    ),
    (
        "schedules",
        "{ daily: cron(15 2 * * *) }",
        "`cron(15 2 * * *)` is no schedule: `cron` has six fields (minutes, hours, day, month, weekday, year), found 5",
        "cron(15 2 * * *)",
    ),
    ("endpoints", "{ vpc: mine }", "`vpc` must be such as `vpc-0a1b2c3d4e5f67890` or `none`, found `mine`", "mine"),
    ("endpoints", "{ route-tables: [rtb-1] }", "`endpoints.route-tables` needs `endpoints.vpc`", "["),
    ("ingest", "30m", "`ingest` must be such as `rate(30 minutes)` or `none`, found `30m`", "30m"),
    ("time-zone", "+1", "`time-zone` must be such as `UTC` or `Europe/Berlin`, found the number +1", "+1"),
    ("alert-emails", "[ann]", "`alert-emails` must be such as `data-team@example.com`, found `ann`", "ann"),
    ("buckets", "found", "`buckets` must be `make` or `existing`, found `found`", "found"),
    ("database", "none", "`database` must be `make` or `existing`, found `none`", "none"),
    ("log-retention-days", "100", "CloudWatch Logs cannot keep logs for 100 days", "100"),
    ("log-retention-days", "0", "`log-retention-days` must be a whole number from 1 to 3653, found the number 0", "0"),
    (
        "longest-run",
        "8d",
        "`longest-run` must be a duration such as `7d`, `12h`, `30m`, `90s` or `1d12h` from 600 to 604800 seconds, found `8d`",
        "8d",
    ),
    ("architecture", "arm", "`architecture` must be `arm64` or `x86_64`, found `arm`", "arm"),
    ("scan-limit-gb", "0", "`scan-limit-gb` must be a whole number from 1 to 1000000, found the number 0", "0"),
];

const CLUSTERS: &[Bad] = &[
    ("release", "7.14.0", "`release` must be such as `emr-7.14.0` or `emr-spark-8.1.0`, found `7.14.0`", "7.14.0"),
    (
        "applications",
        "AmazonCloudWatchAgent",
        "`applications` must have `Spark`: steps are Spark jobs",
        "AmazonCloudWatchAgent",
    ),
    ("applications", "[AmazonCloudWatchAgent]", "`applications` must have `Spark`: steps are Spark jobs", "["),
    ("service-role", "\"\"", "`service-role` must be a single value, found nothing", "\"\""),
    ("instance-profile", "[a]", "`instance-profile` must be a single value, found a list", "["),
    ("subnets", "{ a: b }", "`subnets` must be a list, found a mapping", "{"),
    ("key-name", "[a]", "`key-name` must be a single value or `none`, found a list", "["),
    (
        "security-configuration",
        "[strict]",
        "`security-configuration` must be a single value or `none`, found a list",
        "[",
    ),
    ("core.types", "[]", "`types` is empty", "["),
    ("primary", "7", "`types` must be a list, found the number 7", "7"),
    ("step-concurrency", "257", "`step-concurrency` must be a whole number from 1 to 256, found the number 257", "257"),
    (
        "scaling.max-on-demand",
        "all",
        "`max-on-demand` must be a whole number from 0 to 100000 or `none`, found `all`",
        "all",
    ),
    ("scaling.max-core", "all", "`max-core` must be a whole number from 1 to 100000 or `none`, found `all`", "all"),
    ("disk.gigabytes", "9", "`gigabytes` must be a whole number from 10 to 16384, found the number 9", "9"),
    ("disk.iops", "2999", "`iops` must be a whole number from 3000 to 16000, found the number 2999", "2999"),
    ("disk.throughput", "1001", "`throughput` must be a whole number from 125 to 1000, found the number 1001", "1001"),
    ("disk.count", "26", "`count` must be a whole number from 1 to 25, found the number 26", "26"),
    (
        "idle-timeout",
        "59s",
        "`idle-timeout` must be a duration such as `7d`, `12h`, `30m`, `90s` or `1d12h` from 60 to 604800 seconds, found `59s`",
        "59s",
    ),
    (
        "max-age",
        "1s",
        "`max-age` must be a duration such as `7d`, `12h`, `30m`, `90s` or `1d12h` from 60 to 31536000 seconds, found `1s`",
        "1s",
    ),
    ("core.types", "[m5.xlarge, m5.xlarge]", "`m5.xlarge` is there twice", "m5.xlarge"),
    ("core.types", "[{ m5.xlarge: 0 }]", "`m5.xlarge` must be a whole number from 1 to 1000, found the number 0", "0"),
    ("core.types", "[{ m5.xlarge: 1, m5.large: 1 }]", "`types` has 2 entries, at most 1", "{"),
    ("core.on-demand", "few", "`on-demand` must be a whole number from 0 to 100000, found `few`", "few"),
    ("core.spot", "few", "`spot` must be a whole number from 0 to 100000, found `few`", "few"),
    (
        "task.spot-timeout",
        "6m30s",
        "`spot-timeout` must be whole minutes such as `10m` from 5 to 1440 minutes, found `6m30s`",
        "6m30s",
    ),
    (
        "core.spot-timeout",
        "2d",
        "`spot-timeout` must be whole minutes such as `10m` from 5 to 1440 minutes, found `2d`",
        "2d",
    ),
    (
        "task.when-no-spot",
        "ondemand",
        "`when-no-spot` must be `on-demand` or `terminate`, found `ondemand`",
        "ondemand",
    ),
    ("task.spots", "8", "unknown key `spots`", "spots"),
    ("scaling", "off", "`scaling` must be a mapping or `none`, found `off`", "off"),
    ("scaling.min", "0", "`min` must be a whole number from 1 to 100000, found the number 0", "0"),
    ("scaling.max", "none", "`max` must be a whole number from 1 to 100000, found `none`", "none"),
    ("python", "python3", "`python` must be such as `3.11`, found `python3`", "python3"),
    ("disk", "64", "`disk` must be a mapping, found the number 64", "64"),
    ("bootstrap", "[scripts/gone.sh]", "there is no script `scripts/gone.sh`", "scripts/gone.sh"),
    ("bootstrap", "[{ script: s3:// }]", "`s3://` is not a location: the bucket is missing", "s3://"),
    ("bootstrap", "[{ args: [a] }]", "a bootstrap action has no `script`", "{"),
    ("bootstrap", "[{ script: s3://bucket/x.sh, name: \"\" }]", "`name` must be a single value, found nothing", "\"\""),
    ("bootstrap", "[{ script: s3://bucket/x.sh, args: { a: b } }]", "`args` must be a list, found a mapping", "{"),
    ("configurations", "[{ Classification: spark }]", "`configurations` must be a mapping, found a list", "["),
    ("configurations", "{ spark-env: 1 }", "`spark-env` must be a mapping, found the number 1", "1"),
    ("configurations", "{ spark-env: { a: [b] } }", "`a` must be a single value or a mapping, found a list", "["),
    ("tags", "{ team: [data] }", "`team` must be a single value, found a list", "["),
    ("max-dollars-per-hour", "-1", "`max-dollars-per-hour` must be a number greater than 0, found the number -1", "-1"),
    ("cloudwatch-logs", "yes", "`cloudwatch-logs` must be `true` or `false`, found `yes`", "yes"),
    ("log-key", "[a]", "`log-key` must be a single value or `none`, found a list", "["),
    ("sise", "3", "unknown key `sise`", "sise"),
];

fn refused_as((_, _, message, mark): &Bad, file: &str) {
    let found = problems(file);
    let errors: Vec<(&str, String)> =
        found.iter().map(|problem| (problem.message.as_str(), marked(&problem.place))).collect();
    assert_eq!(errors, [(*message, (*mark).to_string())], "\n{file}");
    assert_eq!(found[0].place.source.origin, "config/soflow.yaml", "{file}");
}

#[test]
fn a_bad_value_of_every_key_of_a_target_is_refused() {
    for bad @ (key, value, ..) in TARGETS {
        let mut text = file(&format!("    {}", line(key, value)), "");
        if *key == "kind" || *key == "lake" {
            text = text.replacen("    kind: emr\n    lake: s3://bucket/prefix\n", "", 1);
            let other = if *key == "kind" { "lake: s3://bucket/prefix" } else { "kind: emr" };
            text = text.replacen("  prod:\n", &format!("  prod:\n    {other}\n"), 1);
        }
        refused_as(bad, &text);
    }
    let tested: Vec<&str> = TARGETS.iter().map(|(key, ..)| *key).collect();
    for key in keys("EmrTarget") {
        assert!(tested.contains(&key), "no bad value for `{key}`");
    }
}

#[test]
fn a_bad_value_of_every_key_of_a_stack_is_refused() {
    for bad @ (key, value, ..) in STACKS {
        refused_as(bad, &file(&format!("    stack:\n      {key}: {value}\n"), ""));
    }
    let tested: Vec<&str> = STACKS.iter().map(|(key, ..)| *key).collect();
    for key in keys("StackSettings") {
        assert!(tested.contains(&key), "no bad value for `{key}`");
    }
}

#[test]
fn a_bad_value_of_every_key_of_a_shape_is_refused() {
    for bad @ (key, value, ..) in CLUSTERS {
        refused_as(bad, &file("", &format!("  mine:\n    {}", line(key, value))));
    }
    let tested: Vec<&str> = CLUSTERS.iter().flat_map(|(path, ..)| path.split('.')).collect();
    let scripts: String =
        CLUSTERS.iter().filter(|(key, ..)| *key == "bootstrap").map(|(_, value, ..)| *value).collect();
    for key in ["Shape", "Fleet", "Scaling", "Disk"].into_iter().flat_map(keys) {
        assert!(tested.contains(&key), "no bad value for `{key}`");
    }
    for key in BOOTSTRAP {
        assert!(scripts.contains(&format!("{key}: ")), "no bad value for `{key}`");
    }
}

#[test]
fn a_tilde_is_the_home_folder() {
    let file =
        "targets: { local: { engine-dir: ~/engines, python: ~/bin/python3, lake: \"file:~/lake\" } }\ncode: '~code'\n";
    let resolved = resolve(layers(file, &[("HOME", "/home/ann")], &[])).unwrap();
    let target = &resolved.settings.targets["local"];
    assert_eq!(local(target).engine_dir, Path::new("/home/ann/engines"));
    assert_eq!(local(target).python.as_deref(), Some(Path::new("/home/ann/bin/python3")));
    assert_eq!(target.lake.raw.as_str(), "file:///home/ann/lake/raw");
    // Neither a shell nor soflow knows where others are at home.
    assert_eq!(resolved.settings.code, Path::new("/project/~code"));
    assert!(refused(file, &[], &[]).contains("the variable `HOME` is not set"));
}
