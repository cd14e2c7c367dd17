//! Executions of the state machines of a stack, through the SDK of Step Functions.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::ExecutionListItem;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::aws::{Caller, Retry, Session};
use crate::error::{Error, Kind, Result};
use crate::names::RunId;

/// Longest name of an execution. Source: API reference of Step Functions, `StartExecution`.
const LONGEST_NAME: usize = 80;

/// Most executions that are looked at.
const LATEST: i32 = 10;

/// Executions of a stack's state machines.
pub struct Executions<'a> {
    session: &'a Session,
    client: Client,
    stack: &'a str,
    account: String,
}

/// An execution as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// Its name: a run, when it was started for one.
    pub name: String,
    /// Such as `SUCCEEDED`.
    pub status: String,
    /// When it was started.
    pub started: Option<Timestamp>,
}

impl<'a> Executions<'a> {
    /// Returns the executions of a stack of the caller's account.
    ///
    /// # Errors
    /// Those of STS, which tells the account.
    pub async fn of(session: &'a Session, stack: &'a str) -> Result<Self> {
        let Caller { account, .. } = session.caller().await?;
        Ok(Self { session, client: session.sfn(), stack, account })
    }

    /// Returns the ARN of the state machine of a job.
    fn machine(&self, job: &str) -> String {
        let (partition, region) = (self.session.partition(), self.session.region());
        format!("arn:{partition}:states:{region}:{}:stateMachine:{}-{job}", self.account, self.stack)
    }

    /// Starts the execution that drives a claimed run, and returns its ARN. Started again it is the same one, as long as it
    /// runs.
    ///
    /// # Errors
    /// `Usage` when there is no state machine of the job; `Machine` otherwise.
    pub async fn start(&self, run: &RunId) -> Result<String> {
        let (machine, name) = (self.machine(&run.job), run.to_string());
        if name.len() > LONGEST_NAME {
            return Err(Error::new(Kind::Usage, format!("`{name}` is too long for the name of an execution"))
                .hint("give the job a shorter name"));
        }
        let input = json!({ "job": run.job, "date": run.date, "run": run }).to_string();
        let call = || self.client.start_execution().state_machine_arn(&machine).name(&name).input(&input).send();
        let started = self.session.send("Step Functions", "StartExecution", Retry::Safe, call).await;
        let started = started.map_err(|error| match error.code.as_str() {
            "StateMachineDoesNotExist" => Error::new(
                Kind::Usage,
                format!("no state machine of stack `{}` runs the job `{}`", self.stack, run.job),
            )
            .hint("name the job below `stack: schedules:` of the target, and `soflow deploy`"),
            _ => error.into(),
        })?;
        match started.execution_arn.is_empty() {
            true => Err(self.session.lacks("Step Functions", "StartExecution", "the execution's ARN").into()),
            false => Ok(started.execution_arn),
        }
    }

    /// Returns the latest executions of a job, the latest first.
    ///
    /// # Errors
    /// Those of Step Functions.
    pub async fn latest(&self, job: &str) -> Result<Vec<Execution>> {
        let machine = self.machine(job);
        let call = || self.client.list_executions().state_machine_arn(&machine).max_results(LATEST).send();
        let listed = self.session.send("Step Functions", "ListExecutions", Retry::Safe, call).await?;
        Ok(listed.executions.into_iter().map(execution).collect())
    }

    /// Ends the executions of a job that go on, and returns how many there were.
    ///
    /// # Errors
    /// Those of Step Functions.
    pub async fn stop_all(&self, job: &str, cause: &str) -> Result<usize> {
        let machine = self.machine(job);
        let running = aws_sdk_sfn::types::ExecutionStatus::Running;
        let call = || self.client.list_executions().state_machine_arn(&machine).status_filter(running.clone()).send();
        let listed = match self.session.send("Step Functions", "ListExecutions", Retry::Safe, call).await {
            Err(error) if error.code == "StateMachineDoesNotExist" => return Ok(0),
            listed => listed?.executions,
        };
        for execution in &listed {
            let call = || self.client.stop_execution().execution_arn(&execution.execution_arn).cause(cause).send();
            self.session.send("Step Functions", "StopExecution", Retry::Safe, call).await?;
        }
        Ok(listed.len())
    }
}

fn execution(found: ExecutionListItem) -> Execution {
    let started = Timestamp::from_second(found.start_date.secs()).ok();
    Execution { name: found.name, status: found.status.as_str().into(), started }
}
