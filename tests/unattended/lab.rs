//! A stack as it would be deployed: functions, a state machine, the rule on executions that have ended, and a topic.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soflow::deploy::{HANDLERS, machine};

use crate::daily::lab::BETWEEN_LOOKS;
use crate::emr::lab::{DATE, Lab as Emr, STEPS, TABLES};
use crate::twin::lambda::Function;
use crate::twin::{Act, Call, Failure, Moment, StepFate};
use crate::unattended::interpreter::Interpreter;

/// The functions that an execution calls, in order.
pub const PARTS: [&str; 5] = ["begin", "cluster", "submit", "check", "publish"];

/// After which an execution is taken to hang: the daily job takes 30 seconds on a quiet machine, and minutes on one that has much else to do.
const LONGEST: Duration = Duration::from_secs(900);

/// How an execution has ended.
#[derive(Debug)]
pub struct Ended {
    pub status: String,
    pub error: Option<String>,
    pub cause: Option<String>,
    /// The states that it entered, in order.
    pub states: Vec<String>,
}

/// A call that waits until this is dropped.
pub struct Held {
    there: mpsc::Receiver<()>,
    _release: mpsc::Sender<()>,
}

impl Held {
    /// Returns once the call has come.
    pub fn wait(&self) {
        self.there.recv_timeout(LONGEST).expect("the call comes");
    }
}

/// An account with a stack in it, and the project that was deployed.
pub struct Lab {
    /// The project, for commands from a laptop, and the lake.
    pub emr: Emr,
    interpreter: Interpreter,
    job: &'static str,
    machine: String,
    queue: String,
    told: Mutex<Vec<String>>,
    /// How often the function `ended` is called by what was done so far, where that is not for us to do.
    ends: AtomicUsize,
}

impl Lab {
    pub fn new() -> Self {
        Self::on(Interpreter::Moto)
    }

    pub fn on(interpreter: Interpreter) -> Self {
        Self::with(interpreter, 21_600, &[])
    }

    /// `longest`: after how many seconds an execution is ended; `timeouts`: of functions that are to have others than the
    /// stack gives them.
    pub fn with(interpreter: Interpreter, longest: u32, timeouts: &[(&str, Duration)]) -> Self {
        Self::of(Emr::new(), interpreter, ("chain", longest), timeouts)
    }

