//! Executions of state machines, through the SDK of Step Functions.

use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::list_executions::builders::ListExecutionsFluentBuilder;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::aws::{Caller, Retry, Session};
use crate::error::{Error, Kind, Result};
use crate::names::RunId;

/// Longest name of an execution. Source: API reference of Step Functions, `StartExecution`.
const LONGEST_NAME: usize = 80;

/// Most executions that are looked at.
const LATEST: i32 = 10;

/// Executions of state machines.
pub struct Executions<'a> {
    session: &'a Session,
    client: Client,
}

/// An execution as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// Its name: a run, when it was started for one.
    pub name: String,
    /// Such as `SUCCEEDED`.
    pub status: String,
    /// When it was started.
    pub started: Option<Timestamp>,
}

impl Execution {
    /// Returns whether it has ended in another way than by success.
    pub fn has_failed(&self) -> bool {
        !["SUCCEEDED", "RUNNING", "PENDING_REDRIVE"].contains(&self.status.as_str())
    }
}

/// How an execution has failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The execution.
    pub execution: Execution,
    /// The error's name; that of the status when it has none.
    pub error: String,
    /// Why.
    pub cause: String,
}

impl<'a> Executions<'a> {
    /// Returns the executions that a session can see.
    pub fn new(session: &'a Session) -> Self {
        Self { session, client: session.sfn() }
    }

    /// Starts the execution of a stack that drives a claimed run, and returns its ARN. Started again it is the same one, as long as it
    /// runs.
    ///
    /// # Errors
    /// `Usage` when there is no state machine of the job; `Machine` otherwise.
    pub async fn start(&self, stack: &str, run: &RunId) -> Result<String> {
        let Caller { account, .. } = self.session.caller().await?;
        let (partition, region, name) = (self.session.partition(), self.session.region(), run.to_string());
        let machine = format!("arn:{partition}:states:{region}:{account}:stateMachine:{stack}-{}", run.job);
        if name.len() > LONGEST_NAME {
            return Err(Error::new(Kind::Usage, format!("`{name}` is too long for the name of an execution"))
                .hint("give the job a shorter name"));
        }
        let input = json!({ "job": run.job, "date": run.date, "run": run }).to_string();
        let call = || self.client.start_execution().state_machine_arn(&machine).name(&name).input(&input).send();
        let started = self.session.send("Step Functions", "StartExecution", Retry::Safe, call).await;
        let started = started.map_err(|error| match error.code.as_str() {
            "StateMachineDoesNotExist" => {
                Error::new(Kind::Usage, format!("no state machine of stack `{stack}` runs the job `{}`", run.job))
                    .hint("name the job below `stack: schedules:` of the target, and `soflow deploy`")
            }
            _ => error.into(),
        })?;
        match started.execution_arn.is_empty() {
            true => Err(self.session.lacks("Step Functions", "StartExecution", "the execution's ARN").into()),
            false => Ok(started.execution_arn),
        }
    }

    /// Returns the latest executions of a state machine, the latest first; none when there is no such machine.
    ///
    /// # Errors
    /// Those of Step Functions.
    pub async fn latest(&self, machine: &str) -> Result<Vec<Execution>> {
        let list = self.client.list_executions().state_machine_arn(machine).max_results(LATEST);
        Ok(self.page(list).await?.0)
    }

    /// Returns how an execution has failed.
    ///
    /// # Errors
    /// Those of Step Functions.
    pub async fn failure(&self, execution: &Execution) -> Result<Failure> {
        let call = || self.client.describe_execution().execution_arn(&execution.arn).send();
        let told = self.session.send("Step Functions", "DescribeExecution", Retry::Safe, call).await?;
        let error = told.error.unwrap_or_else(|| execution.status.clone());
        Ok(Failure { execution: execution.clone(), error, cause: unpacked(&told.cause.unwrap_or_default()) })
    }

    /// Ends the executions of a state machine that go on, and returns how many there were.
    ///
    /// # Errors
    /// Those of Step Functions.
    pub async fn stop_all(&self, machine: &str, cause: &str) -> Result<usize> {
        let (mut stopped, mut next) = (0, None);
        loop {
            let list = self.client.list_executions().state_machine_arn(machine).status_filter(ExecutionStatus::Running);
            let (executions, more) = self.page(list.set_next_token(next)).await?;
            for execution in &executions {
                let call = || self.client.stop_execution().execution_arn(&execution.arn).cause(cause).send();
                match self.session.send("Step Functions", "StopExecution", Retry::Safe, call).await {
                    // It has ended, and is forgotten.
                    Err(error) if error.code != "ExecutionDoesNotExist" => return Err(error.into()),
                    _ => stopped += 1,
                }
            }
            next = more;
            if next.is_none() {
                return Ok(stopped);
            }
        }
    }

    async fn page(&self, list: ListExecutionsFluentBuilder) -> Result<(Vec<Execution>, Option<String>)> {
        let call = || list.clone().send();
        match self.session.send("Step Functions", "ListExecutions", Retry::Safe, call).await {
            Err(error) if error.code == "StateMachineDoesNotExist" => Ok((Vec::new(), None)),
            Err(error) => Err(error.into()),
            Ok(page) => Ok((page.executions.into_iter().map(execution).collect(), page.next_token)),
        }
    }
}

fn execution(found: ExecutionListItem) -> Execution {
    let started = Timestamp::from_second(found.start_date.secs()).ok();
    Execution { arn: found.execution_arn, name: found.name, status: found.status.as_str().into(), started }
}

/// Returns the text of an error of a Lambda function, or of a reason of EMR, which come as JSON.
#[must_use]
pub fn unpacked(cause: &str) -> String {
    let told = serde_json::from_str::<Json>(cause).unwrap_or_default();
    let text = ["errorMessage", "message"].iter().find_map(|key| told[*key].as_str());
    text.unwrap_or(cause).into()
}
