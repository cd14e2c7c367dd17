//! What the template grants to each role, and what was asked for in the roles' names, both as IAM has it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::stack::policies::resolved;
use crate::stack::{SETTINGS, made_of};
use crate::twin::moto::ACCOUNT;
use crate::twin::{Call, REGION};
use crate::unattended::lab::Lab;

/// An action on a resource, by a role of the template; of what is granted the resource may have stars in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub role: String,
    pub action: String,
    pub resource: String,
}

impl Right {
    /// Returns whether what is granted allows what was done.
    pub fn allows(&self, done: &Self) -> bool {
        self.role == done.role && self.action == done.action && fits(&self.resource, &done.resource)
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.role, self.action, self.resource)
    }
}

/// Returns whether a pattern of IAM fits a resource.
fn fits(pattern: &str, resource: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == resource };
    let Some(rest) = resource.strip_prefix(before) else { return false };
    after.is_empty() || (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
}

/// A stack whose four locations are in four buckets: whose bucket a right is about is told by its name.
fn template() -> Value {
    made_of(SETTINGS.replace("acme-work/", "acme-"))
}

/// Where the locations of a lab's lake are in that stack.
const LOCATIONS: [(&str, &str); 4] =
    [("raw", "acme-raw"), ("curated", "acme-curated/tables"), ("artifacts", "acme-artifacts"), ("logs", "acme-logs")];

/// Returns all that the template grants to its roles.
pub fn granted() -> BTreeSet<Right> {
    let template = template();
    let mut rights = BTreeSet::new();
    for (role, resource) in template["Resources"].as_object().unwrap() {
        for policy in resource["Properties"]["Policies"].as_array().into_iter().flatten() {
            let policy = resolved(&policy["PolicyDocument"], &template);
            let allows = policy["Statement"].as_array().unwrap().iter().filter(|one| one["Effect"] == "Allow");
            for statement in allows {
                for action in texts(&statement["Action"]) {
                    let right = |resource| Right { role: role.clone(), action: action.clone(), resource };
                    rights.extend(texts(&statement["Resource"]).into_iter().map(right));
                }
            }
        }
    }
    rights
}

/// Returns the texts of a value that is one, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    let one = value.as_str().map(str::to_string);
    one.into_iter()
        .chain(value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_string()))
        .collect()
}

/// Returns all that was asked for in a lab in the names of roles.
pub fn done_in(lab: &Lab) -> BTreeSet<Right> {
    let calls = lab.emr.twin.calls().into_iter().chain(lab.emr.twin.calls_on_nodes());
    let calls = calls.filter(|call| !call.caller.is_empty());
    calls.flat_map(|call| needed(&lab.emr.bucket, call)).collect()
}

/// Returns the rights that a call needs. Sources: the service authorization references of the services, and their guides
/// where a call needs more than its own action.
fn needed(bucket: &str, mut call: Call) -> Vec<Right> {
    let role = role(&call.caller);
    for (location, place) in LOCATIONS {
        let rest = call.detail.strip_prefix(&format!("{bucket}/lake/{location}")).map(str::to_string);
        if let Some(rest) = rest {
            call.detail = format!("{place}{rest}");
        }
    }
    let (action, resource) = call.asked();
    let body = call.body.clone().unwrap_or_default();
    let of = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
    let key = of("kms", "key/Key".into());
    let mut needed = Vec::new();
    let mut need = |action: &str, resource: &str| {
        needed.push(Right { role: role.clone(), action: action.into(), resource: resource.into() });
    };
    match call.service.as_str() {
        "s3" => {
            need(&action, &resource);
            // Who may not list is told of a missing object that it may not be asked for. Source: S3 API reference, `GetObject`.
            if call.status == 404 {
                need("s3:ListBucket", resource.split('/').next().unwrap());
            }
            // The buckets' default encryption is with the key. Source: S3 user guide, "Using SSE-KMS".
            match action.as_str() {
                "s3:GetObject" => need("kms:Decrypt", &key),
                "s3:PutObject" => need("kms:GenerateDataKey", &key),
                _ => {}
            }
        }
        "emr" if call.operation == "RunJobFlow" => {
            need(&action, &resource);
            let tags = body["Tags"].as_array().unwrap();
            assert!(tags.iter().any(|tag| tag["Key"] == "soflow:artifacts"), "a cluster without its tag: {tags:?}");
            // What the request says about the cluster. Source: EMR management guide, "Actions for Amazon EMR".
            let cluster = of("elasticmapreduce", "cluster/j-NEW".into());
            need("elasticmapreduce:AddTags", &cluster);
            for (field, action) in [
                ("AutoTerminationPolicy", "elasticmapreduce:PutAutoTerminationPolicy"),
                ("ManagedScalingPolicy", "elasticmapreduce:PutManagedScalingPolicy"),
            ] {
                if body[field].is_object() {
                    need(action, &cluster);
                }
            }
            for role in ["EmrServiceRole", "EmrNodeRole"] {
                need("iam:PassRole", &format!("arn:aws:iam::{ACCOUNT}:role/{role}"));
            }
        }
        // Each needs the catalog and the database too. Source: Glue developer guide, "Identity-based policies".
        "glue" => {
            let named = [&body["TableName"], &body["Name"], &body["TableInput"]["Name"]];
            let table = named.into_iter().find_map(Value::as_str);
            let table = table.map(|table| of("glue", format!("table/stackoverflow/{table}")));
            let whole = [of("glue", "catalog".into()), of("glue", "database/stackoverflow".into())];
            whole.into_iter().chain(table).for_each(|resource| need(&action, &resource));
        }
        // What is encrypted with the key is written, and read, by who may use it. Sources: SNS developer guide, "Key
        // management"; Secrets Manager user guide, "Permissions for the KMS key".
        "sns" => {
            need(&action, &of("sns", "Alerts".into()));
            need("kms:GenerateDataKey", &key);
            need("kms:Decrypt", &key);
        }
        "secretsmanager" => {
            need(&action, &of("secretsmanager", "secret:ApiKey".into()));
            need("kms:Decrypt", &key);
        }
        "lambda" => {
            let handler = call.detail.rsplit('-').next().unwrap();
            let function = format!("{}{}Function", handler[..1].to_uppercase(), &handler[1..]);
            need("lambda:InvokeFunction", &of("lambda", format!("function:{function}")));
        }
        "logs" => {
            let group = body["logGroupName"].as_str().unwrap();
            need(&action, &of("logs", format!("log-group:{group}")));
        }
        _ => need(&action, &resource),
    }
    needed
}

/// Returns the role in whose name a caller calls.
fn role(caller: &str) -> String {
    match caller {
        "states" => "MachineRole".into(),
        "nodes" => "EmrNodeRole".into(),
        handler => format!("{}{}Role", handler[..1].to_uppercase(), &handler[1..]),
    }
}
