//! `soflow ingest dump`: the Stack Exchange data dump into raw.

use jiff::Timestamp;
use jiff::civil::time;
use jiff::tz::TimeZone;

use super::super::app::{App, Project, yesterday};
use super::super::ground::Ground;
use super::args::DumpArgs;
use super::{Arrived, tell};
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::ingest::dump;

pub async fn from_dump(
    app: &App,
    project: &Project,
    ground: &Ground,
    args: &DumpArgs,
    mut sink: Box<dyn Sink>,
) -> Result<u8> {
    let midnight = |date: jiff::civil::Date| TimeZone::UTC.to_timestamp(date.to_datetime(time(0, 0, 0, 0)));
    let taken = args.taken.map(midnight).transpose();
    let taken = taken.map_err(|error| Error::new(Kind::Usage, "`--taken` is no date of a dump").caused_by(error))?;
    let date = args.date.unwrap_or_else(yesterday);
    let request = dump::Request {
        input: project.cwd.join(&args.input),
        raw: project.target()?.lake.raw.clone(),
        site: args.site.clone(),
        date,
        only: args.only.clone(),
        taken,
        replace: args.replace,
        now: Timestamp::now(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        part_bytes: dump::PART_BYTES,
    };
    let summary = dump::ingest(ground.store.as_ref(), &request, sink.as_mut()).await?;
    tell(app, project, &Arrived { summary, date, unit: "rows" }, sink)
}