    /// Returns what [`Self::with`] does, for a job of a project.
    pub fn of(
        emr: Emr,
        interpreter: Interpreter,
        (job, longest): (&'static str, u32),
        timeouts: &[(&str, Duration)],
    ) -> Self {
        let name = emr.bucket.clone();
        let form = format!("Action=CreateTopic&Name={name}");
        let topic = between(&emr.twin.ask_form("sns", &form), "<TopicArn>", "</TopicArn>");
        // What was received once stays away from those who look again.
        let asked = json!({ "QueueName": name, "Attributes": { "VisibilityTimeout": "43200" } });
        let queue = answer(&emr, "sqs", "AmazonSQS.CreateQueue", &asked)["QueueUrl"].as_str().unwrap().to_string();
        let endpoint = topic.replace(":sns:", ":sqs:");
        emr.twin.ask_form("sns", &format!("Action=Subscribe&Protocol=sqs&TopicArn={topic}&Endpoint={endpoint}"));
        let asked = json!({ "Name": name, "SecretString": "{\"key\": \"k\"}", "ClientRequestToken": "0".repeat(32) });
        let secret =
            answer(&emr, "secretsmanager", "secretsmanager.CreateSecret", &asked)["ARN"].as_str().unwrap().to_string();
        let database = json!({ "DatabaseInput": { "Name": name.replace('-', "_") } });
        answer(&emr, "glue", "AWSGlue.CreateDatabase", &database);
        let timeouts: BTreeMap<&str, Duration> = timeouts.iter().copied().collect();
        let mut definition = machine(job, longest);
        for (handler, timeout) in &timeouts {
            // A state waits longer than its function may take, here too.
            let state = format!("{}{}", handler[..1].to_uppercase(), &handler[1..]);
            definition["States"][state]["TimeoutSeconds"] = (timeout.as_secs() + 1).into();
        }
        let mut definition = definition.to_string().replace("${AWS::Partition}", "aws");
        for handler in &HANDLERS {
            let timeout = Duration::from_secs(handler.seconds.into());
            let function = Function {
                name: function(&emr, handler.name),
                handler: handler.name.into(),
                timeout: timeouts.get(handler.name).copied().unwrap_or(timeout),
                memory: handler.memory,
                bootstrap: PathBuf::from(env!("CARGO_BIN_EXE_soflow")),
                folder: emr.home.path().to_path_buf(),
                environment: vec![
                    ("SOFLOW_ALERTS".into(), topic.clone()),
                    ("SOFLOW_API_KEY_SECRET".into(), secret.clone()),
                ],
            };
            let placeholder = format!("${{{}{}Function}}", handler.name[..1].to_uppercase(), &handler.name[1..]);
            definition = definition.replace(&placeholder, &function.name);
            interpreter.function(&emr, function);
        }
        let asked =
            json!({ "name": name, "definition": definition, "roleArn": "arn:aws:iam::123456789012:role/machine" });
        let made = interpreter.states(&emr, "AWSStepFunctions.CreateStateMachine", &asked);
        let machine = made["stateMachineArn"].as_str().unwrap_or_else(|| panic!("{made}")).to_string();
        interpreter.rule(&emr, &machine, &function(&emr, "ended"));
        Self { emr, interpreter, job, machine, queue, told: Mutex::default(), ends: AtomicUsize::new(0) }
    }

    /// Runs the date's execution to its end, and does what the rule on ended executions does.
    pub fn run(&self) -> Ended {
        self.finish(&self.start(&input()))
    }

    /// Starts an execution; returns its ARN.
    pub fn start(&self, input: &Value) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{}.{DATE}.{}", self.job, NUMBER.fetch_add(1, Ordering::Relaxed));
        let asked = json!({ "stateMachineArn": self.machine, "name": name, "input": input.to_string() });
        let started = self.interpreter.states(&self.emr, "AWSStepFunctions.StartExecution", &asked);
        started["executionArn"].as_str().unwrap_or_else(|| panic!("{started}")).to_string()
    }

    /// Waits for the end of an execution; then does what the rule on ended executions does.
    pub fn finish(&self, execution: &str) -> Ended {
        let ended = self.wait(execution, || {});
        self.rule(execution);
        ended
    }

    /// Waits for the end of an execution, and does something again and again meanwhile.
    pub fn wait(&self, execution: &str, meanwhile: impl Fn()) -> Ended {
        let last = Instant::now() + LONGEST;
        while self.describe(execution)["status"] == "RUNNING" {
            assert!(Instant::now() < last, "{execution} does not end\n{self}");
            meanwhile();
            std::thread::park_timeout(BETWEEN_LOOKS);
        }
        let description = self.describe(execution);
        let text = |name: &str| description[name].as_str().map(str::to_string);
        Ended {
            status: text("status").unwrap(),
            error: text("error"),
            cause: text("cause"),
            states: self.states(execution),
        }
    }

    /// Calls the function `ended` as EventBridge does when an execution has ended: at once, and when that fails a minute later,
    /// and two minutes after that. Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous
    /// invocation".
    pub fn rule(&self, execution: &str) {
        if self.interpreter == Interpreter::Ministack {
            self.wait_for_rule(execution);
            return;
        }
        let status = self.describe(execution)["status"].as_str().unwrap().to_string();
        self.tell(execution, &status);
    }

    /// Calls the function `ended` with the event that an execution has ended so.
    pub fn tell(&self, execution: &str, status: &str) {
        let told = self.describe(execution);
        let event = json!({
            "version": "0",
            "id": "315c1398-40ff-a850-213b-158f73e60175",
            "detail-type": "Step Functions Execution Status Change",
            "source": "aws.states",
            "account": "123456789012",
            "time": "2026-11-23T02:20:00Z",
            "region": "us-east-1",
            "resources": [execution],
            "detail": {
                "executionArn": execution,
                "stateMachineArn": self.machine,
                "name": told["name"],
                "status": status,
                "startDate": 1_795_400_000_000_u64,
                "stopDate": 1_795_400_300_000_u64,
                "input": told["input"],
                "output": told["output"],
                "error": told["error"],
                "cause": told["cause"],
            },
        });
        let function = function(&self.emr, "ended");
        let mut last = Value::Null;
        for later in [60, 120, 0] {
            match self.emr.twin.invoke(&function, &event) {
                Ok(_) => return,
                Err(error) => last = error,
            }
            self.emr.twin.pass(Duration::from_secs(later));
        }
        panic!("the function `ended` failed: {last:#}\n{self}");
    }

