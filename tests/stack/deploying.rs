//! `soflow deploy`, `status` and `destroy` against a CloudFormation that is not ours.

use std::process::Command;

use fs_err as fs;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::twin::ministack::Ministack;

const SETTINGS: &str = "
default-target: prod
targets:
  prod:
    kind: emr
    lake: { raw: s3://acme-raw, curated: s3://acme-curated, artifacts: s3://acme-work/artifacts, logs: s3://acme-work/logs }
    dependencies: none
    poll-fastest: 10ms
    stack:
      architecture: x86_64
      schedules: { three: cron(15 2 * * ? *) }
";

const JOB: &str = "
description: One step.
steps:
  one: { script: steps/one.py, reads: [], writes: [first] }
tables:
  first: { key: [id], checks: [{ rows-at-least: 1 }] }
";

/// A project, and the AWS that it is deployed to.
struct Site {
    aws: Ministack,
    home: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { aws: Ministack::start(), home: tempfile::tempdir().unwrap() };
        for (file, text) in
            [("jobs/three.yaml", JOB), ("pyspark/steps/one.py", "print()\n"), ("config/soflow.yaml", SETTINGS)]
        {
            let path = site.home.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        // Enough of a program to be one of Linux for these processors: nothing here runs it.
        let mut program = b"\x7fELF\x02\x01\x01".to_vec();
        program.resize(18, 0);
        program.extend([0x3e, 0]);
        fs::write(site.home.path().join("program"), program).unwrap();
        site
    }

    /// Adds lines to the settings of the stack.
    fn set(&self, lines: &str) {
        fs::write(self.home.path().join("config/soflow.yaml"), format!("{SETTINGS}{lines}")).unwrap();
    }

    /// Runs a command; returns its exit code, and what it said.
    fn run(&self, arguments: &str) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soflow"));
        command.env_clear().envs(self.aws.environment()).env("HOME", self.home.path()).env("USER", "anna");
        let output = command.arg("-C").arg(self.home.path()).args(arguments.split_whitespace()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    fn deploy(&self, arguments: &str) -> (Option<i32>, String) {
        self.run(&format!("deploy --program program {arguments}"))
    }

    /// Returns the names of all buckets.
    fn buckets(&self) -> Vec<String> {
        let (_, listed) = self.aws.ask("GET", "/", "", "");
        let names = listed.split("<Name>").skip(1).filter_map(|rest| rest.split_once("</Name>"));
        names.map(|(name, _)| name.to_string()).collect()
    }

    /// Returns the keys in the bucket of the functions' code.
    fn code(&self) -> Vec<String> {
        let bucket = self.buckets().into_iter().find(|name| name.starts_with("soflow-prod-code")).unwrap();
        let (_, listed) = self.aws.ask("GET", &format!("/{bucket}?list-type=2"), "", "");
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        keys.map(|(key, _)| key.to_string()).collect()
    }

    /// Sends a form to a service.
    fn ask(&self, service: &str, form: &str) {
        let headers = format!(
            "Content-Type: application/x-www-form-urlencoded\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=a/20261130/us-east-1/{service}/aws4_request\r\n"
        );
        assert_eq!(self.aws.ask("POST", "/", &headers, form).0, 200);
    }

    fn has_bucket(&self, name: &str) -> bool {
        self.aws.ask("HEAD", &format!("/{name}"), "", "").0 == 200
    }
}

#[test]
fn a_stack_is_made_left_alone_changed_looked_at_and_deleted() {
    let site = Site::new();
    let (code, said) = site.deploy("--check");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("BeginFunction") && said.contains("ThreeMachine"), "{said}");
    assert_eq!((site.run("status").0, site.buckets()), (Some(2), Vec::new()), "nothing is left of a look");

    let (code, said) = site.deploy("--yes");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stateMachine:soflow-prod-three"), "{said}");
    for bucket in ["acme-raw", "acme-curated", "acme-work"] {
        assert!(site.has_bucket(bucket), "{bucket}");
    }
    let (code, said) = site.deploy("--yes");
    assert_eq!((code, said.as_str()), (Some(0), "Nothing to change: stack soflow-prod is as the settings say.\n"));

    let (code, said) = site.deploy("--check");
    assert!(code == Some(0) && said.starts_with("Nothing to change"), "{said}");

    site.set("      scan-limit-gb: 7\n");
    let uploaded = site.code();
    let (code, said) = site.deploy("--check");
    assert!(code == Some(1) && said.contains("WorkGroup"), "{said}");
    assert_eq!(site.code(), uploaded, "a look uploads nothing");
    assert_eq!(site.deploy("--yes").0, Some(0));

    let (status, _) =
        site.aws.ask("PUT", "/2015-03-31/functions/soflow-prod-check/configuration", "", "{\"MemorySize\": 1024}");
    assert_eq!(status, 200);
    let (code, said) = site.run("status");
    assert!(code == Some(0) && said.contains("Changed by others") && said.contains("/MemorySize"), "{said}");

    let (code, said) = site.run("destroy --yes");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Stack soflow-prod is UPDATE_COMPLETE"), "the schedules first: {said}");
    assert!(!said.contains("could not be switched off"), "{said}");
    assert!(site.has_bucket("acme-raw") && site.has_bucket("acme-curated"), "data stays");
    let (code, said) = site.run("destroy --yes");
    assert_eq!((code, said.as_str()), (Some(0), "Nothing to delete: there is no stack soflow-prod.\n"));
}

#[test]
fn data_goes_when_that_is_asked_for_and_what_others_have_made_stays() {
    let site = Site::new();
    assert_eq!(site.deploy("--yes").0, Some(0));
    for (method, key) in [("PUT", "a"), ("PUT", "a"), ("PUT", "b"), ("DELETE", "a")] {
        let (status, said) = site.aws.ask(method, &format!("/acme-raw/{key}"), "", "");
        assert!([200, 204].contains(&status), "{said}");
    }
    let (code, said) = site.run("destroy --delete-data");
    assert_eq!(code, Some(2), "nobody can be asked: {said}");
    assert!(said.contains("soflow destroy --delete-data --yes"), "{said}");
    // Cut off when the stack was gone, and its code was not.
    site.ask("cloudformation", "Action=DeleteStack&StackName=soflow-prod");
    // Not ours: the stack's own is gone.
    assert_eq!(site.aws.ask("DELETE", "/acme-curated", "", "").0, 204);
    assert_eq!(site.aws.ask("PUT", "/acme-curated", "", "").0, 200);
    let (code, said) = site.run("destroy --delete-data --yes");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("bucket `acme-curated` stays") && said.contains("Database soflow is deleted"), "{said}");
    assert_eq!(site.buckets(), ["acme-curated"], "{said}");
    let (code, said) = site.run("destroy --delete-data --yes");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_state_of_a_stack_is_when_it_fires_what_ran_and_what_failed() {
    let site = Site::new();
    assert_eq!(site.deploy("--yes").0, Some(0));
    let said = site.run("status").1;
    assert!(said.contains("rate(30 minutes)") && said.contains("about 2"), "{said}");
    assert!(said.contains("cron(15 2 * * ? *) UTC") && said.contains("02:15 UTC"), "{said}");
    let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:soflow-prod-three";
    let headers = "X-Amz-Target: AWSStepFunctions.StartExecution\r\nContent-Type: application/x-amz-json-1.0\r\n\
                   Authorization: AWS4-HMAC-SHA256 Credential=a/20261130/us-east-1/states/aws4_request\r\n";
    let asked = format!("{{\"stateMachineArn\": \"{machine}\", \"name\": \"by-hand\"}}");
    assert_eq!(site.aws.ask("POST", "/", headers, &asked).0, 200);
    // The program is none: it fails, or is still being tried.
    let (code, said) = site.run("status --output json");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(0), "{said}");
    let three = told["schedules"].as_array().unwrap().iter().find(|one| one["job"] == "three").unwrap();
    assert_eq!((&three["executions"][0]["name"], &three["enabled"]), (&json!("by-hand"), &json!(true)));
    assert_eq!(three["next"].as_array().unwrap().len(), 3, "{said}");
    assert_eq!((&told["drift"], &told["stack"]["status"]), (&json!([]), &json!("CREATE_COMPLETE")));
}

