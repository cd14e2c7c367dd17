//! Answers the twin makes itself, in the wire shape of each service.

use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::faults::FaultKind;
use super::forward::Body;
use super::moto::{ACCOUNT, REGION};
use super::witness::Call;

/// Who the twin says the caller is.
const CALLER: &str = "arn:aws:iam::123456789012:user/soflow";

pub fn bytes(status: u16, kind: &str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed();
    Response::builder().status(status).header("content-type", kind).body(body).unwrap()
}

pub fn json(status: u16, body: &Value) -> Response<Body> {
    bytes(status, "application/x-amz-json-1.1", body.to_string())
}

/// Returns an answer of Lambda, which clients know by the number of its request.
pub fn lambda(status: u16, body: &Value) -> Response<Body> {
    let mut answer = bytes(status, "application/json", body.to_string());
    answer.headers_mut().insert("x-amzn-requestid", HeaderValue::from_static("00000000-0000-4000-8000-00000000twin"));
    answer
}

/// Returns the refusal that a fault means for a call, or nothing for faults that are none.
pub fn refusal(call: &Call, kind: &FaultKind) -> Option<Response<Body>> {
    let s3 = call.service == "s3";
    let (status, code, message) = match kind {
        FaultKind::Throttle if s3 => (503, "SlowDown", "Please reduce your request rate.".to_string()),
        FaultKind::Throttle if call.service == "lambda" => {
            (429, "TooManyRequestsException", "Rate Exceeded.".to_string())
        }
        FaultKind::Throttle => (400, throttling(&call.service), "Rate exceeded".to_string()),
        FaultKind::Internal { .. } if s3 => {
            (500, "InternalError", "We encountered an internal error. Please try again.".to_string())
        }
        FaultKind::Internal { .. } if call.service == "emr" => {
            (500, "InternalServerException", "An internal failure occurred.".to_string())
        }
        FaultKind::Internal { .. } if call.service == "lambda" => {
            (500, "ServiceException", "An error occurred and the request cannot be processed.".to_string())
        }
        FaultKind::Internal { .. } => (500, "InternalFailure", "An internal failure occurred.".to_string()),
        FaultKind::AccessDenied => denied(call),
        FaultKind::ExpiredToken if s3 => (400, "ExpiredToken", "The provided token has expired.".to_string()),
        FaultKind::ExpiredToken => {
            let text = "The security token included in the request is expired".to_string();
            if is_form(&call.service) { (403, "ExpiredToken", text) } else { (400, "ExpiredTokenException", text) }
        }
        FaultKind::Answer(status, body) | FaultKind::AnswerAfter(status, body) => {
            return Some(bytes(*status, "application/x-amz-json-1.1", body.clone()));
        }
        FaultKind::DropBefore
        | FaultKind::DropAfter
        | FaultKind::Late(_)
        | FaultKind::Overtaken(_)
        | FaultKind::Delay(_)
        | FaultKind::Truncate => return None,
    };
    Some(error(call, status, code, &message))
}

fn error(call: &Call, status: u16, code: &str, message: &str) -> Response<Body> {
    let text = xml(message);
    match call.service.as_str() {
        // The answer to HEAD has no body, so a client knows only the status.
        "s3" if call.operation.starts_with("Head") => bytes(status, "application/xml", ""),
        "s3" => bytes(
            status,
            "application/xml",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{text}</Message><RequestId>TWIN0000000000FF</RequestId></Error>"
            ),
        ),
        "ec2" => bytes(
            status,
            "text/xml",
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors><RequestID>twin</RequestID></Response>"
            ),
        ),
        service if is_form(service) => bytes(
            status,
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error><RequestId>twin</RequestId></ErrorResponse>"
            ),
        ),
        "lambda" => lambda(status, &json!({ "__type": code, "message": message })),
        _ => json(status, &json!({ "__type": code, "message": message })),
    }
}

/// Services whose requests are forms and whose answers are XML.
pub fn is_form(service: &str) -> bool {
    ["ec2", "iam", "sts", "cloudformation", "sns"].contains(&service)
}

fn throttling(service: &str) -> &'static str {
    match service {
        "ec2" => "RequestLimitExceeded",
        "iam" | "sts" => "Throttling",
        _ => "ThrottlingException",
    }
}

impl Call {
    /// Returns the action that it asks IAM for, and the resource, as far as it tells.
    pub fn asked(&self) -> (String, String) {
        let (service, operation) = (self.service.as_str(), self.operation.as_str());
        let bucket = self.detail.split('/').next().unwrap_or_default();
        match service {
            "emr" if self.detail.is_empty() => (format!("elasticmapreduce:{operation}"), "*".to_string()),
            "emr" => (
                format!("elasticmapreduce:{operation}"),
                format!("arn:aws:elasticmapreduce:{REGION}:{ACCOUNT}:cluster/{}", self.detail),
            ),
            "s3" if operation.starts_with("ListObjects") || operation == "HeadBucket" => {
                ("s3:ListBucket".to_string(), format!("arn:aws:s3:::{bucket}"))
            }
            "s3" => (format!("s3:{}", s3_action(operation)), format!("arn:aws:s3:::{}", self.detail)),
            _ => (format!("{service}:{operation}"), "*".to_string()),
        }
    }
}

/// Returns a refusal in the words that IAM uses since it names the policy's kind.
fn denied(call: &Call) -> (u16, &'static str, String) {
    let service = call.service.as_str();
    let (action, mut resource) = call.asked();
    if service == "s3" {
        resource = format!("\"{resource}\"");
    }
    let message = format!(
        "User: {CALLER} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action"
    );
    match service {
        "s3" => (403, "AccessDenied", message),
        "ec2" => (403, "UnauthorizedOperation", message),
        service if is_form(service) => (403, "AccessDenied", message),
        _ => (400, "AccessDeniedException", message),
    }
}

/// Returns the permission that an S3 operation needs. Source: the service authorization reference for Amazon S3.
fn s3_action(operation: &str) -> &str {
    match operation {
        "HeadObject" => "GetObject",
        "CopyObject" | "CreateMultipartUpload" | "UploadPart" | "UploadPartCopy" | "CompleteMultipartUpload" => {
            "PutObject"
        }
        "DeleteObjects" => "DeleteObject",
        "ListParts" => "ListMultipartUploadParts",
        other => other,
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
