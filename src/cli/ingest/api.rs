//! `soflow ingest api`: what was created or changed in a span of time, from the Stack Exchange API into raw;
//! `soflow ingest status`: how far it has been read.

use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value as Json, json};

use super::super::app::yesterday;
use super::super::workspace::{Workspace, told_to_stop};
use super::args::ApiArgs;
use super::{Ingested, credentials, midnight};
use crate::config::Auth;
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::ingest::api::endpoint::{self, Endpoint};
use crate::ingest::api::state::{self, Last, Progress, State};
use crate::ingest::api::{ApiRequest, Client, Clock, Span, fetch, forecast};
use crate::report::{Layout, TextCell, count};

/// Reads what is asked for.
pub async fn read(work: &Workspace<'_>, args: &ApiArgs, sink: &mut dyn Sink) -> Result<Ingested> {
    read_until(work, args, told_to_stop(), sink).await
}

/// Reads what is asked for, until `stopped`.
pub async fn read_until(
    work: &Workspace<'_>,
    args: &ApiArgs,
    stopped: impl Future<Output = Result<()>>,
    sink: &mut dyn Sink,
) -> Result<Ingested> {
    let (request, client) = (request(work, args)?, client(work, args).await?);
    let reading = fetch(work.store.clone(), &request, &client, &Real, sink);
    Ok((unless_stopped(work, stopped, reading).await?, request.date, "items"))
}

/// Prints what reading would take.
pub async fn plan(work: &Workspace<'_>, args: &ApiArgs, mut sink: Box<dyn Sink>) -> Result<u8> {
    let (request, client) = (request(work, args)?, client(work, args).await?);
    let asking = forecast(work.store.clone(), &request, &client, &Real, sink.as_mut());
    let (forecasts, quota) = unless_stopped(work, told_to_stop(), asking).await?;
    drop(sink);
    let left = quota.as_ref().map(|quota| quota.remaining);
    work.app.answer(&json!({ "forecast": forecasts, "quota_left": left }), |layout| {
        let number = |number: i64| TextCell::number(count(number.unsigned_abs()));
        let rows = forecasts.iter().map(|one| [one.endpoint.as_str().into(), number(one.items), number(one.requests)]);
        let table = layout.table(["endpoint", "items", "requests"], rows);
        let needed: i64 = forecasts.iter().map(|forecast| forecast.requests).sum();
        let left = match &quota {
            Some(quota) => format!("{} were left at {:.0}", quota.remaining, quota.at),
            None => "how many are left is not known before the first one".into(),
        };
        format!("{table}\nabout {needed} requests; {left}\n")
    })
}

async fn client(work: &Workspace<'_>, args: &ApiArgs) -> Result<Client> {
    let settings = &work.project.settings.ingest;
    let in_query = args.auth.unwrap_or(settings.auth) == Auth::Query;
    Client::new(&settings.api, credentials::credentials(work).await?, in_query)
}

