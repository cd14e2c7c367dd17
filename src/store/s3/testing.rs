//! A bucket for tests: S3 as far as the store uses it, over a real connection; it counts, and fails when told to.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use md5::{Digest as _, Md5};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use super::S3Store;
use crate::aws::{RetryPolicy, Session};
use crate::names::Uri;
use crate::store::{Object, Store};

/// The name of the bucket.
pub(crate) const BUCKET: &str = "lake";

/// A bucket, served by the runtime that has made it for as long as that runs.
pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn Store>,
    shared: Arc<Shared>,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It is refused, with a status and a code.
    Refused(u16, &'static str),
    /// It is done, and the connection closes before the answer.
    Unanswered,
    /// The connection closes in the middle of the answer's body.
    Cut,
    /// No answer comes, ever.
    Silent,
    /// The answer begins, and no more of it comes.
    Stalled,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The tags of objects that were uploaded in parts: made of those of the parts.
    tags: Mutex<BTreeMap<String, String>>,
    /// Parts of uploads that are open, by their ids.
    uploads: Mutex<BTreeMap<String, BTreeMap<u32, Vec<u8>>>>,
    requests: Mutex<Vec<String>>,
    reads: Mutex<Vec<(String, Range<u64>)>>,
    /// What goes wrong with the next requests that begin in that way.
    faults: Mutex<VecDeque<(&'static str, usize, Fault)>>,
    /// Holds back answers until so many are due.
    gate: Mutex<Option<Arc<Barrier>>>,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        Self::with(RetryPolicy::hasty()).await
    }

    /// Returns a bucket that is asked with the patience of `policy`.
    pub(crate) async fn with(policy: RetryPolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(serving.clone(), connection));
            }
        });
        let keys = Credentials::new("id", "secret", None, None, "test");
        let session = Session::for_tests(&endpoint, keys, policy);
        Self { store: Arc::new(S3Store::new(&session)), shared }
    }

    /// Writes an object and returns it as a listing shows it.
    pub(crate) fn put(&self, key: &str, body: Vec<u8>) -> Object {
        let modified = jiff::Timestamp::UNIX_EPOCH;
        let (uri, etag) = (Uri::in_bucket(BUCKET, key), etag(&body));
        let object = Object { uri, bytes: body.len() as u64, etag, modified };
        self.shared.objects.lock().unwrap().insert(key.into(), body);
        object
    }

    /// Returns the content of an object.
    pub(crate) fn content(&self, key: &str) -> Option<Vec<u8>> {
        self.shared.objects.lock().unwrap().get(key).cloned()
    }

    pub(crate) fn remove(&self, object: &Object) {
        self.shared.objects.lock().unwrap().remove(object.uri.bucket_and_key().unwrap().1).unwrap();
    }

    /// Lets the next `times` requests that begin with `method` and a part of their address go wrong.
    pub(crate) fn fail(&self, begins: &'static str, times: usize, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back((begins, times, fault));
    }

    /// Breaks off the next answers in their middle.
    pub(crate) fn cut(&self, answers: usize) {
        self.shared.faults.lock().unwrap().clear();
        self.fail("GET", answers, Fault::Cut);
    }

    /// Forgets all uploads that are open.
    pub(crate) fn abort_uploads(&self) {
        self.shared.uploads.lock().unwrap().clear();
    }

    /// From now on answers only when so many requests wait.
    pub(crate) fn answer_together(&self, requests: usize) {
        *self.shared.gate.lock().unwrap() = Some(Arc::new(Barrier::new(requests)));
    }

    /// Returns the keys and ranges asked for since the last call.
    pub(crate) fn reads(&self) -> Vec<(String, Range<u64>)> {
        std::mem::take(&mut *self.shared.reads.lock().unwrap())
    }

    /// Returns the methods and addresses asked for since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", hex(&Md5::digest(body)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn serve(shared: Arc<Shared>, mut connection: TcpStream) -> Option<()> {
    let (read, mut write) = connection.split();
    let mut read = BufReader::new(read);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            read.read_line(&mut line).await.ok().filter(|bytes| *bytes > 0)?;
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_string()),
            }
        }
        let request = Request::of(&head);
        let mut body = vec![0; request.header("content-length").map_or(0, |bytes| bytes.parse().unwrap())];
        read.read_exact(&mut body).await.ok()?;
        let fault = shared.fault(&request.line);
        shared.requests.lock().unwrap().push(request.line.clone());
        let (head, body) = match fault {
            Some(Fault::Refused(status, code)) => refusal(status, code),
            _ => shared.answer(&request, body),
        };
        let gate = shared.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.wait().await;
        }
        match fault {
            Some(Fault::Unanswered) => return None,
            Some(Fault::Silent) => std::future::pending().await,
            _ => {}
        }
        write.write_all(head.as_bytes()).await.ok()?;
        let body = if request.line.starts_with("HEAD") { Vec::new() } else { body };
        if matches!(fault, Some(Fault::Cut | Fault::Stalled)) {
            write.write_all(&body[..body.len() / 2]).await.ok()?;
            if fault == Some(Fault::Stalled) {
                std::future::pending::<()>().await;
            }
            return write.shutdown().await.ok();
        }
        write.write_all(&body).await.ok()?;
    }
}

/// A request as it was sent.
struct Request {
    /// The method and the address.
    line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn of(head: &[String]) -> Self {
        let header = |line: &String| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_string())
        };
        Self { line: head[0].replace(" HTTP/1.1", ""), headers: head[1..].iter().map(header).collect() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let all = self.line.split_once('?')?.1;
        all.split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    fn key(&self) -> String {
        let path = self.line.split([' ', '?']).nth(1).unwrap();
        path.strip_prefix(&format!("/{BUCKET}")).unwrap().trim_start_matches('/').replace("%3D", "=")
    }
}

