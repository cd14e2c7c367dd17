//! The signed call: one request to a service that has no SDK crate here, sent again as long as that helps. Every operation
//! called this way may be done twice.
//!
//! Two protocols: AWS JSON 1.1, and the AWS Query protocol with EC2's dialect of it, where a form goes there and XML comes
//! back.

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningInstructions, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::errors::{BAD_ANSWER, CallError, NO_CREDENTIALS, page};
use super::{Retry, Service, Session};
use crate::error::{Error, Kind, Result};

/// What AWS knows us by.
const AGENT: &str = concat!("soflow/", env!("CARGO_PKG_VERSION"));

/// A request: a `POST` to `/`.
#[derive(Debug)]
struct SignedRequest<'a> {
    service: &'a Service,
    operation: &'a str,
    /// Its headers, signed.
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl SignedRequest<'_> {
    fn call(&self) -> (&'static str, &str) {
        (self.service.name, self.operation)
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
        let failure = |error: serde_json::Error, code, done| {
            self.failure((service.name, operation), code, error.to_string(), done)
        };
        let body = serde_json::to_vec(input).map_err(|error| failure(error, "Serialization", false))?;
        let target = format!("{}.{operation}", service.api);
        let headers = vec![("content-type", "application/x-amz-json-1.1".into()), ("x-amz-target", target)];
        let answer: Json = self.deliver(&SignedRequest { service, operation, headers, body }).await?;
        serde_json::from_value(answer).map_err(|error| failure(error, BAD_ANSWER, true))
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
        let body = body.join("&").into_bytes();
        self.deliver(&SignedRequest { service, operation, headers, body }).await
    }

    async fn deliver<T: ServiceAnswer>(&self, request: &SignedRequest<'_>) -> Result<T, CallError> {
        self.patiently(request.service.name, request.operation, Retry::Safe, || async {
            self.post(request).await.and_then(|answer| self.read(request, answer))
        })
        .await
    }

    fn read<T: ServiceAnswer>(&self, request: &SignedRequest<'_>, answer: SignedAnswer) -> Result<T, CallError> {
        let SignedAnswer { status, code, body } = answer;
        let parsed = T::read(&body);
        if status.is_success() {
            return parsed.map_err(|why| self.failure(request.call(), BAD_ANSWER, why, true));
        }
        let (told, message) = parsed.unwrap_or_default().told();
        let code = told.or(code).unwrap_or_else(|| format!("HTTP {}", status.as_u16()));
        let otherwise = || status.canonical_reason().unwrap_or_default().into();
        let message = message.or_else(|| page(&body)).unwrap_or_else(otherwise);
        Err(self.failure(request.call(), code, message, status.is_server_error()))
    }

    async fn post(&self, request: &SignedRequest<'_>) -> Result<SignedAnswer, CallError> {
        let signed = self.signed(request).await.map_err(|error| {
            let causes = error.causes().join(": ");
            let why = if causes.is_empty() { error.message } else { causes };
            self.failure(request.call(), NO_CREDENTIALS, why, false)
        })?;
        let lost = |error: &(dyn std::error::Error + 'static)| self.unanswered(request.call(), error);
        let answer = self.http.call(signed).await.map_err(|error| lost(&error))?;
        let header = |name: &str| answer.headers().get(name);
        if let Some(date) = header("date") {
            self.clock().learn(date);
        }
        let status = http::StatusCode::from_u16(answer.status().as_u16()).unwrap_or_default();
        let code = header("x-amzn-errortype").map(short_code);
        let body = tokio::time::timeout(self.policy.answer, ByteStream::new(answer.into_body()).collect()).await;
        let body = body.map_err(|over| lost(&over))?.map_err(|error| lost(&error))?.into_bytes();
        Ok(SignedAnswer { status, code, body })
    }

    async fn signed(&self, request: &SignedRequest<'_>) -> Result<HttpRequest> {
        let (endpoint, region) = self.place(request.service.name, request.service.host);
        let address = format!("{}/", endpoint.trim_end_matches('/'));
        let named = request.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable =
            SignableRequest::new("POST", &address, named, SignableBody::Bytes(&request.body)).map_err(unsigned)?;
        let signature = self.signature(request.service.host, &region, signable).await?;
        let mut post = http::Request::post(&address).header("user-agent", AGENT);
        for (name, value) in &request.headers {
            post = post.header(*name, value);
        }
        let mut post = post.body(SdkBody::from(request.body.as_slice())).map_err(unsigned)?;
        signature.apply_to_request_http1x(&mut post);
        HttpRequest::try_from(post).map_err(unsigned)
    }

    /// Returns the headers that sign a `GET` of `address` without a body, in the name of `service` as policies call it: for
    /// what is no call, such as a WebSocket.
    ///
    /// # Errors
    /// `Machine` when there are no credentials.
    pub async fn sign_get(&self, service: &str, address: &str) -> Result<Vec<(&'static str, String)>> {
        let signable = SignableRequest::new("GET", address, std::iter::empty(), SignableBody::empty());
        let signature = self.signature(service, self.region(), signable.map_err(unsigned)?).await?;
        let (headers, _) = signature.into_parts();
        Ok(headers.into_iter().map(|header| (header.name(), header.value().to_string())).collect())
    }

    async fn signature(
        &self,
        service: &str,
        region: &str,
        request: SignableRequest<'_>,
    ) -> Result<SigningInstructions> {
        let identity = self.credentials().await?.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(std::time::SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(unsigned)?
            .into();
        Ok(sign(request, &params).map_err(unsigned)?.into_parts().0)
    }
}

fn unsigned(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Internal, "a request cannot be signed").caused_by(error)
}

