//! A bucket for tests: serves reads by ranges and tags over a real connection, counts them, and fails when told to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use super::S3Store;
use crate::aws::ServerClock;
use crate::names::{Digest, Uri};
use crate::store::{Object, Store};

/// The name of the bucket.
pub(crate) const BUCKET: &str = "lake";

/// A bucket, served by the runtime that has made it for as long as that runs.
pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn Store>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    reads: Mutex<Vec<(String, Range<u64>)>>,
    cuts: AtomicUsize,
    /// Holds back answers until so many are due.
    gate: Mutex<Option<Arc<Barrier>>>,
}

impl Bucket {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(format!("http://{}", listener.local_addr().unwrap()))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .force_path_style(true);
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(serving.clone(), connection));
            }
        });
        let client = aws_sdk_s3::Client::from_conf(config.build());
        Self { store: Arc::new(S3Store { client, clock: ServerClock::default() }), shared }
    }

    /// Writes an object and returns it as a listing shows it.
    pub(crate) fn put(&self, key: &str, body: Vec<u8>) -> Object {
        let modified = jiff::Timestamp::UNIX_EPOCH;
        let (uri, etag) = (Uri::in_bucket(BUCKET, key), etag(&body));
        let object = Object { uri, bytes: body.len() as u64, etag, modified };
        self.shared.objects.lock().unwrap().insert(key.into(), body);
        object
    }

    pub(crate) fn remove(&self, object: &Object) {
        self.shared.objects.lock().unwrap().remove(object.uri.bucket_and_key().unwrap().1).unwrap();
    }

    /// Breaks off the next answers in their middle.
    pub(crate) fn cut(&self, answers: usize) {
        self.shared.cuts.store(answers, Ordering::SeqCst);
    }

    /// From now on answers only when so many requests wait.
    pub(crate) fn answer_together(&self, requests: usize) {
        *self.shared.gate.lock().unwrap() = Some(Arc::new(Barrier::new(requests)));
    }

    /// Returns the keys and ranges asked for since the last call.
    pub(crate) fn reads(&self) -> Vec<(String, Range<u64>)> {
        std::mem::take(&mut *self.shared.reads.lock().unwrap())
    }
}

fn etag(body: &[u8]) -> String {
    format!("\"{}\"", Digest::of([body]).as_str())
}

async fn serve(shared: Arc<Shared>, mut connection: TcpStream) -> Option<()> {
    let (read, mut write) = connection.split();
    let mut lines = BufReader::new(read).lines();
    loop {
        let mut head = Vec::new();
        loop {
            match lines.next_line().await.ok()?? {
                line if line.is_empty() => break,
                line => head.push(line),
            }
        }
        let (head, body) = shared.answer(&head);
        let gate = shared.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.wait().await;
        }
        write.write_all(head.as_bytes()).await.ok()?;
        let cut = shared.cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if cut {
            write.write_all(&body[..body.len() / 2]).await.ok()?;
            return write.shutdown().await.ok();
        }
        write.write_all(&body).await.ok()?;
    }
}

impl Shared {
    fn answer(&self, head: &[String]) -> (String, Vec<u8>) {
        let header = |name: &str| {
            let fits = |line: &&String| line.to_lowercase().starts_with(&format!("{name}:"));
            head.iter().find(fits).map(|line| line[name.len() + 1..].trim().to_string())
        };
        let key = head[0].split([' ', '?']).nth(1).unwrap().strip_prefix(&format!("/{BUCKET}/")).unwrap();
        let key = key.replace("%3D", "=");
        let range = header("range").unwrap();
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let range = first.parse().unwrap()..last.parse::<u64>().unwrap() + 1;
        self.reads.lock().unwrap().push((key.clone(), range.clone()));
        let objects = self.objects.lock().unwrap();
        let Some(body) = objects.get(&key) else { return refusal("404 Not Found", "NoSuchKey") };
        if header("if-match") != Some(etag(body)) {
            return refusal("412 Precondition Failed", "PreconditionFailed");
        }
        let end = (body.len() as u64).min(range.end);
        let part = body[range.start as usize..end as usize].to_vec();
        let about = format!("Content-Range: bytes {}-{}/{}", range.start, end - 1, body.len());
        let head = format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n{about}\r\n\r\n", part.len());
        (head, part)
    }
}

fn refusal(status: &str, code: &str) -> (String, Vec<u8>) {
    let body = format!("<Error><Code>{code}</Code><Message>as told</Message></Error>");
    (format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()), body.into_bytes())
}
