//! What AWS's refusals mean, told where errors leave the program: who may not do what, and the permission to add.

use crate::aws::CallError;
use crate::diagnose::{self, Class};
use crate::error::Error;

/// The permission that an operation of S3 takes where it is not named alike. Source: the service authorization reference
/// for Amazon S3.
const S3_ACTIONS: [(&str, &str); 8] = [
    ("HeadObject", "GetObject"),
    ("ListObjectsV2", "ListBucket"),
    ("DeleteObjects", "DeleteObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("UploadPart", "PutObject"),
    ("CompleteMultipartUpload", "PutObject"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListParts", "ListMultipartUploadParts"),
];

/// Returns an error with what is known about the call behind it, if AWS refused one for what it was.
pub fn explained(mut error: Error) -> Error {
    let Some(call) = call_behind(&error) else { return error };
    let told = ["ValidationException", "InvalidRequestException"].contains(&call.code.as_str());
    if !call.is_denied() && !told {
        return error;
    }
    let finding = diagnose::api(&call.code, &words(call, error.detail.as_deref()));
    if finding.class == Class::Unknown {
        return error;
    }
    if call.is_denied() {
        error.message = format!("AWS does not allow `{}`: {}", call.operation, finding.summary);
    }
    if let Some(hint) = finding.hint {
        error.hints.insert(0, widened(&hint));
    }
    error
}

/// Returns the advice with a resource that is good for more than this one call: all of the bucket, all clusters.
fn widened(hint: &str) -> String {
    let Some((before, rest)) = hint.split_once("\"Resource\": \"") else { return hint.to_string() };
    let Some((resource, after)) = rest.split_once('"') else { return hint.to_string() };
    let wide = match (resource.split_once('/'), resource.split_once(":cluster/")) {
        (Some((bucket, _)), _) if bucket.starts_with("arn:") && bucket.contains(":s3:::") => format!("{bucket}/*"),
        (_, Some((account, _))) => format!("{account}:cluster/*"),
        _ => resource.to_string(),
    };
    format!("{before}\"Resource\": \"{wide}\"{after}")
}

fn call_behind(error: &Error) -> Option<&CallError> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(call) = cause.downcast_ref() {
            return Some(call);
        }
        next = cause.source();
    }
    None
}

/// Returns what AWS said. S3 answers some requests without a word; what was refused is known all the same.
fn words(call: &CallError, detail: Option<&str>) -> String {
    let place = detail.and_then(|detail| detail.strip_prefix("on s3://"));
    let Some(place) = place.filter(|_| call.service == "S3" && !call.message.contains("not authorized")) else {
        return call.message.clone();
    };
    let named = S3_ACTIONS.iter().find(|(operation, _)| *operation == call.operation);
    let action = named.map_or(call.operation.as_str(), |(_, action)| action);
    let resource = if action.starts_with("ListBucket") { place.split('/').next().unwrap_or(place) } else { place };
    format!("is not authorized to perform: s3:{action} on resource: arn:{}:s3:::{resource}", call.partition)
}
