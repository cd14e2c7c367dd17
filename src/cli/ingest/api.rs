//! `soflow ingest api`: what was created or changed in a span of time, from the Stack Exchange API into raw.

use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::super::app::{App, yesterday};
use super::super::connections::Connections;
use super::super::project::Project;
use super::args::ApiArgs;
use super::{Ingested, answer, credentials};
use crate::config::Auth;
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::ingest::Summary;
use crate::ingest::api::endpoint::{self, Endpoint};
use crate::ingest::api::state::{self, ApiQuota};
use crate::ingest::api::{ApiRequest, Client, Clock, Forecast, Span, fetch, forecast};
use crate::report::{Answer, Layout, TextCell, TextTable, count};

pub async fn from_api(
    app: &App,
    project: &Project,
    connections: &Connections,
    args: &ApiArgs,
    mut sink: Box<dyn Sink>,
) -> Result<u8> {
    let request = request(app, project, args)?;
    let settings = &project.resolved.settings.ingest;
    let credentials = credentials::credentials(app, project, connections).await?;
    let client = Client::new(&settings.api, credentials, args.auth.unwrap_or(settings.auth) == Auth::Query)?;
    let store = connections.store.clone();
    if args.plan {
        let told = forecast(store, &request, &client, &Real, sink.as_mut());
        let (forecasts, quota) = until_told_to_stop(app, connections, &request, told).await?;
        drop(sink);
        let quota_left = quota.as_ref().map(|quota| quota.remaining);
        return app.answer(&ForecastAnswer { forecast: forecasts, quota_left, quota });
    }
    let read = fetch(store, &request, &client, &Real, sink.as_mut());
    let summary: Summary = until_told_to_stop(app, connections, &request, read).await?;
    let date = request.date;
    answer(app, project, Ingested::of(summary, date, "items"), sink)
}

fn request(app: &App, project: &Project, args: &ApiArgs) -> Result<ApiRequest> {
    let settings = &project.resolved.settings.ingest;
    let names = if args.endpoints.is_empty() { &settings.endpoints } else { &args.endpoints };
    let (span, date) = span(args, Timestamp::now())?;
    let lake = &project.target()?.lake;
    Ok(ApiRequest {
        raw: lake.raw.clone(),
        artifacts: lake.artifacts.clone(),
        site: args.site.clone().unwrap_or_else(|| settings.site.clone()),
        endpoints: names.iter().map(|name| known(name)).collect::<Result<_>>()?,
        span,
        date,
        filters: settings.filters.clone(),
        again: args.again,
        me: app.owner(),
        force: args.force_lease,
    })
}

fn known(name: &str) -> Result<&'static Endpoint> {
    endpoint::endpoint(name).ok_or_else(|| {
        let all: Vec<String> = endpoint::names().map(|name| format!("`{name}`")).collect();
        let error = Error::new(Kind::Usage, format!("`{name}` is not an endpoint"));
        error.hint(format!("endpoints are {}", all.join(", ")))
    })
}

/// Returns of what time to read, and the logical date it is filed under.
fn span(args: &ApiArgs, now: Timestamp) -> Result<(Span, Date)> {
    if args.follow_watermark {
        return Ok((Span::Follow, yesterday()));
    }
    let (from, until) = match args.since {
        Some(since) => (since, args.until.map_or_else(|| start_of(today(now)), Ok)?),
        None => {
            let date = args.date.unwrap_or_else(yesterday);
            let next = date.checked_add(1.day()).map_err(|error| wrong_time(&error))?;
            (start_of(date)?, start_of(next)?)
        }
    };
    if from >= until {
        return Err(Error::new(Kind::Usage, format!("nothing lies between {from} and {until}"))
            .hint("`--since` is the first moment, `--until` the first one after the last"));
    }
    if from > now {
        return Err(Error::new(Kind::Usage, format!("{from} is still to come")));
    }
    // Filed under the last day in it.
    let last = Timestamp::from_second(until.as_second() - 1).map_err(|error| wrong_time(&error))?;
    Ok((Span::Between(from.as_second(), until.as_second()), today(last)))
}

fn today(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}

fn start_of(date: Date) -> Result<Timestamp> {
    TimeZone::UTC.to_timestamp(date.to_datetime(time(0, 0, 0, 0))).map_err(|error| wrong_time(&error))
}

fn wrong_time(error: &jiff::Error) -> Error {
    Error::new(Kind::Usage, format!("no such time: {error}"))
}

/// Reads a moment: a day, whose first second is meant, or a time with its zone.
pub fn moment(text: &str) -> std::result::Result<Timestamp, String> {
    let day = text.parse::<Date>().ok().filter(|_| text.len() <= 10).and_then(|date| start_of(date).ok());
    day.map_or_else(|| text.parse().map_err(|_| "write `2026-01-31` or `2026-01-31T18:00:00Z`".into()), Ok)
}

/// Reads how key and token are sent.
pub fn manner(text: &str) -> std::result::Result<Auth, String> {
    match text {
        "bearer" => Ok(Auth::Bearer),
        "query" => Ok(Auth::Query),
        _ => Err("write `bearer` or `query`".into()),
    }
}

/// Does what takes long, until it is done or someone wants it to end. What was read by then is kept.
async fn until_told_to_stop<T>(
    app: &App,
    connections: &Connections,
    request: &ApiRequest,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => return done,
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
    state::release(connections.store.clone(), &request.artifacts, &app.owner()).await?;
    let error = Error::new(Kind::Interrupted, "interrupted: what was read is stored");
    Err(error.hint("the same command goes on from there; `soflow ingest status` shows how far it is"))
}

/// What reading would take.
#[derive(Serialize)]
struct ForecastAnswer {
    forecast: Vec<Forecast>,
    quota_left: Option<i64>,
    #[serde(skip)]
    quota: Option<ApiQuota>,
}

impl Answer for ForecastAnswer {
    fn text(&self, layout: &Layout) -> String {
        let mut table = TextTable::new(["endpoint", "items", "requests"]).numbers(["items", "requests"]);
        for forecast in &self.forecast {
            let number = |number: i64| TextCell::from(count(number.unsigned_abs()));
            table.row([forecast.endpoint.to_string().into(), number(forecast.items), number(forecast.requests)]);
        }
        let needed: i64 = self.forecast.iter().map(|forecast| forecast.requests).sum();
        let left = match &self.quota {
            Some(quota) => format!("{} were left at {:.0}", quota.remaining, quota.at),
            None => "how many are left is not known before the first one".into(),
        };
        format!("{}\nabout {needed} requests; {left}\n", layout.table(&table))
    }
}

/// The time and the chance there are.
struct Real;

#[async_trait]
impl Clock for Real {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn spread(&self) -> f64 {
        f64::from(Timestamp::now().subsec_nanosecond().rem_euclid(1_000)) / 1_000.0
    }
}
