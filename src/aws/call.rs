//! The signed call: one request to a service that has no SDK crate here, sent again as long as that helps. Every operation
//! called this way may be done twice.
//!
//! Two protocols: AWS JSON 1.1, and the AWS Query protocol with EC2's dialect of it, where a form goes there and XML comes
//! back.

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::errors::{BAD_ANSWER, CallError, NO_CREDENTIALS, page, unanswered};
use super::xml::Xml;
use super::{IAM, Partition, Retry, Service, Session};
use crate::error::{Error, Kind, Result};

/// What AWS knows us by.
const AGENT: &str = concat!("soflow/", env!("CARGO_PKG_VERSION"));

/// A request: a `POST` to `/`.
#[derive(Debug)]
struct SignedRequest<'a> {
    service: &'a Service,
    operation: &'a str,
    /// Where it goes, without a path.
    endpoint: String,
    /// The region it is signed for.
    region: &'a str,
    /// Its headers, signed.
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl SignedRequest<'_> {
    /// Returns a failure of this call that cannot have done anything.
    fn failure(&self, code: &str, message: String) -> CallError {
        let (service, operation) = (self.service.name, self.operation.to_string());
        let partition = Partition::of_region(self.region).id;
        CallError { service, operation, code: code.into(), message, maybe_done: false, partition }
    }

    /// Returns the failure of a call that was done, and whose answer cannot be used.
    fn unusable(&self, message: String) -> CallError {
        CallError { maybe_done: true, ..self.failure(BAD_ANSWER, message) }
    }

    /// Returns what an answer says that is no success.
    fn refusal(&self, answer: &SignedAnswer, code: Option<String>, message: Option<&str>) -> CallError {
        let code = code.unwrap_or_else(|| format!("HTTP {}", answer.status.as_u16()));
        let otherwise = || answer.status.canonical_reason().unwrap_or_default().into();
        let message = message.map(String::from).or_else(|| page(&answer.body)).unwrap_or_else(otherwise);
        CallError { maybe_done: answer.status.is_server_error(), ..self.failure(&code, message) }
    }
}

/// What came back.
#[derive(Debug)]
struct SignedAnswer {
    status: http::StatusCode,
    /// The error's code, when a header tells it.
    code: Option<String>,
    body: Bytes,
}

impl Session {
    /// Calls an operation of a service that speaks JSON, and returns its answer.
    ///
    /// # Errors
    /// The last failure, after six attempts; at once when trying again is of no use.
    pub async fn call<T: DeserializeOwned>(
        &self,
        service: &Service,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<T, CallError> {
        let target = format!("{}.{operation}", service.api);
        let headers = vec![("content-type", "application/x-amz-json-1.1".into()), ("x-amz-target", target)];
        let (endpoint, region) = self.place(service);
        let mut request = SignedRequest { service, operation, endpoint, region, headers, body: Vec::new() };
        request.body =
            serde_json::to_vec(input).map_err(|error| request.failure("Serialization", error.to_string()))?;
        let answer = self.deliver(&request, read_json).await?;
        serde_json::from_value(answer).map_err(|error| request.unusable(error.to_string()))
    }

    /// Calls an operation of a service that takes forms, with the form's fields besides `Action` and `Version`, and returns
    /// the root of its answer.
    ///
    /// # Errors
    /// The last failure, after six attempts; at once when trying again is of no use.
    pub async fn query(
        &self,
        service: &Service,
        operation: &str,
        fields: &[(String, String)],
    ) -> Result<Xml, CallError> {
        let head = [("Action", operation), ("Version", service.api)];
        let pairs = head.into_iter().chain(fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let body: Vec<String> = pairs.map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let headers = vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".into())];
        let (endpoint, region) = self.place(service);
        let request =
            SignedRequest { service, operation, endpoint, region, headers, body: body.join("&").into_bytes() };
        self.deliver(&request, read_xml).await
    }

    /// Returns a service's address and the region its requests are signed for.
    fn place(&self, service: &Service) -> (String, &str) {
        if *service != IAM {
            return (self.endpoint(service.name, service.host), self.region());
        }
        let (address, region) = self.partition().iam(self.variant());
        (self.configured_endpoint(service.name).unwrap_or(address), region)
    }

    async fn deliver<T>(
        &self,
        request: &SignedRequest<'_>,
        read: impl Fn(&SignedRequest<'_>, &SignedAnswer) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.paced(request.service.name, request.operation, Retry::Safe, || async {
            self.post(request).await.and_then(|answer| read(request, &answer))
        })
        .await
    }

    async fn post(&self, request: &SignedRequest<'_>) -> Result<SignedAnswer, CallError> {
        let signed = self.signed(request).await.map_err(|error| {
            let causes = error.causes().join(": ");
            request.failure(NO_CREDENTIALS, if causes.is_empty() { error.message } else { causes })
        })?;
        let lost = |error: &(dyn std::error::Error + 'static)| unanswered(request.failure("", String::new()), error);
        let answer = self.http.call(signed).await.map_err(|error| lost(&error))?;
        let header = |name: &str| answer.headers().get(name);
        if let Some(date) = header("date") {
            self.clock().learn(date);
        }
        let status = answer.status().as_u16();
        let code = header("x-amzn-errortype").map(short_code);
        let body = tokio::time::timeout(self.policy.answer, ByteStream::new(answer.into_body()).collect()).await;
        let body = body.map_err(|over| lost(&over))?.map_err(|error| lost(&error))?.into_bytes();
        Ok(SignedAnswer { status: http::StatusCode::from_u16(status).unwrap_or_default(), code, body })
    }

    async fn signed(&self, request: &SignedRequest<'_>) -> Result<HttpRequest> {
        let internal = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(Kind::Internal, "a request cannot be signed").caused_by(error)
        };
        let identity = self.credentials().await?.into();
        let address = format!("{}/", request.endpoint.trim_end_matches('/'));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(request.region)
            .name(request.service.host)
            .time(std::time::SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| internal(error.into()))?
            .into();
        let named = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new("POST", address.as_str(), named, SignableBody::Bytes(&request.body))
            .map_err(|error| internal(error.into()))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| internal(error.into()))?.into_parts();
        let mut post = http::Request::post(&address).header("user-agent", AGENT);
        for (name, value) in &request.headers {
            post = post.header(*name, value);
        }
        let mut post = post.body(SdkBody::from(request.body.as_slice())).map_err(|error| internal(error.into()))?;
        instructions.apply_to_request_http1x(&mut post);
        HttpRequest::try_from(post).map_err(|error| internal(error.into()))
    }
}

