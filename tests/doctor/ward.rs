//! An account in which an EMR target has all that it needs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_credential_types::Credentials;
use serde_json::{Value, json};
use soflow::aws::{ATHENA, EC2, GLUE, IAM, Service, Session};
use soflow::config::{
    Disk, Emr, EndpointSettings, Fleet, InstanceType, Lake, LambdaArchitecture, Provision, Shape, SpotFallback,
    StackSettings,
};
use soflow::doctor::{self, Report, State, Subject};
use soflow::names::Uri;

use crate::twin::{Fault, FaultKind, REGION, Twin};

/// A target with its account.
pub struct Ward {
    pub twin: Twin,
    pub emr: Emr,
    pub lake: Lake,
    pub session: Session,
    runtime: tokio::runtime::Runtime,
    name: String,
    vpc: String,
}

impl Ward {
    /// Makes everything; `name` is that of bucket, roles and database.
    pub fn new(name: &str) -> Self {
        let twin = Twin::start();
        twin.bucket(name);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let session = runtime.block_on(session(&twin));
        let at = |part: &str| Uri::parse(&format!("s3://{name}/{part}"), Path::new("/")).unwrap();
        let lake = Lake { raw: at("raw"), curated: at("curated"), artifacts: at("artifacts"), logs: at("logs") };
        let mut ward = Self { twin, emr: target(name), lake, session, runtime, name: name.into(), vpc: String::new() };
        ward.roles();
        ward.network();
        ward.tables();
        ward.bucket();
        ward.twin.reset_calls();
        ward
    }

    /// Makes everything, with all rights and enough of everything: what moto cannot tell is told here.
    pub fn healthy(name: &str) -> Self {
        let ward = Self::new(name);
        ward.simulation("allowed");
        ward.quota(256.0);
        // moto gives its answer a root that S3's has not.
        ward.versioning();
        ward
    }

    /// Returns what the doctor says.
    pub fn examine(&self) -> Report {
        let subject = Subject { session: &self.session, emr: &self.emr, lake: &self.lake };
        self.runtime.block_on(doctor::examine(&subject))
    }

    /// Lets every simulation end with this decision.
    pub fn simulation(&self, decision: &str) {
        let policy: Value = serde_json::from_str(include_str!("../../src/doctor/policy.json")).unwrap();
        let statements = policy["Statement"].as_array().unwrap().iter();
        let results: String = statements
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| {
                let name = action.as_str().unwrap();
                format!(
                    "<member><EvalActionName>{name}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>"
                )
            })
            .collect();
        let answer = format!("<R><EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated></R>");
        self.twin.fault(Fault::new("iam", "SimulatePrincipalPolicy", FaultKind::Answer(200, answer)).always());
    }

    /// Lets every bucket keep old versions.
    pub fn versioning(&self) {
        let answer = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".to_string();
        self.twin.fault(Fault::new("s3", "GetBucketVersioning", FaultKind::Answer(200, answer)).always());
    }

    /// Sets the quotas of processors.
    pub fn quota(&self, value: f64) {
        let answer = json!({ "Quota": { "Value": value } }).to_string();
        self.twin.fault(Fault::new("servicequotas", "GetServiceQuota", FaultKind::Answer(200, answer)).always());
    }

    /// Calls a service that takes forms; returns the first element of that name in its answer.
    pub fn form(&self, service: &soflow::aws::Service, operation: &str, fields: &[(&str, &str)], name: &str) -> String {
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let answer = self.runtime.block_on(self.session.query(service, operation, &fields));
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        answer.find(name).map(|found| found.text.clone()).unwrap_or_default()
    }

    pub fn json(&self, service: &Service, operation: &str, input: &Value) {
        let answer: Result<Value, _> = self.runtime.block_on(self.session.call(service, operation, input));
        answer.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Returns the names of what is in the bucket.
    pub fn objects(&self) -> Vec<String> {
        let listed = self.session.s3().list_objects_v2().bucket(&self.name).send();
        let listed = self.runtime.block_on(listed).unwrap();
        listed.contents().iter().map(|object| object.key().unwrap().to_string()).collect()
    }

    fn roles(&mut self) {
        for (role, service) in [("emr", "elasticmapreduce"), ("nodes", "ec2")] {
            let name = format!("{}-{role}", self.name);
            let trust = trusting(&json!({ "Service": format!("{service}.amazonaws.com") }), &["sts:AssumeRole"]);
            self.form(&IAM, "CreateRole", &[("RoleName", &name), ("AssumeRolePolicyDocument", &trust)], "Arn");
        }
        let statement = json!({ "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*" });
        let document = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        // The managed policy itself is not in moto unless it loads all of them.
        let fields = [
            ("PolicyName", "AmazonEMRServicePolicy_v2"),
            ("PolicyDocument", &document),
            ("Path", &format!("/{}/", self.name)),
        ];
        let policy = self.form(&IAM, "CreatePolicy", &fields, "Arn");
        let fields = [("RoleName", &*format!("{}-emr", self.name)), ("PolicyArn", &policy)];
        self.form(&IAM, "AttachRolePolicy", &fields, "");
        let profile = format!("{}-nodes", self.name);
        self.form(&IAM, "CreateInstanceProfile", &[("InstanceProfileName", &profile)], "");
        let fields = [("InstanceProfileName", profile.as_str()), ("RoleName", &profile)];
        self.form(&IAM, "AddRoleToInstanceProfile", &fields, "");
    }

    fn network(&mut self) {
        let vpc = self.form(&EC2, "CreateVpc", &[("CidrBlock", "10.9.0.0/16")], "vpcId");
        let fields = [("VpcId", vpc.as_str()), ("CidrBlock", "10.9.1.0/24"), ("AvailabilityZone", "us-east-1a")];
        let subnet = self.form(&EC2, "CreateSubnet", &fields, "subnetId");
        let tag = [("Tag.1.Key", "for-use-with-amazon-emr-managed-policies"), ("Tag.1.Value", "true")];
        self.form(&EC2, "CreateTags", &[("ResourceId.1", subnet.as_str()), tag[0], tag[1]], "");
        let gateway = self.form(&EC2, "CreateInternetGateway", &[], "internetGatewayId");
        self.form(&EC2, "AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)], "");
        let filter = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc.as_str())];
        let table = self.form(&EC2, "DescribeRouteTables", &filter, "routeTableId");
        let route = [("RouteTableId", table.as_str()), ("DestinationCidrBlock", "0.0.0.0/0"), ("GatewayId", &gateway)];
        self.form(&EC2, "CreateRoute", &route, "");
        self.emr.shape.subnets = vec![subnet];
        self.vpc = vpc;
    }

    fn tables(&self) {
        self.json(&GLUE, "CreateDatabase", &json!({ "DatabaseInput": { "Name": self.name } }));
        self.json(&ATHENA, "CreateWorkGroup", &json!({ "Name": self.name, "Configuration": {} }));
    }

    fn bucket(&self) {
        use aws_sdk_s3::types::{
            AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleRule,
            LifecycleRuleFilter, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
            ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
        };
        let (client, name) = (self.session.s3(), &self.name);
        let closed = PublicAccessBlockConfiguration::builder().block_public_acls(true).ignore_public_acls(true);
        let closed = closed.block_public_policy(true).restrict_public_buckets(true).build();
        let aes = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().unwrap();
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(aes).build();
        let encrypted = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(7).build();
        let rule = LifecycleRule::builder()
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build());
        let rule = rule.abort_incomplete_multipart_upload(abort).build().unwrap();
        let rules = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
        self.runtime.block_on(async {
            client
                .put_public_access_block()
                .bucket(name)
                .public_access_block_configuration(closed)
                .send()
                .await
                .unwrap();
            let put = client.put_bucket_encryption().bucket(name);
            put.server_side_encryption_configuration(encrypted).send().await.unwrap();
            let put = client.put_bucket_lifecycle_configuration().bucket(name);
            put.lifecycle_configuration(rules).send().await.unwrap();
        });
    }

    /// Returns a report with what differs from test to test taken out: a line a finding, its advice below.
    pub fn shown(&self, report: &Report) -> String {
        let mut text = String::new();
        for finding in &report.findings {
            let word = match finding.state {
                State::Ok => "ok",
                State::Problem => "PROBLEM",
                State::Unknown => "UNKNOWN",
            };
            text += &format!("{word:7} {:20} {}\n", finding.check, finding.what);
            text.extend(finding.mend.iter().map(|advice| format!("{:7} {:20} -> {advice}\n", "", "")));
        }
        for (at, subnet) in self.emr.shape.subnets.iter().enumerate() {
            text = text.replace(subnet, &format!("subnet-{}", at + 1));
        }
        text.replace(&self.vpc, "vpc-1")
    }
}

