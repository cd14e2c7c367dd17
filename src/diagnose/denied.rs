//! Refused requests: who may not do what to which resource, taken out of the many texts AWS has for it.

use super::finding::{Class, Finding};
use super::rules::{Captures, find};

/// Texts that name everything or nearly so. Sources: IAM user guide, "Troubleshoot access denied error messages";
/// Hadoop's `S3AUtils.translateException`; Lake Formation's own wording.
const TEXTS: [&str; 7] = [
    "User: {principal} is not authorized to perform: {action} on resource: {resource}",
    "User: {principal} is not authorized to perform: {action}",
    "User {principal} is not authorized to perform {action} on {resource}",
    "is not authorized to perform: {action} on resource: {resource}",
    "Insufficient Lake Formation permission(s): Required {grant} on {resource}",
    "Insufficient Lake Formation permission(s) on {resource}",
    "AccessDeniedException: s3{path}: {operation} on",
];

/// Texts that only say no.
pub const NO: [&str; 7] = [
    "AccessDenied",
    "Access Denied",
    "UnauthorizedOperation",
    "AuthorizationError",
    "Status Code: 403",
    "not authorized to perform",
    "Insufficient Lake Formation",
];

/// What Hadoop's S3 client was doing, and the permission that takes.
const OPERATIONS: [(&str, &str); 7] = [
    ("getFileStatus", "s3:GetObject"),
    ("open", "s3:GetObject"),
    ("list", "s3:ListBucket"),
    ("delete", "s3:DeleteObject"),
    ("PUT", "s3:PutObject"),
    ("Writing", "s3:PutObject"),
    ("upload", "s3:PutObject"),
];

/// Returns what was refused, or `None` when the text is about something else.
pub fn denied(text: &str) -> Option<Finding> {
    if !NO.iter().any(|no| text.contains(no)) {
        return None;
    }
    let mut found = named(text);
    if let Some(operation) = found.get("operation") {
        let known = OPERATIONS.iter().find(|(name, _)| operation.to_lowercase().contains(&name.to_lowercase()));
        let action = known.map_or("s3:GetObject", |(_, action)| action).to_string();
        found.insert("action".into(), action);
    }
    let path =
        found.remove("path").or_else(|| find("s3{path}", text)?.remove("path").filter(|path| path.contains("://")));
    if let Some(path) = path.filter(|_| !found.contains_key("resource")) {
        found.insert("resource".into(), format!("s3{path}"));
    }
    let hint = hint(text, &found);
    Some(Finding { class: Class::Permission, summary: summary(&found), hint: Some(hint), ..Finding::default() })
}

/// Returns what it means that AWS does not allow a call which takes `action`, a permission that IAM has, on `resource`.
/// What the text says is nearer to the truth, but for names of operations where those of permissions belong. The advice
/// is good for more than this one call: all of the bucket, all clusters.
pub fn refused(text: &str, action: &str, resource: &str) -> Finding {
    let mut found = named(text);
    // S3 and what stands in for it name operations that are no permissions.
    if !found.contains_key("grant") && (action.starts_with("s3:") || !found.contains_key("action")) {
        found.insert("action".into(), action.into());
    }
    let on = found.entry("resource".into()).or_insert_with(|| resource.into());
    // What is allowed on a bucket is not allowed on its objects.
    if resource.contains(":::")
        && !resource.contains('/')
        && let Some((bucket, _)) = on.split_once('/')
    {
        *on = bucket.to_string();
    }
    let summary = summary(&found);
    found.entry("resource".into()).and_modify(|resource| *resource = wide(resource));
    Finding { class: Class::Permission, summary, hint: Some(hint(text, &found)), ..Finding::default() }
}

fn named(text: &str) -> Captures {
    TEXTS.iter().find_map(|pattern| find(pattern, text)).unwrap_or_default()
}

fn wide(resource: &str) -> String {
    match (resource.split_once(":s3:::"), resource.split_once(":cluster/")) {
        (Some((partition, object)), _) => match object.split_once('/') {
            Some((bucket, _)) => format!("{partition}:s3:::{bucket}/*"),
            None => resource.to_string(),
        },
        (_, Some((account, _))) => format!("{account}:cluster/*"),
        _ => resource.to_string(),
    }
}

fn summary(found: &Captures) -> String {
    let of = |name: &str| found.get(name).map(|value| format!("`{value}`"));
    let what = of("action").or_else(|| of("grant"));
    let on = of("resource").map_or(String::new(), |resource| format!(" on {resource}"));
    match (found.get("principal"), what) {
        (Some(who), Some(what)) => format!("{} may not {what}{on}", principal(who)),
        (_, Some(what)) => format!("access is denied: {what}{on}"),
        (_, None) if on.is_empty() => "access is denied, and nothing says to what".into(),
        (_, None) => format!("access is denied{on}"),
    }
}

fn hint(text: &str, found: &Captures) -> String {
    if let Some(encoded) = find("Encoded authorization failure message: {message}", text) {
        // It becomes part of a command to type.
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let message: String = encoded.get("message").map_or("", String::as_str).chars().filter(plain).collect();
        return format!("it says why: `aws sts decode-authorization-message --encoded-message {message}`");
    }
    if text.contains("with an explicit deny") {
        let kind = ["service control policy", "resource-based policy", "permissions boundary", "VPC endpoint policy"];
        let kind = kind.iter().find(|kind| text.contains(*kind)).unwrap_or(&"policy");
        return format!("a {kind} denies it, which no other policy can allow: ask whoever owns that policy");
    }
    if text.contains("Lake Formation") {
        let on = found.get("resource").map_or("the table".to_string(), |resource| format!("`{resource}`"));
        let grant = found.get("grant").map_or("the permission", String::as_str);
        return format!("grant {grant} on {on} to the role: `aws lakeformation grant-permissions`");
    }
    let Some(action) = found.get("action") else {
        return "see who is asking, `aws sts get-caller-identity`, and add the permission to that role".into();
    };
    let resource = found.get("resource").map_or("*".to_string(), |resource| arn(resource, action, partition(found)));
    let to = found
        .get("principal")
        .map_or("the policies of the role".to_string(), |p| format!("the policies of {}", principal(p)));
    let trust = if action == "sts:AssumeRole" { ", and let its trust policy name that role" } else { "" };
    format!(r#"add to {to}: `{{"Effect": "Allow", "Action": "{action}", "Resource": "{resource}"}}`{trust}"#)
}

/// Returns the ARN of what Hadoop writes as `s3://bucket/key`; other names stay as they are.
fn arn(resource: &str, action: &str, partition: &str) -> String {
    let Some((scheme, path)) = resource.split_once("://") else { return resource.to_string() };
    if !scheme.starts_with("s3") {
        return resource.to_string();
    }
    let bucket = path.split('/').next().unwrap_or_default();
    format!("arn:{partition}:s3:::{}", if action == "s3:ListBucket" { bucket } else { path })
}

/// Returns the partition of whoever was refused.
fn partition(found: &Captures) -> &str {
    found.get("principal").and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws")
}

/// Returns the role or user of an ARN: `arn:aws:sts::1:assumed-role/NAME/i-0ab` is role `NAME`.
fn principal(arn: &str) -> String {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    let mut parts = name.split('/');
    match (parts.next(), parts.next()) {
        (Some("assumed-role" | "role"), Some(role)) => format!("role `{role}`"),
        (Some("user"), Some(user)) => format!("user `{user}`"),
        _ => format!("`{arn}`"),
    }
}
