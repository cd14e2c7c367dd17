//! A process that serves invocations, and all that it sees of the world: one endpoint, which is its Runtime API and its AWS.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use hyper::body::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Answer, Function};
use crate::twin::moto::{self, ACCOUNT, REGION};
use crate::twin::server::{self, Shared};

/// Why a sandbox was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its machine is gone.
    Killed,
    /// It took longer than it may.
    TimedOut,
}

/// An event on its way to the handler.
#[derive(Debug)]
pub struct Event {
    pub id: String,
    pub deadline: SystemTime,
    pub function_arn: String,
    pub body: Bytes,
}

/// A sandbox.
#[derive(Debug)]
pub struct Sandbox {
    pub(super) inbox: tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>,
    /// Hears how the event that the handler has goes.
    pub(super) pending: Mutex<Option<oneshot::Sender<Answer>>>,
    events: mpsc::UnboundedSender<Event>,
    function_arn: String,
    process: Pid,
    why: Mutex<Option<End>>,
    end: mpsc::UnboundedSender<()>,
    /// How the process ended.
    ended: watch::Receiver<Option<String>>,
    /// Its home.
    _home: TempDir,
}

impl Sandbox {
    /// Starts the program for a function.
    pub async fn start(shared: &Arc<Shared>, function: &Function, said: Arc<Mutex<Vec<String>>>) -> Arc<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(&function.bootstrap);
        command.env_clear().envs(moto::environment_of(&function.handler, &format!("http://{address}")));
        command
            .env("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLETOKEN")
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string());
        command.env("AWS_LAMBDA_FUNCTION_NAME", &function.name).env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string());
        command.env("_HANDLER", &function.handler).env("LAMBDA_TASK_ROOT", &function.folder);
        command.env("HOME", home.path()).env("TMPDIR", home.path()).env("PATH", "").env("TZ", ":UTC");
        command.envs(function.environment.iter().cloned()).current_dir(&function.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Were the tests killed while it is frozen, the system wakes and ends it: a stopped group that nobody watches.
        command.process_group(0);
        let mut child = command.spawn().expect("the program starts");
        for stream in [keep(child.stdout.take()), keep(child.stderr.take())].into_iter().flatten() {
            tokio::spawn(listen(stream, function.handler.clone(), said.clone()));
        }
        let process =
            child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).expect("a process with a number");
        let (events, inbox) = mpsc::unbounded_channel();
        let (end, mut stopped) = mpsc::unbounded_channel::<()>();
        let (tell, ended) = watch::channel(None);
        let sandbox = Arc::new(Self {
            inbox: tokio::sync::Mutex::new(inbox),
            pending: Mutex::default(),
            events,
            function_arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", function.name),
            process,
            why: Mutex::default(),
            end,
            ended,
            _home: home,
        });
        let serving = server::serve(shared.clone(), listener, Some(sandbox.clone()));
        tokio::spawn(async move {
            let status = tokio::select! {
                status = child.wait() => status,
                _ = stopped.recv() => {
                    drop(child.start_kill());
                    child.wait().await
                }
            };
            serving.abort();
            tell.send_replace(Some(status.map_or_else(|error| error.to_string(), |status| status.to_string())));
        });
        sandbox
    }

    /// Hands an event to the handler, and returns how that went.
    pub async fn invoke(&self, id: &str, body: Bytes, timeout: Duration) -> Answer {
        let (tell, told) = oneshot::channel();
        *self.pending.lock().unwrap() = Some(tell);
        let function_arn = self.function_arn.clone();
        let event = Event { id: id.into(), deadline: SystemTime::now() + timeout, function_arn, body };
        // Nobody takes it when the process has ended, which is seen below.
        drop(self.events.send(event));
        let mut ended = self.ended.clone();
        let how = tokio::select! {
            Ok(answer) = told => return answer,
            how = gone(&mut ended) => how,
            () = tokio::time::sleep(timeout) => {
                self.end(End::TimedOut).await;
                String::new()
            }
        };
        let (kind, text) = match *self.why.lock().unwrap() {
            Some(End::TimedOut) => {
                ("Sandbox.Timedout", format!("Task timed out after {:.2} seconds", timeout.as_secs_f64()))
            }
            _ => ("Runtime.ExitError", format!("Runtime exited with error: {how}")),
        };
        let error = json!({ "errorType": kind, "errorMessage": format!("RequestId: {id} Error: {text}") });
        Err(error.to_string().into())
    }

    /// Ends the process; returns when it is gone.
    pub async fn end(&self, why: End) {
        self.why.lock().unwrap().get_or_insert(why);
        let _ = self.end.send(());
        gone(&mut self.ended.clone()).await;
    }

    /// Wakes the process and tells it to end, as Lambda does with a sandbox that it needs no more; returns when it is gone.
    pub async fn shut_down(&self) {
        self.signal(Signal::TERM);
        self.thaw();
        gone(&mut self.ended.clone()).await;
    }

    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Nothing goes on in a function between its invocations.
    pub(super) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if !self.has_ended() {
            let _ = kill_process(self.process, signal);
        }
    }
}

async fn gone(ended: &mut watch::Receiver<Option<String>>) -> String {
    let how = ended.wait_for(Option::is_some).await;
    how.ok().and_then(|how| how.clone()).unwrap_or_default()
}

fn keep<S: AsyncRead + Send + Unpin + 'static>(stream: Option<S>) -> Option<Box<dyn AsyncRead + Send + Unpin>> {
    stream.map(|stream| Box::new(stream) as _)
}

async fn listen(stream: Box<dyn AsyncRead + Send + Unpin>, handler: String, said: Arc<Mutex<Vec<String>>>) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        said.lock().unwrap().push(format!("{handler}: {line}"));
    }
}
