//! The server: takes a request, notes it, has it answered, sends the answer.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::answer::{Answer, Payload};
use super::limits::Limits;
use super::log::{Asked, Log};
use super::{Fault, FaultKind, Options, World};
use crate::wire::{Closed, Half};

type Body = BoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Changes the world before a request with this number is looked at.
pub type Hook = Box<dyn FnMut(&mut World, u64) + Send>;

/// What all requests share.
pub struct Shared {
    pub address: SocketAddr,
    pub options: Options,
    pub faults: Mutex<Vec<Fault>>,
    pub hook: Mutex<Option<Hook>>,
    pub limits: Mutex<Limits>,
    pub log: Log,
    world: Mutex<World>,
    /// How much real time, in milliseconds, the world's clock has been told of.
    told: Mutex<i64>,
}

pub fn start(runtime: &tokio::runtime::Runtime, options: Options, world: World) -> Arc<Shared> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", options.port)).expect("the double's port is taken");
    listener.set_nonblocking(true).unwrap();
    let shared = Arc::new(Shared {
        address: listener.local_addr().unwrap(),
        options,
        faults: Mutex::default(),
        hook: Mutex::default(),
        limits: Mutex::default(),
        log: Log::new(),
        world: Mutex::new(world),
        told: Mutex::default(),
    });
    runtime.spawn(accept(shared.clone(), listener));
    shared
}

async fn accept(shared: Arc<Shared>, listener: std::net::TcpListener) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        drop(stream.set_nodelay(true));
        let shared = shared.clone();
        let service = service_fn(move |request| handle(shared.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (parts, _) = request.into_parts();
    let (age, mut asked) = shared.log.arrived(&parts);
    let (fault, answer) = tokio::task::block_in_place(|| shared.answer(&parts.method, &mut asked));
    asked.status = answer.as_ref().map_or(0, |answer| answer.status);
    shared.log.ended(age, &asked);
    shared.say(&asked, fault.as_ref());
    if let Some(FaultKind::Slow(time)) = fault {
        tokio::time::sleep(time).await;
    }
    answer.map(response)
}

fn response(answer: Answer) -> Response<Body> {
    let mut response = Response::builder().status(answer.status).header(CONTENT_TYPE, answer.kind);
    if let Some(encoding) = answer.encoding {
        response = response.header(CONTENT_ENCODING, encoding);
    }
    if let Some(location) = answer.location {
        response = response.header(LOCATION, location);
    }
    let body = match answer.body {
        Payload::Whole(bytes) => Full::new(bytes.into()).map_err(|never| match never {}).boxed(),
        Payload::Broken(bytes) => {
            let whole = Bytes::from(bytes);
            response = response.header(CONTENT_LENGTH, whole.len());
            Half::Whole(whole.slice(..whole.len() / 2)).boxed()
        }
        Payload::Endless(left) => Endless { left }.boxed(),
    };
    response.body(body).unwrap()
}

/// A body that never says it has ended.
struct Endless {
    left: usize,
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let size = self.left.min(1 << 16);
        if size == 0 {
            // Nobody will wake it: the connection ends when the client closes it.
            return Poll::Pending;
        }
        self.left -= size;
        Poll::Ready(Some(Ok(Frame::data(vec![b' '; size].into()))))
    }
}

impl Shared {
    /// Returns the world, for as long as nobody waits for anything.
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A test that failed while it held the lock has said why; others go on.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the world's clock on if it goes by itself; returns its time in milliseconds.
    pub fn tell_time(&self, world: &mut World) -> i64 {
        if !self.options.real_time {
            return world.now * 1000;
        }
        let mut told = self.told.lock().unwrap();
        let age = self.log.age().as_millis() as i64;
        world.now += age / 1000 - *told / 1000;
        *told = age;
        world.now * 1000 + age % 1000
    }

    fn say(&self, asked: &Asked, fault: Option<&FaultKind>) {
        if self.options.verbose {
            use std::io::Write;
            let fault = fault.map_or_else(String::new, |fault| format!("  {fault:?}"));
            let params: Vec<_> = asked.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let (at, params) = (asked.since.as_secs_f64(), params.join("&"));
            let line = format!("{at:9.3} {} {params} {} {} items{fault}", asked.path, asked.status, asked.items);
            drop(writeln!(std::io::stderr(), "{line}"));
        }
    }
}
