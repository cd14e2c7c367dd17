//! The logs of a step in CloudWatch, where clusters from release 7.11.0 send them as they are printed. Layout: EMR
//! management guide, "Monitoring Amazon EMR with CloudWatch Logs".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::name::{LogName, LogOrigin, LogStream};
use super::s3::applications;
use super::{LogPiece, LogSink, add};
use crate::aws::{LOGS, Session};
use crate::error::Result;

/// The streams of one step.
#[derive(Debug)]
pub(super) struct CloudWatch {
    group: String,
    step: String,
    wanted: Vec<LogStream>,
    /// Where each stream that was read goes on.
    tokens: BTreeMap<String, String>,
}

impl CloudWatch {
    /// Returns those of a step that are wanted, in the group that EMR takes when it is given none.
    pub fn new(cluster: &str, step: &str, wanted: Vec<LogStream>) -> Self {
        Self { group: format!("/aws/emr/{cluster}"), step: step.into(), wanted, tokens: BTreeMap::new() }
    }

    /// Passes on what has come since the last time; returns whether there was anything.
    ///
    /// # Errors
    /// Those of AWS and of `out`.
    pub async fn read(&mut self, session: &Session, known: &mut Vec<String>, out: &mut LogSink<'_>) -> Result<bool> {
        let step = format!("steps/{}/", self.step);
        // The driver first, but its application may only be named in the step's own log.
        let named = !known.is_empty();
        let mut any = false;
        if !named {
            any |= self.read_below(session, &step, known, out).await?;
        }
        for application in known.clone() {
            let driver = format!("applications/{application}/");
            any |= self.read_below(session, &driver, known, out).await?;
        }
        if named {
            any |= self.read_below(session, &step, known, out).await?;
        }
        Ok(any)
    }

    async fn read_below(
        &mut self,
        session: &Session,
        prefix: &str,
        known: &mut Vec<String>,
        out: &mut LogSink<'_>,
    ) -> Result<bool> {
        let mut any = false;
        let search = known.is_empty();
        for (name, stream) in self.streams(session, prefix).await? {
            let wanted = self.wanted.contains(&name.stream) && !matches!(name.what, LogOrigin::Executor(_));
            if !(wanted || search && name.stream == LogStream::Stderr) {
                continue;
            }
            let place = format!("{} {stream}", self.group);
            loop {
                let text = self.next_page(session, &stream).await?;
                if text.is_empty() {
                    break;
                }
                if search {
                    add(known, applications(text.as_bytes()));
                }
                if wanted {
                    any = true;
                    out(LogPiece { name: &name, place: &place, text: text.as_bytes() })?;
                }
            }
        }
        Ok(any)
    }

    /// Returns the outputs that have a stream by now, as they are best read; none when the group is not there.
    async fn streams(&self, session: &Session, prefix: &str) -> Result<Vec<(LogName, String)>> {
        let mut input = json!({ "logGroupName": self.group, "logStreamNamePrefix": prefix });
        let mut found = Vec::new();
        loop {
            let page: LogStreams = match session.call(&LOGS, "DescribeLogStreams", &input).await {
                Ok(page) => page,
                Err(error) if error.code == "ResourceNotFoundException" => return Ok(found),
                Err(error) => return Err(error.into()),
            };
            let names = page.log_streams.into_iter().map(|stream| stream.log_stream_name);
            found.extend(names.filter_map(|name| Some((LogName::parse(&name)?, name))));
            match page.next_token {
                Some(token) => input["nextToken"] = token.into(),
                None => break,
            }
        }
        found.sort();
        Ok(found)
    }

    /// Returns the next lines of a stream; nothing when all have been read. A page may be empty without being the last,
    /// which answers with the token it was asked with.
    async fn next_page(&mut self, session: &Session, stream: &str) -> Result<String> {
        loop {
            let mut input = json!({ "logGroupName": self.group, "logStreamName": stream, "startFromHead": true });
            let before = self.tokens.get(stream);
            if let Some(token) = before {
                input["nextToken"] = token.as_str().into();
            }
            let page: LogEvents = session.call(&LOGS, "GetLogEvents", &input).await?;
            let text: String = page.events.iter().flat_map(|event| [event.message.as_str(), "\n"]).collect();
            let next = page.next_forward_token;
            let is_last = next.is_none() || next.as_ref() == before;
            if let Some(token) = next {
                self.tokens.insert(stream.into(), token);
            }
            if is_last || !text.is_empty() {
                return Ok(text);
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogStreams {
    log_streams: Vec<LogStreamName>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogStreamName {
    log_stream_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEvents {
    events: Vec<LogEvent>,
    next_forward_token: Option<String>,
}

#[derive(Deserialize)]
struct LogEvent {
    message: String,
}
