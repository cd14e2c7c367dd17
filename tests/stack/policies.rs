//! What IAM would refuse or never match: parliament knows every action, its resources and its conditions.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::{CODE_BUCKET, SMALL, example};
use crate::twin::tools::{fed, python};

/// Where the stack is, as far as a policy is concerned.
const PLACE: [(&str, &str); 4] = [
    ("AWS::Partition", "aws"),
    ("AWS::Region", "us-east-1"),
    ("AWS::AccountId", "123456789012"),
    ("AWS::StackName", "soflow-prod"),
];

/// What the ARN of a resource of each type is, behind `arn:aws:`; its name here is that in the template.
const ARNS: [(&str, &str); 9] = [
    ("AWS::KMS::Key", "kms:us-east-1:123456789012:key/NAME"),
    ("AWS::S3::Bucket", "s3:::NAME"),
    ("AWS::IAM::Role", "iam::123456789012:role/NAME"),
    ("AWS::Lambda::Function", "lambda:us-east-1:123456789012:function:NAME"),
    ("AWS::SQS::Queue", "sqs:us-east-1:123456789012:NAME"),
    ("AWS::SNS::Topic", "sns:us-east-1:123456789012:NAME"),
    ("AWS::Logs::LogGroup", "logs:us-east-1:123456789012:log-group:NAME:*"),
    ("AWS::Events::Rule", "events:us-east-1:123456789012:rule/NAME"),
    ("AWS::SecretsManager::Secret", "secretsmanager:us-east-1:123456789012:secret:NAME"),
];

/// Returns a value as CloudFormation would hand it to IAM.
pub fn resolved(value: &Json, template: &Json) -> Json {
    let arn = |id: &str| {
        let kind = template["Resources"][id]["Type"].as_str().unwrap_or_else(|| panic!("there is no resource `{id}`"));
        let known = ARNS.iter().find(|(known, _)| *known == kind);
        format!("arn:aws:{}", known.unwrap_or_else(|| panic!("no ARN of {kind} is known here")).1.replace("NAME", id))
    };
    let named = |name: &str| match PLACE.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => (*value).to_string(),
        None => arn(name.strip_suffix(".Arn").unwrap_or(name)),
    };
    match value {
        Json::Object(fields) if fields.len() == 1 => {
            let (key, argument) = fields.iter().next().unwrap();
            match key.as_str() {
                "Ref" => named(argument.as_str().unwrap()).into(),
                "Fn::GetAtt" => arn(argument[0].as_str().unwrap()).into(),
                "Fn::Join" => {
                    let parts = argument[1].as_array().unwrap().iter().map(|part| resolved(part, template));
                    parts.map(|part| part.as_str().unwrap().to_string()).collect::<String>().into()
                }
                "Fn::Sub" => {
                    let mut text = argument.as_str().unwrap().to_string();
                    while let Some((before, rest)) = text.split_once("${") {
                        let (name, after) = rest.split_once('}').unwrap();
                        text = format!("{before}{}{after}", named(name));
                    }
                    text.into()
                }
                _ => json!({ key: resolved(argument, template) }),
            }
        }
        Json::Object(fields) => {
            let all = fields.iter().map(|(key, value)| (key.clone(), resolved(value, template)));
            all.collect::<Map<String, Json>>().into()
        }
        Json::Array(items) => items.iter().map(|item| resolved(item, template)).collect(),
        other => other.clone(),
    }
}

/// Collects every policy below a value, by where it is.
fn policies(value: &Json, place: &str, template: &Json, found: &mut BTreeMap<String, Json>) {
    match value {
        Json::Object(fields) if fields.contains_key("Statement") => {
            let mut policy = resolved(value, template);
            // What such a policy is about goes without saying: the role, the key.
            let of = match place.rsplit('/').next() {
                Some("AssumeRolePolicyDocument") => Some("AWS::IAM::Role"),
                Some("KeyPolicy") => Some("AWS::KMS::Key"),
                _ => None,
            };
            if let Some((_, arn)) = ARNS.iter().find(|(kind, _)| Some(*kind) == of) {
                let statements = policy["Statement"].as_array_mut().unwrap();
                // The account may do all with its key, of which not all can be done to a key.
                statements.retain(|statement| statement["Action"] != "kms:*");
                for statement in statements {
                    statement["Resource"] = format!("arn:aws:{arn}").into();
                }
            }
            found.insert(place.into(), policy);
        }
        Json::Object(fields) => {
            fields.iter().for_each(|(key, value)| policies(value, &format!("{place}/{key}"), template, found));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| policies(item, &format!("{place}/{at}"), template, found));
        }
        _ => {}
    }
}

#[test]
fn parliament_has_nothing_to_say() {
    let mut found = BTreeMap::new();
    let code = serde_json::from_str(CODE_BUCKET).unwrap();
    for (name, template) in [("code", code), ("whole", example("")), ("small", example(SMALL))] {
        policies(&template["Resources"], name, &template, &mut found);
    }
    assert!(found.len() > 50, "only {} policies were found", found.len());
    // That it sees anything at all.
    let statement = json!({ "Effect": "Allow", "Action": "s3:GetObjects", "Resource": "*" });
    found.insert("broken".into(), json!({ "Version": "2012-10-17", "Statement": [statement] }));
    let mut parliament = python("linters", include_str!("linters.lock"));
    parliament.args(["-c", include_str!("parliament.py")]);
    let output = fed(&mut parliament, &serde_json::to_string(&found).unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let (broken, wrong): (Vec<&str>, Vec<&str>) = told.lines().partition(|line| line.starts_with("broken: "));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(broken.len() == 1 && broken[0].contains("s3:GetObjects"), "{broken:?}");
}