fn request(work: &Workspace<'_>, args: &ApiArgs) -> Result<ApiRequest> {
    let (settings, lake) = (&work.project.settings.ingest, work.lake());
    let names = if args.endpoints.is_empty() { &settings.endpoints } else { &args.endpoints };
    let (span, date) = span(args, Timestamp::now())?;
    Ok(ApiRequest {
        raw: lake.raw.clone(),
        artifacts: lake.artifacts.clone(),
        site: args.site.clone().unwrap_or_else(|| settings.site.clone()),
        endpoints: names.iter().map(|name| known(name)).collect::<Result<_>>()?,
        span,
        date,
        filters: settings.filters.clone(),
        again: args.again,
        me: work.app.owner(),
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
        return Ok((Span::Follow, args.date.unwrap_or_else(yesterday)));
    }
    let (from, until) = match args.since {
        Some(since) => (since, args.until.map_or_else(|| midnight(today(now)), Ok)?),
        None => {
            let date = args.date.unwrap_or_else(yesterday);
            let next = date.checked_add(1.day()).unwrap_or(date);
            (midnight(date)?, midnight(next)?)
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
    let last = Timestamp::from_second(until.as_second() - 1).unwrap_or(from);
    Ok((Span::Between(from.as_second(), until.as_second()), today(last)))
}

fn today(at: Timestamp) -> Date {
    at.to_zoned_datetime(TimeZone::UTC).date()
}

/// Reads a moment: a day, whose first second is meant, or a time with its zone.
pub fn moment(text: &str) -> std::result::Result<Timestamp, String> {
    let day = text.parse::<Date>().ok().filter(|_| text.len() <= 10).and_then(|date| midnight(date).ok());
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
async fn unless_stopped<T>(
    work: &Workspace<'_>,
    stopped: impl Future<Output = Result<()>>,
    doing: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        done = doing => return done,
        stopped = stopped => stopped?,
    }
    state::release(work.store.clone(), &work.lake().artifacts, &work.app.owner()).await?;
    let error = Error::new(Kind::Interrupted, "interrupted: what was read is stored");
    Err(error.hint("the same command goes on from there; `soflow ingest status` shows how far it is"))
}

/// Prints how far the API has been read.
pub async fn status(work: &Workspace<'_>) -> Result<u8> {
    let state = state::look(work.store.as_ref(), &work.lake().artifacts).await?.unwrap_or_default();
    let endpoints: Vec<Json> = endpoints(&state).map(|(site, name, progress)| document(site, name, progress)).collect();
    let document = json!({ "endpoints": endpoints, "quota": state.quota, "reader": state.reader });
    work.app.answer(&document, |layout| text(&state, layout))
}

/// Returns each endpoint of each site with how far it has been read.
fn endpoints(state: &State) -> impl Iterator<Item = (&str, &str, &Progress)> {
    state.sites.iter().flat_map(|(site, of)| of.iter().map(move |(name, progress)| (&site[..], &name[..], progress)))
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// Returns up to where there is no gap, UTC.
fn watermark(progress: &Progress) -> Option<Timestamp> {
    progress.read.end().and_then(at)
}

/// Returns what was never read between what was: from the first second to the first one after, UTC.
fn gaps(progress: &Progress) -> Vec<(Timestamp, Timestamp)> {
    progress.read.gaps().into_iter().filter_map(|(from, until)| at(from).zip(at(until))).collect()
}

fn document(site: &str, endpoint: &str, progress: &Progress) -> Json {
    // What is being read, or was when it was cut off.
    let unfinished = progress
        .task
        .as_ref()
        .map(|task| json!({ "run": task.run, "from": at(task.window.from), "pages": task.pages, "items": task.items }));
    json!({
        "site": site,
        "endpoint": endpoint,
        "watermark": watermark(progress),
        "gaps": gaps(progress),
        "last": progress.last,
        "unfinished": unfinished,
        "error": progress.error,
    })
}

fn text(state: &State, layout: &Layout) -> String {
    if endpoints(state).next().is_none() {
        return "Nothing has been read from the API into this lake.\n\n  soflow ingest api --since 2026-01-01\n".into();
    }
    let rows = endpoints(state).map(|(site, endpoint, progress)| {
        let last = |of: fn(&Last) -> String| progress.last.as_ref().map_or_else(|| "-".into(), of);
        let read_to = watermark(progress).map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
        [
            site.into(),
            endpoint.into(),
            read_to.unwrap_or_else(|| "-".into()).into(),
            TextCell::number(count(gaps(progress).len() as u64)),
            TextCell::number(last(|last| count(last.pages))),
            TextCell::number(last(|last| count(last.items))),
            TextCell::number(last(|last| count(last.requests))),
            last(|last| last.date.to_string()).into(),
        ]
    });
    let names = ["site", "endpoint", "read to (UTC)", "gaps", "last pages", "items", "requests", "filed under"];
    let mut text = layout.table(names, rows) + "\n";
    let mut note = |said: String| text.push_str(&(said + "\n"));
    for (site, endpoint, progress) in endpoints(state) {
        let day = |at: Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
        for (from, until) in gaps(progress) {
            let command = format!("soflow ingest api {endpoint} --site {site} --since {from} --until {until}");
            note(format!("gap: {endpoint} were not read from {} to {}: `{command}`", day(from), day(until)));
        }
        if let Some(task) = &progress.task {
            let next = format!("the next `soflow ingest api {endpoint}` goes on");
            note(format!("unfinished: {endpoint}, {} pages in {}: {next}", task.pages, task.run));
        }
        if let Some(error) = &progress.error {
            note(format!("last error: {endpoint} at {:.0}: {}", error.at, error.message));
        }
    }
    if let Some(quota) = &state.quota {
        let max = quota.max.map_or_else(String::new, |max| format!(" of {max}"));
        let until = quota.until.map_or_else(String::new, |until| format!("; there is more from {until:.0}"));
        let (left, at, counted) = (quota.remaining, quota.at, &quota.counted);
        note(format!("quota: {left}{max} requests were left at {at:.0} (counted by {counted}){until}"));
    }
    if let Some(reader) = &state.reader {
        note(format!("being read by {} since {:.0}", reader.owner, reader.since));
    }
    text
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