/// What a service answers with.
trait ServiceAnswer: Default {
    /// Returns the document that a body holds, or why it is none.
    fn read(body: &[u8]) -> Result<Self, String>;

    /// Returns the code and the message of an error.
    fn told(&self) -> (Option<String>, Option<String>);
}

impl ServiceAnswer for Json {
    fn read(body: &[u8]) -> Result<Self, String> {
        let body = if body.is_empty() { b"{}" } else { body };
        serde_json::from_slice(body).map_err(|error| format!("the answer is not JSON: {error}"))
    }

    fn told(&self) -> (Option<String>, Option<String>) {
        let text = |key: &str| self.get(key).and_then(Self::as_str);
        (text("__type").map(short_code), text("message").or(text("Message")).map(String::from))
    }
}

impl ServiceAnswer for Xml {
    fn read(body: &[u8]) -> Result<Self, String> {
        Self::parse(&String::from_utf8_lossy(body)).map_err(|error| format!("the answer is not XML: {error}"))
    }

    fn told(&self) -> (Option<String>, Option<String>) {
        let error = self.find("Error");
        let text = |name: &str| error.map(|error| error.text_of(name)).filter(|text| !text.is_empty());
        (text("Code").map(String::from), text("Message").map(String::from))
    }
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

/// An element of an answer; namespaces, attributes and text between elements are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xml {
    /// Its name.
    pub name: String,
    /// Its text, when it has no elements.
    pub text: String,
    /// Its elements, in order.
    pub children: Vec<Xml>,
}

impl Xml {
    /// Returns the root of a document.
    ///
    /// # Errors
    /// What the reader says; also of documents with a DTD, which no answer of AWS has.
    pub fn parse(text: &str) -> Result<Self, roxmltree::Error> {
        roxmltree::Document::parse(text).map(|document| Self::of(document.root_element()))
    }

    fn of(node: roxmltree::Node<'_, '_>) -> Self {
        let children: Vec<Self> = node.children().filter(roxmltree::Node::is_element).map(Self::of).collect();
        let text = if children.is_empty() { node.text().unwrap_or_default().into() } else { String::new() };
        Self { name: node.tag_name().name().into(), text, children }
    }

    /// Returns the first element of that name directly below.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns the first element of that name at any depth.
    pub fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }

    /// Returns the text of the element of that name directly below; empty when there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| &child.text)
    }

    /// Returns what is in the list of that name at any depth: its `member`s, in EC2 its `item`s.
    pub fn list(&self, name: &str) -> &[Self] {
        self.find(name).map_or(&[], |list| &list.children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::IAM;

    #[test]
    fn forms_are_encoded_as_the_signature_expects() {
        assert_eq!(encoded("arn:aws:iam::1:role/a b+c~é"), "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b%2Bc~%C3%A9");
    }

    fn refused(status: u16, body: &str) -> CallError {
        let keys = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
        let session = Session::for_tests("http://127.0.0.1:1", keys, crate::aws::RetryPolicy::default());
        let request = SignedRequest { service: &IAM, operation: "GetRole", headers: Vec::new(), body: Vec::new() };
        let status = http::StatusCode::from_u16(status).unwrap();
        let answer = SignedAnswer { status, code: None, body: Vec::from(body).into() };
        session.read::<Xml>(&request, answer).unwrap_err()
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

    #[test]
    fn answers_are_read_without_their_namespaces() {
        let text = r#"<?xml version="1.0"?><R xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult>
            <Role><RoleName>a&amp;b</RoleName><Tags/><Roles><member><Arn>x</Arn></member><member><Arn>y</Arn></member></Roles>
            </Role></GetRoleResult></R>"#;
        let root = Xml::parse(text).unwrap();
        let role = root.find("Role").unwrap();
        assert_eq!((role.text_of("RoleName"), role.text_of("Tags"), role.text_of("Missing")), ("a&b", "", ""));
        assert_eq!(role.list("Roles").iter().map(|role| role.text_of("Arn")).collect::<Vec<_>>(), ["x", "y"]);
        assert!(role.list("Tags").is_empty() && role.list("Missing").is_empty());
    }
}
