//! Who executes state machines and runs functions: moto, whose functions are the twin's, or ministack with its own.

use std::io::{Cursor, Write as _};

use aws_smithy_types::base64;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::emr::lab::Lab as Emr;
use crate::twin::lambda::Function;
use crate::twin::moto::environment_of;

/// An interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    Moto,
    Ministack,
}

impl Interpreter {
    /// Returns the answer of Step Functions.
    pub fn states(self, emr: &Emr, target: &'static str, asked: &Value) -> Value {
        let (status, answer) = match self {
            Self::Moto => emr.twin.ask("states", target, asked),
            Self::Ministack => emr.twin.ask_ministack("states", target, asked),
        };
        assert_eq!(status, 200, "{target} {asked}: {answer}");
        answer
    }

    /// Makes a function.
    pub fn function(self, emr: &Emr, function: Function) {
        match self {
            Self::Moto => emr.twin.function(function),
            Self::Ministack => {
                let mut variables = json!({ "PATH": "", "HOME": function.folder, "TMPDIR": function.folder });
                for (name, value) in environment_of(&function.handler, &emr.twin.url()) {
                    variables[name] = value.into();
                }
                for (name, value) in &function.environment {
                    variables[name] = value.as_str().into();
                }
                emr.twin.function_in_ministack(&json!({
                    "FunctionName": function.name,
                    "Runtime": "provided.al2023",
                    "Handler": function.handler,
                    "Role": "arn:aws:iam::123456789012:role/function",
                    "Timeout": function.timeout.as_secs(),
                    "MemorySize": function.memory,
                    "Environment": { "Variables": variables },
                    "Code": { "ZipFile": base64::encode(archive(&function)) },
                }));
            }
        }
    }

    /// Makes the rule on ended executions of a state machine, where executions tell how they ended.
    pub fn rule(self, emr: &Emr, machine: &str, ended: &str) {
        if self == Self::Ministack {
            let ask = |target, asked: Value| {
                let (status, answer) = emr.twin.ask_ministack("events", target, &asked);
                assert_eq!(status, 200, "{target} {asked}: {answer}");
            };
            let pattern = json!({
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "status": ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"],
                    "stateMachineArn": [machine],
                },
            });
            ask("AWSEvents.PutRule", json!({ "Name": ended, "EventPattern": pattern.to_string() }));
            let arn = format!("arn:aws:lambda:us-east-1:123456789012:function:{ended}");
            ask("AWSEvents.PutTargets", json!({ "Rule": ended, "Targets": [{ "Id": "ended", "Arn": arn }] }));
        }
    }

    /// Returns all that functions have said.
    pub fn said(self, emr: &Emr, functions: &[String]) -> String {
        if self == Self::Moto {
            return emr.twin.functions_said();
        }
        let mut said = String::new();
        for function in functions {
            let asked = json!({ "logGroupName": format!("/aws/lambda/{function}") });
            let (_, found) = emr.twin.ask_ministack("logs", "Logs_20140328.FilterLogEvents", &asked);
            for event in found["events"].as_array().into_iter().flatten() {
                said += &format!("{function}: {}\n", event["message"].as_str().unwrap_or_default().trim_end());
            }
        }
        said
    }
}

/// Returns what is deployed: the program, here a way to it, and the project.
fn archive(function: &Function) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    archive.start_file("bootstrap", options.unix_permissions(0o755)).unwrap();
    writeln!(archive, "#!/bin/sh\nexec {}", function.bootstrap.display()).unwrap();
    for folder in ["config", "jobs", "pyspark/steps"] {
        for entry in fs_err::read_dir(function.folder.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            archive.start_file(name, options).unwrap();
            archive.write_all(&fs_err::read(path).unwrap()).unwrap();
        }
    }
    archive.finish().unwrap().into_inner()
}
