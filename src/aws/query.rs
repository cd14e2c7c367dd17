//! The AWS Query protocol and EC2's dialect of it: a form goes there, XML comes back. For IAM, STS and EC2.

use super::call::{Answer, Request};
use super::errors::{BAD_ANSWER, CallError};
use super::{Retry, Session};
use crate::error::Result;

/// A service that takes forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormService {
    /// What people call it.
    pub name: &'static str,
    /// The first part of its host name, and the name its requests are signed for.
    pub host: &'static str,
    /// Its id in `AWS_ENDPOINT_URL_<ID>` and, in lower case, in profiles.
    pub id: &'static str,
    /// The version of its API, part of every form.
    pub version: &'static str,
    /// Whether there is one for all regions of a partition.
    pub global: bool,
}

/// Identity and Access Management.
pub const IAM: FormService = FormService { name: "IAM", host: "iam", id: "IAM", version: "2010-05-08", global: true };

/// The Security Token Service.
pub const STS: FormService = FormService { name: "STS", host: "sts", id: "STS", version: "2011-06-15", global: false };

/// EC2: networks and instance types.
pub const EC2: FormService = FormService { name: "EC2", host: "ec2", id: "EC2", version: "2016-11-15", global: false };

impl Session {
    /// Calls an operation that may be done twice, with the form's fields besides `Action` and `Version`, and returns the
    /// root of its answer.
    ///
    /// # Errors
    /// The last failure, after six attempts; at once when trying again is of no use.
    pub async fn query(
        &self,
        service: &FormService,
        operation: &str,
        fields: &[(String, String)],
    ) -> Result<Xml, CallError> {
        let (endpoint, region) = self.place(service);
        let head = [("Action", operation), ("Version", service.version)];
        let pairs = head.into_iter().chain(fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let body: Vec<String> = pairs.map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let request = Request {
            service: service.name,
            operation,
            paced: None,
            endpoint,
            scope: (service.host, region),
            headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".into())],
            body: body.join("&").into_bytes(),
        };
        self.deliver(&request, Retry::Safe, read).await
    }

    /// Returns a service's address.
    pub fn address(&self, service: &FormService) -> String {
        self.place(service).0
    }

    /// Returns a service's address and the region its requests are signed for.
    fn place(&self, service: &FormService) -> (String, &str) {
        let regional = self.endpoint(service.id, service.host);
        if !service.global {
            return (regional, self.region());
        }
        let (address, region) = self.partition().iam(self.variant());
        (self.configured_endpoint(service.id).unwrap_or(address), region)
    }
}

fn read(request: &Request<'_>, answer: &Answer) -> Result<Xml, CallError> {
    let text = String::from_utf8_lossy(&answer.body);
    let parsed = Xml::parse(&text);
    if answer.status.is_success() {
        return parsed.map_err(|error| CallError {
            maybe_done: true,
            ..request.failure(BAD_ANSWER, format!("the answer is not XML: {error}"))
        });
    }
    let told = parsed.unwrap_or_default();
    let error = told.find("Error");
    let text = |name: &str| error.map(|error| error.text_of(name)).filter(|text| !text.is_empty());
    let code = text("Code").map_or_else(|| format!("HTTP {}", answer.status.as_u16()), String::from);
    let message = text("Message").map_or_else(|| answer.unread(), String::from);
    Err(CallError { maybe_done: answer.status.is_server_error(), ..request.failure(&code, message) })
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

    #[test]
    fn forms_are_encoded_as_the_signature_expects() {
        assert_eq!(encoded("arn:aws:iam::1:role/a b+c~é"), "arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b%2Bc~%C3%A9");
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

    fn refused(status: u16, body: &str) -> CallError {
        let request = Request {
            service: "IAM",
            operation: "GetRole",
            paced: None,
            endpoint: String::new(),
            scope: ("iam", "us-east-1"),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let status = http::StatusCode::from_u16(status).unwrap();
        read(&request, &Answer { status, named: None, body: bytes::Bytes::copy_from_slice(body.as_bytes()) })
            .unwrap_err()
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
