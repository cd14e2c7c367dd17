//! A client that knows HTTP and nothing else, so that every fault is seen as it is on the wire.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::twin::Twin;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Returns the length that the head promised.
    pub fn promised(&self) -> usize {
        let line = self.head.lines().find_map(|line| line.strip_prefix("content-length: "));
        line.map_or(0, |length| length.parse().unwrap())
    }
}

/// Returns the answer to a request, or nothing when the connection closed without one.
pub fn send(twin: &Twin, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(twin.url().trim_start_matches("http://")).unwrap();
    let mut head =
        format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => {}
    }
    let end = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Answer { status, head, body: all[end + 4..].to_vec() })
}

/// Returns the answer of a service that speaks JSON.
pub fn json_call(twin: &Twin, service: &str, target: &str, body: &Value) -> Option<Answer> {
    let signed = signed(service);
    let kind = "application/x-amz-json-1.1";
    let headers = [("x-amz-target", target), ("content-type", kind), ("authorization", signed.as_str())];
    send(twin, "POST /", &headers, body.to_string().as_bytes())
}

/// Returns the answer of a service that takes forms.
pub fn form_call(twin: &Twin, service: &str, body: &str) -> Option<Answer> {
    let signed = signed(service);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", signed.as_str())];
    send(twin, "POST /", &headers, body.as_bytes())
}

/// Returns the answer of S3 to such as `PUT /bucket/key`.
pub fn s3(twin: &Twin, line: &str, body: &[u8]) -> Option<Answer> {
    let signed = signed("s3");
    send(twin, line, &[("authorization", signed.as_str()), ("content-type", "application/octet-stream")], body)
}

pub fn signed(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0")
}

/// Returns EMR's answer, whatever it is.
pub fn emr(twin: &Twin, operation: &str, body: &Value) -> (u16, Value) {
    let answer = json_call(twin, "elasticmapreduce", &format!("ElasticMapReduce.{operation}"), body).unwrap();
    (answer.status, answer.json())
}

/// Returns EMR's answer to a call that succeeds.
pub fn ok(twin: &Twin, operation: &str, body: &Value) -> Value {
    let (status, answer) = emr(twin, operation, body);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}

/// Returns error code and text of a call that is refused.
pub fn refused(twin: &Twin, operation: &str, body: &Value) -> (String, String) {
    let (status, answer) = emr(twin, operation, body);
    assert_eq!(status, 400, "{operation}: {answer}");
    let text = answer["message"].as_str().or(answer["Message"].as_str()).unwrap_or_default();
    (answer["__type"].as_str().unwrap().to_string(), text.to_string())
}

/// Returns a request for a cluster that stays, with these fields set or replaced.
pub fn cluster_request(fields: &Value) -> Value {
    let mut request = json!({
        "Name": "soflow", "ReleaseLabel": "emr-7.14.0", "ServiceRole": "EMR_DefaultRole", "JobFlowRole": "EMR_EC2",
        "Applications": [{ "Name": "Spark" }],
        "Instances": {
            "KeepJobFlowAliveWhenNoSteps": true, "Ec2SubnetIds": ["subnet-1", "subnet-2"],
            "InstanceFleets": [
                { "InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": [{ "InstanceType": "m5.xlarge" }] },
                { "InstanceFleetType": "CORE", "TargetOnDemandCapacity": 1, "TargetSpotCapacity": 2, "InstanceTypeConfigs": [{ "InstanceType": "r5.xlarge" }] },
            ],
        },
    });
    for (key, value) in fields.as_object().into_iter().flatten() {
        request[key] = value.clone();
    }
    request
}

/// Returns the id of a new cluster.
pub fn start(twin: &Twin, fields: &Value) -> String {
    ok(twin, "RunJobFlow", &cluster_request(fields))["JobFlowId"].as_str().unwrap().to_string()
}

/// Returns a step of that name.
pub fn step(name: &str) -> Value {
    step_of(
        name,
        &["spark-submit", "--deploy-mode", "cluster", "s3://code/steps/x.py", "--task", "s3://lake/task.json"],
    )
}

/// Returns a step with these arguments.
pub fn step_of(name: &str, arguments: &[&str]) -> Value {
    let jar = json!({ "Jar": "command-runner.jar", "Args": arguments });
    json!({ "Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar })
}

/// Returns the ids of steps added to a cluster.
pub fn add(twin: &Twin, cluster: &str, steps: &[Value]) -> Vec<String> {
    let answer = ok(twin, "AddJobFlowSteps", &json!({ "JobFlowId": cluster, "Steps": steps }));
    answer["StepIds"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_string()).collect()
}

/// Returns a cluster's state.
pub fn state(twin: &Twin, cluster: &str) -> String {
    status(twin, cluster)["State"].as_str().unwrap().to_string()
}

/// Returns a cluster's status.
pub fn status(twin: &Twin, cluster: &str) -> Value {
    ok(twin, "DescribeCluster", &json!({ "ClusterId": cluster }))["Cluster"]["Status"].clone()
}

/// Returns the states of a cluster's steps, oldest first.
pub fn states(twin: &Twin, cluster: &str) -> Vec<String> {
    let listed = ok(twin, "ListSteps", &json!({ "ClusterId": cluster }));
    let newest_first = listed["Steps"].as_array().unwrap();
    newest_first.iter().rev().map(|step| step["Status"]["State"].as_str().unwrap().to_string()).collect()
}
