//! What a test says to a twin and asks it.

use std::future::Future;
use std::time::Duration;

use serde_json::Value;

use super::{Act, Call, Fate, Fault, Loss, Moment, StepFate, Twin, forward, moto, server};

impl Twin {
    /// Returns the endpoint, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// Returns the variables that point an AWS client at the twin: endpoint, region, dummy keys.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        moto::environment(&self.url())
    }

    /// Stops all clocks: clusters and steps stay as they are until `release`.
    pub fn hold(&self) {
        self.shared.emr().clock.hold();
    }

    /// Lets clocks go on from where `hold` stopped them.
    pub fn release(&self) {
        self.shared.emr().clock.release();
    }

    /// Moves held clocks on by one pace: whatever is in a passing state enters the next one.
    pub fn tick(&self) {
        let mut emr = self.shared.emr();
        let pace = emr.pace;
        emr.clock.tick(pace);
        emr.advance();
    }

    /// Says what becomes of the next cluster that is asked for, and of the one after it, and so on.
    pub fn next_cluster(&self, fate: Fate) {
        self.shared.emr().fates.push_back(fate);
    }

    /// Says what becomes of each step whose name contains `part`. The newest such word counts.
    pub fn step_fate(&self, part: &str, fate: StepFate) {
        self.shared.emr().step_fates.insert(0, (part.to_string(), fate));
    }

    /// Ends a cluster at once, or right after `polls` more ListSteps calls for it have been answered.
    pub fn lose_cluster(&self, id: &str, loss: Loss, polls: Option<u32>) {
        self.shared.emr().lose(id, loss, polls);
    }

    /// Moves the time forward that AWS's answers tell: what was claimed until then has run out.
    pub fn pass(&self, time: Duration) {
        self.shared.ahead.fetch_add(i64::try_from(time.as_secs()).unwrap(), std::sync::atomic::Ordering::Relaxed);
    }

    /// Moves the clock that the schedules of a stack go by, and starts what is due by then; returns when that is started.
    ///
    /// # Panics
    /// When no stack can be deployed here.
    pub fn clock(&self, time: jiff::Timestamp) {
        self.ministack.as_ref().expect("a twin that is deployable").clock(time);
    }

    /// Makes calls fail. Faults do not add up: the oldest that matches a call is the one it meets.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.lock().unwrap().push(fault);
    }

    /// Takes all faults back.
    pub fn heal(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// Calls `hook` before each call is handled and after it was executed, before the answer is sent. It may kill the
    /// client, and decides whether the twin goes on. Replaces the hook before.
    pub fn kill_hook(&self, hook: impl Fn(&Call, Moment) -> Act + Send + Sync + 'static) {
        *self.shared.hook.lock().unwrap() = Some(std::sync::Arc::new(hook));
    }

    /// Sets how many polls after a step's end its logs appear in S3.
    pub fn logs_after(&self, polls: u32) {
        self.shared.emr().logs_after = polls;
    }

    /// Makes a security configuration, which DescribeSecurityConfiguration answers and RunJobFlow may name.
    pub fn security_configuration(&self, name: &str, configuration: &Value) {
        self.shared.emr().security.insert(name.to_string(), configuration.to_string());
    }

    /// Returns all calls since the start or the last `reset_calls`, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.witness.calls()
    }

    /// Returns the calls of one operation, oldest first.
    pub fn calls_of(&self, service: &str, operation: &str) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.service == service && call.operation == operation).collect()
    }

    /// Returns all calls that were made in the name of the nodes of clusters, oldest first: those of steps that run for real,
    /// and what EMR does with logs. The other calls are without them.
    pub fn calls_on_nodes(&self) -> Vec<Call> {
        self.shared.on_nodes.calls()
    }

    /// Forgets the calls so far; numbers begin at 1 again.
    pub fn reset_calls(&self) {
        self.shared.witness.reset();
    }

    /// Returns all clusters as DescribeCluster shows them, oldest first. Not counted as calls.
    pub fn clusters(&self) -> Vec<Value> {
        let mut emr = self.shared.emr();
        emr.advance();
        emr.clusters.iter().map(|cluster| emr.describe(cluster)).collect()
    }

    /// Returns a cluster's steps as DescribeStep shows them, oldest first. Not counted as calls.
    pub fn steps(&self, cluster: &str) -> Vec<Value> {
        let mut emr = self.shared.emr();
        emr.advance();
        let found = emr.clusters.iter().find(|known| known.id == cluster);
        found.map(|cluster| cluster.steps.iter().map(|step| emr.describe_step(step)).collect()).unwrap_or_default()
    }

    /// Returns moto's own endpoint: what goes there is neither counted nor made to fail.
    pub fn moto_url(&self) -> String {
        self.shared.forward.url()
    }

    /// Makes a bucket, without counting it as a call.
    pub fn bucket(&self, name: &str) {
        let path = format!("/{name}");
        let (status, body) = self.wait(|shared| async move { shared.forward.s3("PUT", &path, Vec::new()).await });
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }

    /// Puts an object at `s3://bucket/key`, without counting it as a call.
    pub fn put(&self, uri: &str, body: impl Into<Vec<u8>>) {
        let (path, body) = (forward::path_of(uri), body.into());
        let (status, said) = self.wait(|shared| async move { shared.forward.s3("PUT", &path, body).await });
        assert_eq!(status, 200, "{uri}: {}", String::from_utf8_lossy(&said));
    }

    /// Returns the object at `s3://bucket/key`, or nothing; not counted as a call.
    pub fn get(&self, uri: &str) -> Option<Vec<u8>> {
        let path = forward::path_of(uri);
        let (status, body) = self.wait(|shared| async move { shared.forward.s3("GET", &path, Vec::new()).await });
        (status == 200).then_some(body)
    }

    /// Removes the object at `s3://bucket/key`; not counted as a call.
    pub fn remove(&self, uri: &str) {
        let path = forward::path_of(uri);
        let (status, said) = self.wait(|shared| async move { shared.forward.s3("DELETE", &path, Vec::new()).await });
        assert_eq!(status, 204, "{uri}: {}", String::from_utf8_lossy(&said));
    }

    /// Returns the answer of a JSON service in moto, such as `("glue", "AWSGlue.GetTables")`; not counted as a call.
    pub fn ask(&self, service: &'static str, target: &'static str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let (status, body) = self.wait(|shared| async move { shared.forward.json(service, target, body).await });
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Returns the answer of a service in moto that takes forms, such as `("sns", "Action=ListTopics")`; not counted as a call.
    pub fn ask_form(&self, service: &'static str, form: &str) -> String {
        let form = form.to_string();
        let (status, body) = self.wait(|shared| async move { shared.forward.form(service, form).await });
        let body = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(status, 200, "{service}: {body}");
        body
    }

    /// Returns the port that it listens on.
    pub fn port(&self) -> u16 {
        self.shared.address.port()
    }

    /// Waits until `done` holds, asking again every few milliseconds.
    ///
    /// # Panics
    /// After five minutes, saying `what`.
    pub fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let end = std::time::Instant::now() + Duration::from_secs(300);
        while !done(self) {
            assert!(std::time::Instant::now() < end, "not within five minutes: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs `work` on the twin's own threads, so that it may also be called from inside another runtime.
    pub(super) fn wait<F, W>(&self, work: W) -> F::Output
    where
        W: FnOnce(std::sync::Arc<server::Shared>) -> F,
        F: Future<Output: Send> + Send + 'static,
    {
        let (tell, told) = std::sync::mpsc::channel();
        let work = work(self.shared.clone());
        self.runtime.as_ref().unwrap().spawn(async move { tell.send(work.await) });
        told.recv().unwrap()
    }
}
