//! The way to moto: calls passed on with their bodies streaming, and the twin's own calls.

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, EXPECT, HeaderName, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::REGION;

/// A body on its way, in either direction.
pub type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Concern only the connection they came on.
const HOP: [HeaderName; 3] = [CONNECTION, TRANSFER_ENCODING, EXPECT];

/// A client of moto.
#[derive(Clone, Debug)]
pub struct Forward {
    client: Client<HttpConnector, Body>,
    port: u16,
    /// The access key of the twin's own calls.
    key: &'static str,
}

impl Forward {
    pub fn new(port: u16, key: &'static str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // moto closes each connection after its answer.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client, port, key }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Passes a call on. The answer's body streams.
    pub async fn pass(&self, parts: Parts, body: Body) -> Response<Body> {
        let mut request = Request::from_parts(parts, body);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_string();
        *request.uri_mut() = self.uri(&path);
        for hop in HOP {
            request.headers_mut().remove(hop);
        }
        match self.client.request(request).await {
            Ok(answer) => {
                let mut answer = answer.map(|body| body.map_err(Into::into).boxed());
                for hop in HOP {
                    answer.headers_mut().remove(hop);
                }
                answer
            }
            Err(error) => super::replies::bytes(502, "text/plain", format!("moto does not answer: {error}")),
        }
    }

    /// Sends an S3 call of the twin's own, such as `PUT /bucket/key`; returns status and body.
    pub async fn s3(&self, method: &str, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        self.rest("s3", method, path, body).await
    }

    /// Sends a call of the twin's own to a service whose operations are paths; returns status and body.
    pub async fn rest(&self, service: &str, method: &str, path: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let request = self.request(service, method, path).header("content-type", "application/octet-stream");
        self.send(request, body).await
    }

    /// Sends a call of the twin's own to a JSON service; returns status and body.
    pub async fn json(&self, service: &str, target: &str, body: String) -> (u16, Vec<u8>) {
        let request = self.request(service, "POST", "/").header("x-amz-target", target);
        self.send(request.header("content-type", "application/x-amz-json-1.1"), body.into_bytes()).await
    }

    /// Sends a call of the twin's own to a service that takes forms; returns status and body.
    pub async fn form(&self, service: &str, body: String) -> (u16, Vec<u8>) {
        let request = self.request(service, "POST", "/").header("content-type", "application/x-www-form-urlencoded");
        self.send(request, body.into_bytes()).await
    }

    /// moto does not check signatures, but reads the service from them.
    fn request(&self, service: &str, method: &str, path: &str) -> hyper::http::request::Builder {
        let scope = format!("Credential={}/20260101/{REGION}/{service}/aws4_request", self.key);
        let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        Request::builder().method(method).uri(self.uri(path)).header("authorization", signed)
    }

    async fn send(&self, request: hyper::http::request::Builder, body: Vec<u8>) -> (u16, Vec<u8>) {
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
        let answer = self.client.request(request.body(body).unwrap()).await.expect("moto does not answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("moto's answer is cut").to_bytes();
        (status, body.to_vec())
    }

    fn uri(&self, path: &str) -> Uri {
        format!("{}{path}", self.url()).parse().expect("a path that can be in a URI")
    }
}

/// Returns the path of `s3://bucket/key` in path style.
pub fn path_of(uri: &str) -> String {
    let place = uri.split_once("://").map_or(uri, |(_, place)| place);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    format!("/{}", place.bytes().map(encode).collect::<String>())
}