    /// Waits until the function `ended` has returned, which the rule has called, and before it the state machine after an error.
    fn wait_for_rule(&self, execution: &str) {
        let caught = self.states(execution).iter().any(|state| state == "Ended");
        let ends = self.ends.fetch_add(1 + usize::from(caught), Ordering::SeqCst) + 1 + usize::from(caught);
        let function = [function(&self.emr, "ended")];
        self.emr.twin.until("the function `ended`", |_| {
            let said = self.interpreter.said(&self.emr, &function);
            said.matches(": REPORT RequestId").count() >= ends
        });
    }

    /// Returns the subjects of all messages that people got, sorted: a queue has no order.
    pub fn messages(&self) -> Vec<String> {
        let mut told = self.told.lock().unwrap();
        loop {
            let asked = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10 });
            let received = answer(&self.emr, "sqs", "AmazonSQS.ReceiveMessage", &asked);
            let messages = received["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                told.sort();
                return told.clone();
            }
            told.extend(messages.iter().map(|message| {
                let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
                body["Subject"].as_str().unwrap().to_string()
            }));
        }
    }

    /// Asserts what holds when all executions have ended of which no function was cut off, and that people got these messages.
    pub fn check(&self, what: &str, messages: &[&str]) {
        self.check_left(what);
        for cluster in self.emr.clusters() {
            assert_eq!(self.emr.lease(&cluster), None, "{what}: a lease is left\n{self}");
        }
        assert_eq!(self.messages(), messages, "{what}: messages\n{self}");
    }

    /// Asserts what holds when all executions have ended: nothing is left that costs or waits, no step was run twice.
    pub fn check_left(&self, what: &str) {
        self.emr.check_invariants(what);
        self.check_ended(what);
    }

    /// Asserts that no cluster is left and no run goes on.
    pub fn check_ended(&self, what: &str) {
        let ended = |cluster: &Value| cluster["Status"]["State"].as_str().unwrap().starts_with("TERMINAT");
        let left: Vec<Value> = self.emr.twin.clusters().into_iter().filter(|cluster| !ended(cluster)).collect();
        assert!(left.is_empty(), "{what}: a cluster is left: {left:#?}\n{self}");
        let running: Vec<Value> =
            self.emr.records().into_iter().filter(|record| record["state"] == "running").collect();
        assert!(running.is_empty(), "{what}: left as running: {running:#?}\n{self}");
    }

    /// Asserts that the date is published, by steps that were completed once.
    pub fn check_published(&self, what: &str, messages: &[&str]) {
        self.check(what, messages);
        assert_eq!(self.emr.published(), TABLES, "{what}\n{self}");
        // Of a run that was cancelled the cluster has steps of another kind, too.
        let mut done = self.emr.completed();
        done.retain(|name| STEPS.contains(&name.as_str()));
        done.sort();
        assert_eq!(done, ["one", "three", "two"], "{what}: completed steps, of all runs and clusters\n{self}");
    }

    /// Asserts that an execution has succeeded.
    pub fn succeeded(&self, ended: &Ended, what: &str) {
        assert_eq!(ended.status, "SUCCEEDED", "{what}: {ended:#?}\n{self}");
    }

    /// Asserts that an execution has failed with this error and a cause that says that.
    pub fn failed(&self, ended: &Ended, error: &str, says: &str, what: &str) {
        let is = (ended.status.as_str(), ended.error.as_deref());
        assert_eq!(is, ("FAILED", Some(error)), "{what}: {ended:#?}\n{self}");
        let cause = ended.cause.as_deref().unwrap_or_default();
        assert!(cause.contains(says), "{what}: not told `{says}`: {ended:#?}\n{self}");
    }

    /// Stops an execution, as a person does.
    pub fn stop(&self, execution: &str) {
        let asked = json!({ "executionArn": execution, "cause": "by hand" });
        self.interpreter.states(&self.emr, "AWSStepFunctions.StopExecution", &asked);
    }

    /// Holds the first call of an operation that a function makes about such a thing, until it is released.
    pub fn hold_at(&self, caller: &'static str, operation: &'static str, part: &'static str) -> Held {
        self.hold_and(caller, operation, part, Act::Go)
    }

    /// Does what [`Self::hold_at`] does; `then`: what becomes of the function when the call was executed.
    pub fn hold_and(&self, caller: &'static str, operation: &'static str, part: &'static str, then: Act) -> Held {
        let (arrived, there) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (held, number) = (Mutex::new(Some((arrived, released))), AtomicUsize::new(0));
        self.emr.twin.kill_hook(move |call: &Call, moment: Moment| {
            let fits = call.caller == caller && ["*", &call.operation].contains(&operation);
            if moment == Moment::After {
                return if call.number == number.load(Ordering::SeqCst) { then } else { Act::Go };
            }
            if fits && call.detail.contains(part) {
                let first = held.lock().unwrap().take();
                if let Some((arrived, released)) = first {
                    number.store(call.number, Ordering::SeqCst);
                    arrived.send(()).unwrap();
                    // Nobody releases it when the test has failed.
                    let _ = released.recv();
                }
            }
            Act::Go
        });
        Held { there, _release: release }
    }

    /// Calls a function as its schedule does; returns its answer.
    pub fn call(&self, handler: &str) -> Value {
        match self.emr.twin.invoke(&function(&self.emr, handler), &json!({})) {
            Ok(answer) => answer,
            Err(error) => panic!("the function `{handler}` failed: {error:#}\n{self}"),
        }
    }

    fn describe(&self, execution: &str) -> Value {
        let asked = json!({ "executionArn": execution });
        self.interpreter.states(&self.emr, "AWSStepFunctions.DescribeExecution", &asked)
    }

    fn states(&self, execution: &str) -> Vec<String> {
        let mut states = Vec::new();
        let mut asked = json!({ "executionArn": execution, "maxResults": 1000 });
        loop {
            let page = self.interpreter.states(&self.emr, "AWSStepFunctions.GetExecutionHistory", &asked);
            let events = page["events"].as_array().unwrap();
            let names = events.iter().filter_map(|event| event["stateEnteredEventDetails"]["name"].as_str());
            states.extend(names.map(str::to_string));
            if !page["nextToken"].is_string() {
                return states;
            }
            asked["nextToken"] = page["nextToken"].clone();
        }
    }
}

