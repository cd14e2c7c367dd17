//! Lambda: functions that run the program as AWS runs it. A sandbox is a process that asks its Runtime API for events; it is
//! kept for the next one, has one at a time, and is frozen in between.

mod runtime;
mod sandbox;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::Response;
use hyper::body::Bytes;
use serde_json::{Value, json};

pub use runtime::is_runtime;
pub use sandbox::{End, Sandbox};

use super::forward::Body;
use super::server::Shared;
use super::{Twin, replies};

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What `_HANDLER` says.
    pub handler: String,
    /// After how long Lambda ends it.
    pub timeout: Duration,
    /// Its memory, in MB.
    pub memory: u32,
    /// The program.
    pub bootstrap: PathBuf,
    /// What was deployed beside the program.
    pub folder: PathBuf,
    /// Variables of its own.
    pub environment: Vec<(String, String)>,
}

/// All functions, and what they have done.
#[derive(Debug, Default)]
pub struct Functions {
    known: Mutex<BTreeMap<String, Arc<Deployed>>>,
    said: Arc<Mutex<Vec<String>>>,
    ids: AtomicU64,
}

#[derive(Debug)]
struct Deployed {
    function: Function,
    /// Sandboxes that wait for an event.
    idle: Mutex<Vec<Arc<Sandbox>>>,
}

/// How an invocation went: what the handler returned, or `errorType` and `errorMessage`.
pub type Answer = Result<Bytes, Bytes>;

impl Functions {
    fn find(&self, name: &str) -> Option<Arc<Deployed>> {
        // The ARN of a function ends in its name.
        self.known.lock().unwrap().get(name.rsplit(':').next()?).cloned()
    }

    fn say(&self, line: String) {
        self.said.lock().unwrap().push(line);
    }

    fn id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.ids.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Shared {
    /// Answers a call of a function. `waits`: whether its client wants to know how it went.
    pub async fn invoke(self: &Arc<Self>, name: &str, event: Bytes, waits: bool) -> Response<Body> {
        let Some(deployed) = self.functions.find(name) else {
            let missing =
                json!({ "__type": "ResourceNotFoundException", "message": format!("Function not found: {name}") });
            return replies::lambda(404, &missing);
        };
        if !waits {
            let shared = self.clone();
            tokio::spawn(async move { shared.answer(&deployed, event).await });
            return replies::bytes(202, "application/json", "");
        }
        let answer = self.answer(&deployed, event).await;
        let failed = answer.is_err();
        let mut answer = replies::bytes(200, "application/json", answer.unwrap_or_else(|error| error));
        answer.headers_mut().insert("x-amz-executed-version", "$LATEST".parse().unwrap());
        if failed {
            answer.headers_mut().insert("x-amz-function-error", "Unhandled".parse().unwrap());
        }
        answer
    }

    async fn answer(self: &Arc<Self>, deployed: &Deployed, event: Bytes) -> Answer {
        let (function, id) = (&deployed.function, self.functions.id());
        self.functions.say(format!("{} <- {}", function.handler, String::from_utf8_lossy(&event)));
        let idle = deployed.idle.lock().unwrap().pop();
        let sandbox = match idle {
            Some(sandbox) => sandbox,
            None => Sandbox::start(self, function, self.functions.said.clone()).await,
        };
        let began = Instant::now();
        let answer = sandbox.invoke(&id, event, function.timeout).await;
        if !sandbox.has_ended() {
            deployed.idle.lock().unwrap().push(sandbox);
        }
        let (sign, body) = match &answer {
            Ok(body) => ("->", body),
            Err(body) => ("-> ERROR", body),
        };
        let took = began.elapsed().as_secs_f64();
        self.functions.say(format!("{} {sign} {} ({took:.2} s)", function.handler, String::from_utf8_lossy(body)));
        answer
    }
}

impl Twin {
    /// Makes a function, or replaces the one of that name.
    pub fn function(&self, function: Function) {
        let deployed = Deployed { function, idle: Mutex::default() };
        self.shared.functions.known.lock().unwrap().insert(deployed.function.name.clone(), Arc::new(deployed));
    }

    /// Shuts down all sandboxes that wait for an event.
    pub fn shut_down_functions(&self) {
        let known: Vec<Arc<Deployed>> = self.shared.functions.known.lock().unwrap().values().cloned().collect();
        for sandbox in known.iter().flat_map(|deployed| std::mem::take(&mut *deployed.idle.lock().unwrap())) {
            self.wait(|_| async move { sandbox.shut_down().await });
        }
    }

    /// Calls a function, and returns what it returned, or its error. Not counted as a call.
    pub fn invoke(&self, name: &str, event: &Value) -> Result<Value, Value> {
        let (deployed, event) =
            (self.shared.functions.find(name).expect("a function that is there"), event.to_string());
        let answer = self.wait(|shared| async move { shared.answer(&deployed, event.into()).await });
        let parse = |body: Bytes| serde_json::from_slice(&body).unwrap_or(Value::Null);
        answer.map(parse).map_err(parse)
    }

    /// Returns all events, answers and lines of all functions, in order: what to show when a test fails.
    pub fn functions_said(&self) -> String {
        self.shared.functions.said.lock().unwrap().join("\n")
    }
}