#[test]
fn what_fails_leaves_the_stack_as_it_was_and_is_mended_by_the_same_command() {
    let site = Site::new();
    let glue = "X-Amz-Target: AWSGlue.CreateDatabase\r\nContent-Type: application/x-amz-json-1.1\r\n\
                Authorization: AWS4-HMAC-SHA256 Credential=a/20261130/us-east-1/glue/aws4_request\r\n";
    assert_eq!(site.aws.ask("POST", "/", glue, "{\"DatabaseInput\": {\"Name\": \"soflow\"}}").0, 200);
    let (code, said) = site.deploy("--yes");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("stack `soflow-prod` was not made") && said.contains("Database"), "{said}");
    for bucket in ["acme-raw", "acme-curated", "acme-work"] {
        assert!(!site.has_bucket(bucket), "{bucket} is left");
    }
    let (code, said) = site.run("destroy --yes");
    assert_eq!((code, site.buckets()), (Some(0), Vec::new()), "{said}");
    site.set("      database: existing\n");
    let (code, said) = site.deploy("--yes");
    assert_eq!(code, Some(0), "{said}");

    site.set("");
    let (code, said) = site.deploy("--yes");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("stack `soflow-prod` is as it was before"), "{said}");
    site.set("      database: existing\n");
    let (code, said) = site.deploy("--yes");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_cannot_be_deployed_is_told_before_anything_is_made() {
    let site = Site::new();
    let (code, said) = site.deploy("");
    assert_eq!(code, Some(2), "nobody can be asked: {said}");
    assert!(said.contains("soflow deploy --yes"), "{said}");
    fs::write(site.home.path().join("program"), "#!/bin/sh\n").unwrap();
    let (code, said) = site.deploy("--yes");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the program is none of Linux: Lambda could not run it"), "{said}");
}
