//! The door of AWS Lambda: one function a handler, `_HANDLER` names it. Each parses its event, does what a verb does, and
//! returns one document.
//!
//! ```text
//! begin -> cluster -> submit -> check … check -> publish     parts of one run: drive.rs
//! ended (how it went, told once), reap, ingest
//! ```
//!
//! A handler may be called twice for the same, and may be cut off anywhere: the record of the run knows how far it is.

mod alert;
mod drive;
mod ended;
mod metric;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use super::app::{App, Invocation};
use crate::aws::CallError;
use crate::deploy::HANDLERS;
use crate::error::{Error, Kind, Result};
use crate::mask;
use crate::report::{Style, problem};
use crate::run::Reach;
use crate::targets::Stop;

/// Set in a Lambda function: where its invocations are asked for. Source: Lambda developer guide, "Lambda runtime API".
pub const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Which handler this function is. Source: as above, "Defined runtime environment variables".
const HANDLER: &str = "_HANDLER";

/// What is left of a function's time when a handler stops by itself: enough to write where it was.
const SPARE: Duration = Duration::from_secs(10);

/// How long ago the endpoint that is furthest behind was read to its end.
const INGEST_LAG: &str = "IngestLag";

/// For how long the oldest cluster of the lake has been older than its shape's `max-age`.
const CLUSTER_OVER_AGE: &str = "ClusterOverAge";

/// Longest text of an error: Step Functions takes causes of up to 32,768 characters, which JSON makes longer. Source: Step
/// Functions developer guide, `SendTaskFailure`.
const LONGEST_ERROR: usize = 8_000;

/// Serves the invocations of this function until its sandbox ends.
pub fn serve() -> ExitCode {
    let served = super::runtime().and_then(|runtime| {
        runtime.block_on(lambda_runtime::run(service_fn(handle))).map_err(anyhow::Error::from_boxed)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(App::of(Invocation::default()).fail(&super::typed(error))),
    }
}

/// Does what an event asks for.
async fn handle(LambdaEvent { payload, context }: LambdaEvent<Json>) -> Result<Json, Diagnostic> {
    answer(payload, &context).await.map_err(|error| diagnostic(&error))
}

async fn answer(payload: Json, context: &Context) -> Result<Json> {
    let execution = payload["execution"].as_str().map(str::to_string);
    let app = App::of(Invocation { id: context.request_id.clone(), execution });
    let stop = deadline(context);
    match app.environment.get(HANDLER).map_or("", String::as_str) {
        "begin" => drive::part(&app, payload, Reach::Claimed, stop).await,
        "cluster" => drive::part(&app, payload, Reach::OnCluster, stop).await,
        "submit" => drive::part(&app, payload, Reach::HandedOver, stop).await,
        "check" => drive::part(&app, payload, Reach::Ended, stop).await,
        "publish" => drive::part(&app, payload, Reach::Published, stop).await,
        "ended" => ended::ended(&app, payload, stop).await,
        "reap" => reap(&app, stop).await,
        "ingest" => ingest(&app, stop).await,
        other => {
            let handlers: Vec<&str> = HANDLERS.iter().map(|handler| handler.name).collect();
            Err(Error::new(Kind::Usage, format!("there is no handler `{other}`"))
                .hint(format!("the handlers are {}", handlers.join(", "))))
        }
    }
}

/// Ends the clusters that nobody needs, and tells of failures that were mended.
async fn reap(app: &App, stop: watch::Receiver<Stop>) -> Result<Json> {
    let work = app.workspace().await?;
    let given_back = ended::give_back_late(&work, stop, app.sink().as_mut()).await?;
    let clusters = work.clusters()?;
    let reaped = clusters.reap(false).await?;
    metric::write(app, CLUSTER_OVER_AGE, clusters.over_age().await?);
    let mended = ended::tell_of_mended(&work).await?;
    Ok(json!({ "given_back": given_back, "clusters": reaped, "mended": mended }))
}

/// Reads on from where the API was read last. What was read when the function's time is over is kept, and the next one goes
/// on from there.
async fn ingest(app: &App, mut stop: watch::Receiver<Stop>) -> Result<Json> {
    let work = app.workspace().await?;
    let mut sink = app.sink();
    let over = async {
        stop.wait_for(|stop| *stop != Stop::Go).await.map(drop).map_err(|_| Error::new(Kind::Internal, "no deadline"))
    };
    let followed = super::ingest::follow(&work, over, sink.as_mut()).await;
    if let Some(lag) = super::ingest::lag(&work).await? {
        metric::write(app, INGEST_LAG, lag);
    }
    match followed {
        Ok(summary) => Ok(json!({ "done": true, "ingested": summary })),
        Err(error) if matches!(error.kind, Kind::Interrupted | Kind::Quota) => {
            Ok(json!({ "done": false, "note": error.to_string() }))
        }
        Err(error) => Err(error),
    }
}

/// Tells a handler to leave while there is time to.
fn deadline(context: &Context) -> watch::Receiver<Stop> {
    let (told, stop) = watch::channel(Stop::Go);
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(left.saturating_sub(SPARE)) => drop(told.send(Stop::Detach)),
            // The handler has ended.
            () = told.closed() => {}
        }
    });
    stop
}

/// Returns an error as state machines know it: by a name of the contract in `docs/unattended.md`, and the text that a person
/// would have seen.
fn diagnostic(error: &Error) -> Diagnostic {
    let text = problem::text(error, &Style::default());
    let text = mask::text(&text);
    let text = text.trim_end().strip_prefix("error: ").unwrap_or(&text);
    let end = text.char_indices().nth(LONGEST_ERROR).map_or(text.len(), |(at, _)| at);
    Diagnostic { error_type: error_name(error).into(), error_message: text[..end].into() }
}

fn error_name(error: &Error) -> &'static str {
    match error.kind {
        Kind::Job => "JobFailed",
        Kind::Usage => "Usage",
        Kind::Audit => "AuditRefused",
        Kind::Held | Kind::Detached => "Held",
        Kind::Quota => "Throttled",
        Kind::Machine if CallError::of(error).is_some_and(CallError::is_passing) => "Throttled",
        Kind::Machine => "CloudFailed",
        Kind::Interrupted => "Cancelled",
        Kind::Internal => "Bug",
    }
}