async fn session(twin: &Twin) -> Session {
    let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .empty_test_environment()
        .endpoint_url(twin.url())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Session::of(loader.load().await, 10.0).unwrap()
}

/// Returns a trust policy.
pub fn trusting(principal: &Value, actions: &[&str]) -> String {
    let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": actions });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

pub fn fleet(name: &str, on_demand: u32, spot: u32) -> Fleet {
    let types = vec![InstanceType { name: name.into(), weight: 1 }];
    Fleet { types, on_demand, spot, spot_timeout_minutes: 10, spot_fallback: SpotFallback::OnDemand }
}

fn target(name: &str) -> Emr {
    let shape = Shape {
        release: "emr-7.14.0".into(),
        applications: vec!["Spark".into(), "Hive".into()],
        service_role: format!("{name}-emr"),
        instance_profile: format!("{name}-nodes"),
        subnets: Vec::new(),
        key_name: None,
        security_configuration: None,
        primary: fleet("m5.xlarge", 1, 0),
        core: fleet("m5.xlarge", 2, 0),
        task: Some(fleet("r5.xlarge", 0, 4)),
        scaling: None,
        step_concurrency: 1,
        python: "3.11".into(),
        disk: Disk { gigabytes: 64, count: 1, iops: 3000, throughput: 125 },
        bootstrap: Vec::new(),
        configurations: Vec::new(),
        tags: BTreeMap::new(),
        idle_seconds: 1800,
        max_age_seconds: 86_400,
        max_dollars_per_hour: 5.0,
        cloudwatch_logs: true,
        log_key: None,
    };
    Emr {
        region: Some(REGION.into()),
        profile: None,
        database: name.into(),
        workgroup: name.into(),
        cluster: "small".into(),
        shape,
        execution_role: None,
        dependencies: None,
        fuse: false,
        queue_seconds: 0,
        poll_fastest: Duration::from_secs(2),
        poll_slowest: Duration::from_secs(30),
        lost_answer_wait: Duration::from_secs(60),
        api_quota: 1.0,
        stack: StackSettings {
            name: None,
            schedules: BTreeMap::new(),
            ingest: None,
            time_zone: "UTC".into(),
            alert_emails: Vec::new(),
            buckets: Provision::Existing,
            database: Provision::Existing,
            log_retention_days: 365,
            longest_run_seconds: 43_200,
            architecture: LambdaArchitecture::Arm64,
            scan_limit_gb: 100,
            endpoints: EndpointSettings::default(),
        },
    }
}