impl std::fmt::Display for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let functions: Vec<String> = HANDLERS.iter().map(|handler| function(&self.emr, handler.name)).collect();
        write!(f, "--- functions ---\n{}\n---", self.interpreter.said(&self.emr, &functions))
    }
}

/// Returns the input of the date's execution.
pub fn input() -> Value {
    json!({ "job": "chain", "date": DATE })
}

/// Returns such a stack on the first interpreter.
pub fn failing() -> Lab {
    fails(Lab::new())
}

/// Returns a stack in which the second step of the job fails.
pub fn fails(lab: Lab) -> Lab {
    let failure = Failure { driver_stderr: "ValueError: bad data in row 7".into(), ..Failure::default() };
    lab.emr.twin.step_fate("two", StepFate::Fails(failure));
    lab
}

/// Returns the name of a function: by it the interpreter, which many twins share, finds the twin.
pub fn function(emr: &Emr, handler: &str) -> String {
    format!("soflow-{}-{handler}", emr.twin.port())
}

fn answer(emr: &Emr, service: &'static str, target: &'static str, asked: &Value) -> Value {
    let (status, answer) = emr.twin.ask(service, target, asked);
    assert_eq!(status, 200, "{target} {asked}: {answer}");
    answer
}

fn between(text: &str, before: &str, after: &str) -> String {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("no {before} in {text}")).0.to_string()
}