fn read_json(request: &SignedRequest<'_>, answer: &SignedAnswer) -> Result<Json, CallError> {
    let parsed = if answer.body.is_empty() { Ok(Json::Null) } else { serde_json::from_slice::<Json>(&answer.body) };
    if answer.status.is_success() {
        return match parsed {
            Ok(Json::Null) => Ok(Json::Object(serde_json::Map::new())),
            Ok(answer) => Ok(answer),
            Err(error) => Err(request.unusable(format!("the answer is not JSON: {error}"))),
        };
    }
    let told = parsed.unwrap_or_default();
    let text = |key: &str| told.get(key).and_then(Json::as_str);
    let code = text("__type").map(short_code).or_else(|| answer.code.clone());
    Err(request.refusal(answer, code, text("message").or(text("Message"))))
}

fn read_xml(request: &SignedRequest<'_>, answer: &SignedAnswer) -> Result<Xml, CallError> {
    let parsed = Xml::parse(&String::from_utf8_lossy(&answer.body));
    if answer.status.is_success() {
        return parsed.map_err(|error| request.unusable(format!("the answer is not XML: {error}")));
    }
    let told = parsed.unwrap_or_default();
    let text = |name: &str| told.find("Error").map(|error| error.text_of(name)).filter(|text| !text.is_empty());
    Err(request.refusal(answer, text("Code").map(String::from), text("Message")))
}

/// Returns the code without its namespace and address: `com.amazon.coral#ThrottlingException:http://…`.
fn short_code(text: &str) -> String {
    let text = text.rsplit('#').next().unwrap_or(text);
    text.split(':').next().unwrap_or(text).to_string()
}

/// Returns text as a form holds it: everything but RFC 3986's unreserved characters in percent signs.
fn encoded(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => safe.push(char::from(byte)),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded_as_the_signature_expects() {
        assert_eq!(encoded("arn:aws:iam::1:role/a b+c~é"), "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b%2Bc~%C3%A9");
    }

    fn refused(status: u16, body: &str) -> CallError {
        let (endpoint, headers, body) = (String::new(), Vec::new(), Vec::from(body));
        let request = SignedRequest {
            service: &IAM,
            operation: "GetRole",
            endpoint,
            region: "us-east-1",
            headers,
            body: Vec::new(),
        };
        let status = http::StatusCode::from_u16(status).unwrap();
        read_xml(&request, &SignedAnswer { status, code: None, body: body.into() }).unwrap_err()
    }

    #[test]
    fn both_dialects_tell_their_errors() {
        let iam = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>gone</Message></Error></ErrorResponse>";
        let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
        assert_eq!(refused(404, iam).to_string(), "IAM GetRole: NoSuchEntity: gone");
        assert!(refused(403, ec2).is_denied());
        let broken = refused(502, "<html><p>proxy</html>");
        assert_eq!((broken.code.as_str(), broken.maybe_done), ("HTTP 502", true));
        assert_eq!(broken.message, "an HTML page came instead of an answer");
    }
}
