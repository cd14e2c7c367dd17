//! What a test says to a double and asks it.

use std::sync::MutexGuard;

use super::methods::BASE;
use super::{Asked, Double, Fault, Options, World, server};

impl Double {
    /// Starts a double with the default options.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn new(world: World) -> Self {
        Self::with(Options::default(), world)
    }

    /// Starts a double.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn with(options: Options, world: World) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shared = server::start(&runtime, options, world);
        Self { runtime: Some(runtime), shared }
    }

    /// Returns the base of all methods' addresses: `http://127.0.0.1:PORT/2.3`.
    pub fn url(&self) -> String {
        format!("http://{}{BASE}", self.shared.address)
    }

    /// Returns the world, for as long as the double need not answer.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Returns the requests since the start or the last `forget`, in the order they arrived.
    pub fn requests(&self) -> Vec<Asked> {
        self.shared.log.requests()
    }

    /// Forgets the requests so far; numbers begin at 1 again.
    pub fn forget(&self) {
        self.shared.log.forget();
    }

    /// Makes requests fail. Faults do not add up: the oldest that matches a request is the one it meets.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push(fault);
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// Calls `hook` with each request's number before the request is looked at: items arrive, change and vanish while
    /// somebody pages. Replaces the hook before. The hook gets the world and must not ask the double for it.
    pub fn before(&self, hook: impl FnMut(&mut World, u64) + Send + 'static) {
        *self.shared.hook.lock().unwrap() = Some(Box::new(hook));
    }

    /// Sets how many requests are left today, for everybody.
    pub fn quota(&self, remaining: i64) {
        self.shared.limits.lock().unwrap().set_quota(remaining);
    }
}
