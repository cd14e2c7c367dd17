//! The server: takes a call, notes it, lets it meet its fault, answers it or passes it on.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{DATE, HeaderMap};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::emr::Emr;
use super::forward::{Body, Forward};
use super::lambda::{End, Functions, Sandbox, is_runtime};
use super::moto::PERSON;
use super::sessions::Sessions;
use super::spoil::spoil;
use super::witness::{Hook, Witness};
use super::{Act, Call, Fault, FaultKind, Moment, Options, faults, recognise};
use crate::wire::Closed;

/// The access key of what runs on clusters.
pub const NODES: &str = "nodes";

/// How often steps that run for real are looked at when nobody asks.
const TICK: Duration = Duration::from_millis(20);

/// What all calls share.
pub struct Shared {
    pub address: SocketAddr,
    pub forward: Forward,
    /// The way of what runs on clusters, which comes by here.
    pub nodes: Forward,
    pub faults: Mutex<Vec<Fault>>,
    pub hook: Mutex<Option<Hook>>,
    pub witness: Witness,
    /// What was asked for in the name of the nodes of clusters, and meets no fault.
    pub on_nodes: Witness,
    pub options: Options,
    emr: Mutex<Emr>,
    /// One call to EMR at a time: what a state means for the world outside is done before the next call can see it.
    pub turn: tokio::sync::Mutex<()>,
    /// Ends a step that runs for real.
    pub stops: Mutex<HashMap<String, oneshot::Sender<()>>>,
    pub functions: Functions,
    pub sessions: Mutex<Sessions>,
    /// How many seconds the time that answers tell is ahead.
    pub ahead: AtomicI64,
}

/// `port`: of the server that answers what is not answered here.
pub async fn start(options: Options, listener: TcpListener, port: u16) -> Arc<Shared> {
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Shared {
        address,
        forward: Forward::new(port, PERSON),
        nodes: Forward::new(address.port(), NODES),
        faults: Mutex::default(),
        hook: Mutex::default(),
        witness: Witness::new(),
        on_nodes: Witness::new(),
        emr: Mutex::new(Emr::new(&options)),
        turn: tokio::sync::Mutex::default(),
        stops: Mutex::default(),
        functions: Functions::default(),
        sessions: Mutex::default(),
        ahead: AtomicI64::new(0),
        options,
    });
    serve(shared.clone(), listener, None);
    tokio::spawn(tick(shared.clone()));
    shared
}

