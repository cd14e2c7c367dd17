//! An EMR that moves, in front of moto: one endpoint for a whole test of the program against AWS.
//!
//! EMR is answered here, with clusters and steps that change by themselves, and Lambda, whose functions run the program; every
//! other service is passed on to a `moto_server`, or to a ministack, which deploys stacks and has functions of its own. All calls are counted, and each can be made to fail in the ways AWS fails.
//!
//! ```text
//! let twin = Twin::start();
//! twin.step_fate("sentiment", StepFate::Hangs);
//! twin.fault(Fault::new("emr", "AddJobFlowSteps", FaultKind::DropAfter));
//! command.envs(twin.environment());
//! ```
//!
//! State machines are executed by moto, for all twins: their functions are called `soflow-PORT-HANDLER`, by the port of the
//! twin that has them.
//!
//! Every twin of a process has EMR clusters of its own and shares one moto with the others: name buckets and databases
//! after the test.

mod clock;
mod control;
mod effects;
mod emr;
mod exec;
mod faults;
mod forward;
pub mod lambda;
mod logs;
pub mod ministack;
pub mod moto;
mod recognise;
mod replies;
mod server;
mod sessions;
mod spoil;
mod submission;
pub mod tools;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use emr::fates::{Failure, Fate, Loss, StepFate};
pub use faults::{Fault, FaultKind};
use ministack::Ministack;
pub use moto::{Moto, REGION};
pub use witness::{Act, Call, Moment};

/// How a twin behaves; `Options::default()` is what tests want.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How long a cluster or a step stays in each state it passes through.
    pub pace: Duration,
    /// How long one second of an auto-termination policy's `IdleTimeout` lasts.
    pub idle_second: Duration,
    /// How many ListSteps and DescribeStep calls after a step's end its logs appear in S3.
    pub logs_after: u32,
    /// Runs `spark-submit` steps for real.
    pub exec: Option<Exec>,
    /// Has a ministack of its own behind it instead of moto: a stack can be deployed, and its functions find the twin.
    pub deployable: bool,
    /// Writes one line a call to standard error.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            pace: Duration::from_millis(20),
            idle_second: Duration::from_secs(1),
            logs_after: 0,
            exec: None,
            deployable: false,
            verbose: false,
        }
    }
}

/// The local engine, which steps are run on. The launcher may be any script that takes the command line of
/// `engine/launch.py step`.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The interpreter of an engine environment.
    pub python: PathBuf,
    /// Its options.
    pub options: &'static [&'static str],
    /// The launcher script.
    pub launcher: PathBuf,
}

impl Exec {
    /// Returns the newest finished environment of the embedded engine with the launcher of this checkout, or nothing
    /// when none has been made.
    pub fn find() -> Option<Self> {
        exec::find()
    }
}

/// A running twin. Ends, with the steps it runs, when dropped.
pub struct Twin {
    runtime: Option<tokio::runtime::Runtime>,
    shared: Arc<server::Shared>,
    ministack: Option<Ministack>,
}

impl Twin {
    /// Starts a twin with the default options.
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// Starts a twin.
    ///
    /// # Panics
    /// When moto or ministack cannot be installed or started, or the port is taken.
    pub fn with(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", options.port)));
        let listener = listener.expect("the twin's port is taken");
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ministack = options.deployable.then(|| Ministack::behind(&url));
        let port = ministack.as_ref().map_or_else(|| Moto::shared().port, |ministack| ministack.port);
        let shared = runtime.block_on(server::start(options, listener, port));
        Self { runtime: Some(runtime), shared, ministack }
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