impl Shared {
    fn fault(&self, line: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let (_, left, fault) = faults.iter_mut().find(|(begins, left, _)| line.starts_with(begins) && *left > 0)?;
        *left -= 1;
        Some(*fault)
    }

    fn answer(&self, request: &Request, body: Vec<u8>) -> (String, Vec<u8>) {
        let (method, key) = (request.line.split(' ').next().unwrap(), request.key());
        match (method, request.parameter("uploadId").map(String::from)) {
            ("GET", _) if request.parameter("list-type").is_some() => self.list(request),
            // Nobody goes on with what another has begun.
            ("GET", _) if request.parameter("uploads").is_some() => {
                xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>")
            }
            ("PUT", Some(id)) => self.put_part(request, &id, body),
            ("POST", Some(id)) => self.complete(&key, &id),
            ("POST", None) if request.parameter("uploads").is_some() => {
                let mut uploads = self.uploads.lock().unwrap();
                let id = format!("upload-{}", uploads.len());
                uploads.insert(id.clone(), BTreeMap::new());
                xml(&format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ))
            }
            ("POST", None) => {
                let text = String::from_utf8(body).unwrap();
                let mut objects = self.objects.lock().unwrap();
                for key in text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap()) {
                    objects.remove(key);
                }
                xml("<DeleteResult></DeleteResult>")
            }
            ("GET" | "HEAD", None) => self.read(request, &key),
            (_, _) => self.change(request, key, (method == "PUT").then_some(body)),
        }
    }

    fn read(&self, request: &Request, key: &str) -> (String, Vec<u8>) {
        let objects = self.objects.lock().unwrap();
        let found = objects.get(key);
        let whole = 0..found.map_or(0, |body| body.len() as u64);
        let range = request.header("range").map_or(whole, |range| {
            let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            first.parse().unwrap()..last.parse::<u64>().unwrap() + 1
        });
        if request.line.starts_with("GET") {
            self.reads.lock().unwrap().push((key.into(), range.clone()));
        }
        let Some(body) = found else { return refusal(404, "NoSuchKey") };
        let tag = self.tags.lock().unwrap().get(key).cloned().unwrap_or_else(|| etag(body));
        if request.header("if-match").is_some_and(|wanted| wanted != tag) {
            return refusal(412, "PreconditionFailed");
        }
        let end = (body.len() as u64).min(range.end);
        let part = body[range.start as usize..end as usize].to_vec();
        let about = format!("Content-Range: bytes {}-{}/{}\r\nETag: {}", range.start, end, body.len(), tag);
        (format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n{about}\r\n\r\n", part.len()), part)
    }

    /// Writes or removes an object, under the conditions of the request.
    fn change(&self, request: &Request, key: String, body: Option<Vec<u8>>) -> (String, Vec<u8>) {
        let mut objects = self.objects.lock().unwrap();
        let there = objects.get(&key).map(|body| etag(body));
        if request.header("if-none-match").is_some() && there.is_some() {
            return refusal(412, "PreconditionFailed");
        }
        match (request.header("if-match"), there.as_deref()) {
            (Some(_), None) => return refusal(404, "NoSuchKey"),
            (Some(tag), Some(there)) if tag != there => return refusal(412, "PreconditionFailed"),
            _ => {}
        }
        let tag = body.as_deref().map(etag).unwrap_or_default();
        match body {
            Some(body) => objects.insert(key, body),
            None => objects.remove(&key),
        };
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: {tag}\r\n\r\n"), Vec::new())
    }

    fn list(&self, request: &Request) -> (String, Vec<u8>) {
        let prefix = request.parameter("prefix").unwrap_or_default().replace("%2F", "/").replace("%3D", "=");
        let one = |(key, body): (&String, &Vec<u8>)| {
            format!("<Contents><Key>{key}</Key><Size>{}</Size><ETag>{}</ETag></Contents>", body.len(), etag(body))
        };
        let objects = self.objects.lock().unwrap();
        let all: String = objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(one).collect();
        xml(&format!("<ListBucketResult><IsTruncated>false</IsTruncated>{all}</ListBucketResult>"))
    }

    fn put_part(&self, request: &Request, id: &str, body: Vec<u8>) -> (String, Vec<u8>) {
        let mut uploads = self.uploads.lock().unwrap();
        let Some(parts) = uploads.get_mut(id) else { return refusal(404, "NoSuchUpload") };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: {}\r\n\r\n", etag(&body));
        parts.insert(request.parameter("partNumber").unwrap().parse().unwrap(), body);
        (head, Vec::new())
    }

    fn complete(&self, key: &str, id: &str) -> (String, Vec<u8>) {
        let Some(parts) = self.uploads.lock().unwrap().remove(id) else { return refusal(404, "NoSuchUpload") };
        let digests: Vec<u8> = parts.values().flat_map(Md5::digest).collect();
        let tag = format!("\"{}-{}\"", hex(&Md5::digest(digests)), parts.len());
        self.tags.lock().unwrap().insert(key.into(), tag);
        self.objects.lock().unwrap().insert(key.into(), parts.into_values().flatten().collect());
        xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
    }
}

fn xml(body: &str) -> (String, Vec<u8>) {
    (format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()), body.as_bytes().to_vec())
}

fn refusal(status: u16, code: &str) -> (String, Vec<u8>) {
    let body = format!("<Error><Code>{code}</Code><Message>as told</Message></Error>");
    (format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len()), body.into_bytes())
}