/// Serves what comes to an address, which `sandbox` has alone when there is one.
pub fn serve(shared: Arc<Shared>, listener: TcpListener, sandbox: Option<Arc<Sandbox>>) -> JoinHandle<()> {
    tokio::spawn(accept(shared, listener, sandbox))
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, sandbox: Option<Arc<Sandbox>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        drop(stream.set_nodelay(true));
        let (shared, sandbox) = (shared.clone(), sandbox.clone());
        let service = service_fn(move |request| {
            // A task of its own: a call that has arrived is executed even when its client is gone by then.
            let call = tokio::spawn(handle(shared.clone(), sandbox.clone(), request));
            async move { call.await.unwrap_or(Err(Closed)) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn tick(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let _turn = shared.turn.lock().await;
        shared.emr().advance();
        shared.follow_up().await;
    }
}

async fn handle(
    shared: Arc<Shared>,
    sandbox: Option<Arc<Sandbox>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Closed> {
    if let Some(sandbox) = sandbox.as_ref().filter(|_| is_runtime(request.uri().path())) {
        return sandbox.runtime(request).await;
    }
    let (parts, body) = request.into_parts();
    let (call, json, body) = receive(&parts, body).await?;
    if call.caller == NODES {
        let (age, mut call) = shared.on_nodes.arrived(call);
        let answer = shared.forward.pass(parts, body).await;
        call.status = answer.status().as_u16();
        shared.on_nodes.ended(age, &call);
        return Ok(answer);
    }
    let (age, mut call) = shared.witness.arrived(call);
    shared.ask_hook(&call, Moment::Before, sandbox.as_deref()).await?;
    call.fault = faults::met(&mut shared.faults.lock().unwrap(), &call);
    let executes = match &call.fault {
        None | Some(FaultKind::DropAfter | FaultKind::AnswerAfter(..) | FaultKind::Delay(_) | FaultKind::Truncate) => {
            true
        }
        Some(FaultKind::Internal { done }) => *done,
        Some(_) => false,
    };
    match call.fault {
        Some(FaultKind::Delay(time)) => tokio::time::sleep(time).await,
        Some(FaultKind::Late(time)) => shared.emr().later(time, &call.operation, &json),
        Some(FaultKind::Overtaken(moment)) => shared.emr().overtaken(moment, &call.operation, &json),
        _ => {}
    }
    let mut answer = Err(Closed);
    if executes {
        let executed = match (call.service.as_str(), call.operation.as_str()) {
            ("emr", operation) => shared.emr_call(operation, &json).await,
            ("ssm", "StartSession" | "ResumeSession" | "TerminateSession") => shared.ssm_call(&call.operation, &json),
            ("lambda", "Invoke") if !shared.options.deployable => {
                let waits = parts.headers.get("x-amz-invocation-type").is_none_or(|kind| kind != "Event");
                let event = body.collect().await.map_err(|_| Closed)?.to_bytes();
                shared.invoke(&call.detail, event, waits).await
            }
            _ => shared.forward.pass(parts, body).await,
        };
        call.status = executed.status().as_u16();
        if let Err(closed) = shared.ask_hook(&call, Moment::After, sandbox.as_deref()).await {
            call.status = 0;
            shared.witness.ended(age, &call);
            return Err(closed);
        }
        answer = Ok(executed);
    } else if !matches!(call.fault, Some(FaultKind::DropBefore | FaultKind::Late(_) | FaultKind::Overtaken(_))) {
        // A client that is still sending would miss the answer.
        drop(body.collect().await);
    }
    let mut answer = spoil(&call, answer).await;
    if let Ok(answer) = &mut answer {
        shared.date(answer.headers_mut());
    }
    call.status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
    shared.witness.ended(age, &call);
    shared.say(&call);
    answer
}

/// Returns the call, its JSON, and its body: whole when the service's requests are small, else still streaming.
async fn receive(parts: &Parts, body: Incoming) -> Result<(Call, Value, Body), Closed> {
    let head = recognise::head(parts);
    let mut call = Call {
        number: 0,
        at: Duration::ZERO,
        service: head.service,
        operation: head.operation,
        detail: head.detail,
        caller: recognise::caller(parts),
        status: 0,
        fault: None,
        body: None,
    };
    if call.service == "s3" && call.operation != "DeleteObjects" {
        return Ok((call, Value::Null, body.map_err(Into::into).boxed()));
    }
    let bytes = body.collect().await.map_err(|_| Closed)?.to_bytes();
    if call.service == "s3" {
        let key = recognise::first_key(&bytes);
        call.detail = format!("{}/{key}", call.detail.trim_end_matches('/')).trim_end_matches('/').to_string();
        return Ok((call, Value::Null, whole(bytes)));
    }
    if call.operation.is_empty() {
        call.operation = recognise::form(&bytes);
    }
    call.body = serde_json::from_slice(&bytes).ok();
    let json = call.body.clone().unwrap_or(Value::Null);
    if call.service == "emr" {
        call.detail = recognise::cluster(&json);
    }
    Ok((call, json, whole(bytes)))
}

fn whole(bytes: Bytes) -> Body {
    http_body_util::Full::new(bytes).map_err(|never| match never {}).boxed()
}

impl Shared {
    /// Returns EMR, for as long as nobody waits for anything.
    pub fn emr(&self) -> MutexGuard<'_, Emr> {
        // A test that failed while it held the lock has said why; others go on.
        self.emr.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Asks the test what becomes of a call.
    async fn ask_hook(&self, call: &Call, moment: Moment, sandbox: Option<&Sandbox>) -> Result<(), Closed> {
        let hook = self.hook.lock().unwrap().clone();
        let act = hook.map_or(Act::Go, |hook| tokio::task::block_in_place(|| hook(call, moment)));
        match (act, sandbox) {
            (Act::Go, _) => return Ok(()),
            // Before the connection closes: it would try again.
            (Act::Kill, Some(sandbox)) => sandbox.end(End::Killed).await,
            (Act::TimeOut, Some(sandbox)) => sandbox.end(End::TimedOut).await,
            _ => {}
        }
        Err(Closed)
    }

    /// Sets the date of an answer, which is the time by AWS's clock, if that is another one than ours.
    fn date(&self, headers: &mut HeaderMap) {
        let ahead = self.ahead.load(Ordering::Relaxed);
        if ahead != 0 {
            let now = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
            headers.insert(DATE, now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string().parse().unwrap());
        }
    }

    fn say(&self, call: &Call) {
        if self.options.verbose {
            use std::io::Write;
            let fault = call.fault.as_ref().map_or_else(String::new, |fault| format!("  {fault:?}"));
            let what = format!("{}.{}", call.service, call.operation);
            let line = format!("{:9.3} {what:<28} {:<60} {}{fault}", call.at.as_secs_f64(), call.detail, call.status);
            drop(writeln!(std::io::stderr(), "{line}"));
        }
    }
}
