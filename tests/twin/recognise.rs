//! Which service and operation a request is for, read from its head and, for the older protocols, its body.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use serde_json::Value;

use percent_encoding::percent_decode_str;

use super::moto::PERSON;

/// What a request's head tells.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    pub service: String,
    /// Empty when only the body tells.
    pub operation: String,
    /// `bucket/key` in S3, of a listing `bucket/prefix`, the function's name in Lambda, else empty.
    pub detail: String,
}

/// Where Lambda's functions are.
const FUNCTIONS: &str = "/2015-03-31/functions/";

pub fn head(parts: &Parts) -> Head {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some((prefix, operation)) = text("x-amz-target").and_then(|target| target.rsplit_once('.')) {
        let service = match prefix {
            "ElasticMapReduce" => "emr",
            "AWSGlue" => "glue",
            "AmazonAthena" => "athena",
            "Logs_20140328" => "logs",
            other => scope(text("authorization")).unwrap_or(other),
        };
        return Head { service: service.to_string(), operation: operation.to_string(), detail: String::new() };
    }
    match scope(text("authorization")) {
        Some("lambda") => {
            let name = parts.uri.path().strip_prefix(FUNCTIONS).and_then(|rest| rest.strip_suffix("/invocations"));
            let operation = if name.is_some() { "Invoke" } else { "" };
            Head { service: "lambda".into(), operation: operation.into(), detail: plain(name.unwrap_or_default()) }
        }
        Some(service) if service != "s3" => {
            Head { service: service.to_string(), operation: String::new(), detail: String::new() }
        }
        _ => {
            let operation = s3(parts, text("x-amz-copy-source").is_some());
            let mut detail = plain(parts.uri.path().trim_start_matches('/'));
            if let Some(prefix) = pairs(parts.uri.query().unwrap_or_default()).get("prefix") {
                detail = format!("{}/{prefix}", detail.trim_end_matches('/'));
            }
            Head { service: "s3".to_string(), operation, detail }
        }
    }
}

/// Returns the service that a request was signed for.
fn scope(authorization: Option<&str>) -> Option<&str> {
    credential(authorization?)?.split('/').nth(3)
}

/// Returns the access key that a request was signed with; nothing for that of a person, and without one.
pub fn caller(parts: &Parts) -> String {
    let signed = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(credential);
    let key = signed.and_then(|credential| credential.split('/').next());
    key.filter(|key| *key != PERSON).unwrap_or_default().to_string()
}

fn credential(authorization: &str) -> Option<&str> {
    authorization.split_once("Credential=")?.1.split(',').next()
}

/// Returns the operation of a form, as IAM, EC2 and STS use them.
pub fn form(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="));
    action.unwrap_or_default().to_string()
}

/// Returns the first key of a request to remove objects.
pub fn first_key(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let key = text.split_once("<Key>").and_then(|(_, rest)| rest.split_once("</Key>"));
    key.map(|(key, _)| key.to_string()).unwrap_or_default()
}

/// Returns the id of the cluster a request to EMR is about.
pub fn cluster(body: &Value) -> String {
    let named = ["ClusterId", "JobFlowId", "ResourceId"].iter().find_map(|key| body[key].as_str());
    named.or_else(|| body["JobFlowIds"][0].as_str()).unwrap_or_default().to_string()
}

/// Sub-resources of a bucket or an object that S3 calls by another name than the query does.
const NAMES: &[(&str, &str)] = &[
    ("publicAccessBlock", "PublicAccessBlock"),
    ("lifecycle", "LifecycleConfiguration"),
    ("notification", "NotificationConfiguration"),
];

fn s3(parts: &Parts, copies: bool) -> String {
    let query = pairs(parts.uri.query().unwrap_or_default());
    let has = |name: &str| query.contains_key(name);
    let path = parts.uri.path().trim_start_matches('/');
    let object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let verb = match parts.method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::PUT => "Put",
        Method::DELETE => "Delete",
        _ => "Post",
    };
    let name = match (verb, object) {
        ("Get", _) if path.is_empty() => "ListBuckets",
        ("Get", true) if has("uploadId") => "ListParts",
        ("Put", true) if has("partNumber") && copies => "UploadPartCopy",
        ("Put", true) if has("partNumber") => "UploadPart",
        ("Put", true) if copies => "CopyObject",
        ("Delete", true) if has("uploadId") => "AbortMultipartUpload",
        ("Post", true) if has("uploads") => "CreateMultipartUpload",
        ("Post", true) if has("uploadId") => "CompleteMultipartUpload",
        ("Post", false) if has("delete") => "DeleteObjects",
        ("Get", false) if has("uploads") => "ListMultipartUploads",
        ("Get", false) if has("versions") => "ListObjectVersions",
        ("Get", false) if query.get("list-type").is_some_and(|value| value == "2") => "ListObjectsV2",
        _ => return sub_resource(verb, object, &query),
    };
    name.to_string()
}

fn sub_resource(verb: &str, object: bool, query: &BTreeMap<String, String>) -> String {
    let thing = if object { "Object" } else { "Bucket" };
    // `x-id` is the SDK's own name for the operation; the others have a value, a sub-resource has none.
    let Some(named) = query.iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name.as_str()) else {
        return match (verb, object) {
            ("Get", false) => "ListObjects".to_string(),
            ("Put", false) => "CreateBucket".to_string(),
            _ => format!("{verb}{thing}"),
        };
    };
    match NAMES.iter().find(|(query, _)| *query == named) {
        Some((_, "PublicAccessBlock")) => format!("{verb}PublicAccessBlock"),
        Some((_, name)) => format!("{verb}{thing}{name}"),
        None => format!("{verb}{thing}{}{}", named[..1].to_uppercase(), &named[1..]),
    }
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let split = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (plain(name), plain(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

/// Returns a part of an address without its percent signs.
fn plain(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
