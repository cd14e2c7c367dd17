//! When a schedule of EventBridge Scheduler fires: `at(…)`, `rate(…)`, or `cron(…)` with six fields. Source: its user guide,
//! "Schedule types". No crate reads these: a year behind the weekday, weekdays from 1 for Sunday, `W` and `#`, and an hour that
//! the change to summer time leaves out is left out.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// How many days are looked through for the next time: twice the 28 years after which weekdays are on the same dates again.
const LONGEST_LOOK: usize = 56 * 366;

/// How many times are looked at for the longest time between two: a week of minutes.
const FIRES: usize = 7 * 24 * 60;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When something fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Once.
    At(DateTime),
    /// Again and again after this time.
    Rate(SignedDuration),
    /// Whenever the clock on the wall shows this.
    Cron(Box<Cron>),
}

/// The fields of a `cron` expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    days: Days,
    months: BTreeSet<i16>,
    years: BTreeSet<i16>,
}

/// Days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// Those of these numbers.
    OfMonth(BTreeSet<i16>),
    Last,
    /// The working day nearest to this one, in the same month.
    Working(i16),
    /// Weekdays, 1 being Sunday.
    OfWeek(BTreeSet<i16>),
    /// The last such weekday of the month.
    LastOfWeek(i16),
    /// The nth such weekday of the month.
    NthOfWeek(i16, i8),
}

impl Schedule {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.strip_suffix(')').and_then(|text| text.split_once('('));
        let (kind, inner) = parts.ok_or("it is none of `at(…)`, `rate(…)`, `cron(…)`")?;
        match kind {
            "at" => {
                inner.parse().map(Self::At).map_err(|_| format!("`{inner}` is no time such as 2026-11-22T02:15:00"))
            }
            "rate" => rate(inner).map(Self::Rate),
            "cron" => cron(inner).map(|cron| Self::Cron(Box::new(cron))),
            _ => Err(format!("there is no kind of schedule `{kind}`")),
        }
    }

    /// Returns the first `count` times after `after`, fewer when it ends. `since`: when a rate began to be counted.
    pub fn next(&self, zone: &TimeZone, since: Timestamp, after: Timestamp, count: usize) -> Vec<Timestamp> {
        match self {
            Self::At(time) => moment(zone, *time).into_iter().filter(|at| *at > after).collect(),
            Self::Rate(every) => {
                let passed = after.duration_since(since).as_secs().div_euclid(every.as_secs()).max(0);
                let times = (passed..).map_while(|n| {
                    let n = i32::try_from(n).ok()?;
                    since.checked_add(every.checked_mul(n.checked_add(1)?)?).ok()
                });
                times.take(count).collect()
            }
            Self::Cron(cron) => {
                let today = zone.to_datetime(after).date();
                let days = std::iter::successors(Some(today), |day| day.tomorrow().ok()).take(LONGEST_LOOK);
                let times = days.filter(|day| cron.has(*day)).flat_map(|day| cron.times(day));
                times.filter_map(|time| moment(zone, time)).filter(|at| *at > after).take(count).collect()
            }
        }
    }

    /// Returns the longest time between two times at which it fires; `None` when it fires once, or never.
    pub fn longest_pause(&self) -> Option<SignedDuration> {
        // However long ago: what comes again and again did so then, too.
        let start = Timestamp::UNIX_EPOCH;
        let times = self.next(&TimeZone::UTC, start, start, FIRES);
        times.windows(2).map(|pair| pair[1].duration_since(pair[0])).max()
    }
}

/// Returns when the clock on the wall shows a time: the first time where it does so twice, and not at all where it never does.
fn moment(zone: &TimeZone, time: DateTime) -> Option<Timestamp> {
    let moment = zone.to_ambiguous_timestamp(time);
    match moment.offset() {
        AmbiguousOffset::Gap { .. } => None,
        _ => moment.compatible().ok(),
    }
}

impl Cron {
    fn has(&self, day: Date) -> bool {
        if !self.years.contains(&day.year()) || !self.months.contains(&day.month().into()) {
            return false;
        }
        let (number, weekday) = (i16::from(day.day()), i16::from(day.weekday().to_sunday_one_offset()));
        match &self.days {
            Days::OfMonth(days) => days.contains(&number),
            Days::Last => day == day.last_of_month(),
            Days::Working(wanted) => working(day, *wanted) == Some(day),
            Days::OfWeek(days) => days.contains(&weekday),
            Days::LastOfWeek(wanted) => weekday == *wanted && number > i16::from(day.days_in_month()) - 7,
            Days::NthOfWeek(wanted, nth) => weekday == *wanted && (day.day() - 1) / 7 + 1 == *nth,
        }
    }

    fn times(&self, day: Date) -> impl Iterator<Item = DateTime> {
        let times = self.hours.iter().flat_map(move |hour| self.minutes.iter().map(move |minute| (*hour, *minute)));
        times.filter_map(move |(hour, minute)| {
            let time = Time::new(hour.try_into().ok()?, minute.try_into().ok()?, 0, 0).ok()?;
            Some(day.to_datetime(time))
        })
    }
}

/// Returns the working day nearest to a day of the month that `day` is in.
fn working(day: Date, wanted: i16) -> Option<Date> {
    let wanted = Date::new(day.year(), day.month(), wanted.try_into().ok()?).ok()?;
    let days = match wanted.weekday().to_sunday_one_offset() {
        1 if wanted == wanted.last_of_month() => -2,
        1 => 1,
        7 if wanted.day() == 1 => 2,
        7 => -1,
        _ => 0,
    };
    wanted.checked_add(days.days()).ok()
}

fn rate(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("`{text}` is no rate such as `30 minutes` or `1 day`");
    let (number, unit) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(SignedDuration::from_secs).ok_or_else(wrong)
}

fn cron(text: &str) -> Result<Cron, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, day, month, weekday, year] = fields[..] else {
        return Err(format!(
            "`cron` has six fields (minutes, hours, day, month, weekday, year), found {}",
            fields.len()
        ));
    };
    let days = match (day, weekday) {
        ("?", "?") | ("*", "*") => Err("of day and weekday one must be `?`, and the other must not".to_string()),
        (day, "?") => of_month(day),
        ("?", weekday) => of_week(weekday),
        _ => Err("of day and weekday one must be `?`".to_string()),
    };
    Ok(Cron {
        minutes: set("minutes", minutes, 0..=59, &[])?,
        hours: set("hours", hours, 0..=23, &[])?,
        days: days?,
        months: set("month", month, 1..=12, &MONTHS)?,
        years: set("year", year, 1970..=2199, &[])?,
    })
}

fn of_month(text: &str) -> Result<Days, String> {
    if text == "L" {
        return Ok(Days::Last);
    }
    match text.strip_suffix('W') {
        Some(day) => number("day", day, &(1..=31), &[]).map(Days::Working),
        None => set("day", text, 1..=31, &[]).map(Days::OfMonth),
    }
}

fn of_week(text: &str) -> Result<Days, String> {
    let weekday = |text: &str| number("weekday", text, &(1..=7), &WEEKDAYS);
    if let Some((day, nth)) = text.split_once('#') {
        return Ok(Days::NthOfWeek(weekday(day)?, number("weekday", nth, &(1..=5), &[])? as i8));
    }
    match text.strip_suffix('L') {
        // The last day of a week.
        Some("") => Ok(Days::OfWeek([7].into())),
        Some(day) => weekday(day).map(Days::LastOfWeek),
        None => set("weekday", text, 1..=7, &WEEKDAYS).map(Days::OfWeek),
    }
}

type Range = std::ops::RangeInclusive<i16>;

/// Returns the numbers that a field stands for: `*`, `1,5`, `1-5`, `0/15`.
fn set(field: &str, text: &str, range: Range, names: &[&str]) -> Result<BTreeSet<i16>, String> {
    let mut found = BTreeSet::new();
    for item in text.split(',') {
        let (from, step) = item.split_once('/').map_or((item, None), |(from, step)| (from, Some(step)));
        let step = step.map(|step| number(field, step, &(1..=*range.end()), &[])).transpose()?;
        let (first, last) = match from.split_once('-') {
            _ if from == "*" => (*range.start(), *range.end()),
            Some((first, last)) => (number(field, first, &range, names)?, number(field, last, &range, names)?),
            None => {
                let first = number(field, from, &range, names)?;
                (first, if step.is_some() { *range.end() } else { first })
            }
        };
        if first > last {
            return Err(format!("`{item}`, its {field}, goes backwards"));
        }
        found.extend((first..=last).step_by(step.unwrap_or(1).unsigned_abs().into()));
    }
    Ok(found)
}

fn number(field: &str, text: &str, range: &Range, names: &[&str]) -> Result<i16, String> {
    let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
    let found = match named {
        Some(at) => i16::try_from(at).ok().map(|at| at + range.start()),
        None => text.parse().ok().filter(|number| range.contains(number)),
    };
    found.ok_or_else(|| format!("`{text}`, its {field}, is not from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, zone: &str, after: &str) -> Vec<String> {
        let (zone, since) = (TimeZone::get(zone).unwrap(), "2026-11-01T00:07:00Z".parse().unwrap());
        let times = Schedule::parse(expression).unwrap().next(&zone, since, after.parse().unwrap(), 2);
        times.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_next_times_are_those_of_the_service() {
        let now = "2026-11-22T02:15:00Z";
        for (expression, expected) in [
            ("cron(15 2 * * ? *)", ["2026-11-23T02:15:00Z", "2026-11-24T02:15:00Z"]),
            ("cron(0/30 8-9 ? * MON-FRI *)", ["2026-11-23T08:00:00Z", "2026-11-23T08:30:00Z"]),
            ("cron(0 6 ? * 1 *)", ["2026-11-22T06:00:00Z", "2026-11-29T06:00:00Z"]),
            ("cron(0 6 L * ? *)", ["2026-11-30T06:00:00Z", "2026-12-31T06:00:00Z"]),
            // The 28th is a Saturday; the first of August 2027 is a Sunday.
            ("cron(0 6 28W 11 ? 2026,2028)", ["2026-11-27T06:00:00Z", "2028-11-28T06:00:00Z"]),
            ("cron(0 6 1W AUG ? *)", ["2027-08-02T06:00:00Z", "2028-08-01T06:00:00Z"]),
            ("cron(0 6 ? * 6L *)", ["2026-11-27T06:00:00Z", "2026-12-25T06:00:00Z"]),
            ("cron(0 6 ? * TUE#1 *)", ["2026-12-01T06:00:00Z", "2027-01-05T06:00:00Z"]),
            ("cron(0 6 29 2 ? *)", ["2028-02-29T06:00:00Z", "2032-02-29T06:00:00Z"]),
            ("rate(30 minutes)", ["2026-11-22T02:37:00Z", "2026-11-22T03:07:00Z"]),
            ("rate(1 day)", ["2026-11-23T00:07:00Z", "2026-11-24T00:07:00Z"]),
        ] {
            assert_eq!(next(expression, "UTC", now), expected, "{expression}");
        }
        assert_eq!(next("at(2026-12-24T18:00:00)", "Europe/Berlin", now), ["2026-12-24T17:00:00Z"]);
        assert_eq!(next("at(2026-11-22T02:15:00)", "UTC", now), [""; 0], "it is over");
        assert_eq!(next("cron(0 6 31 2 ? *)", "UTC", now), [""; 0], "there is no such day");
    }

    #[test]
    fn an_hour_that_is_left_out_fires_nothing_and_one_that_comes_twice_fires_once() {
        let times = next("cron(30 2 * * ? *)", "Europe/Berlin", "2027-03-27T02:00:00Z");
        assert_eq!(times, ["2027-03-29T00:30:00Z", "2027-03-30T00:30:00Z"]);
        let times = next("cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00:00Z");
        assert_eq!(times, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_told() {
        for (expression, why) in [
            ("cron(15 2 * * *)", "found 5"),
            ("cron(15 2 * * * *)", "one must be `?`"),
            ("cron(15 2 ? * ? *)", "one must be `?`"),
            ("cron(15 24 * * ? *)", "`24`, its hours, is not from 0 to 23"),
            ("cron(15 2 ? * FRI-MON *)", "goes backwards"),
            ("cron(15 2 ? * MOO *)", "`MOO`, its weekday"),
            ("cron(0/0 2 * * ? *)", "`0`, its minutes"),
            ("rate(0 minutes)", "no rate"),
            ("rate(5 moons)", "no rate"),
            ("at(tomorrow)", "no time"),
            ("every day", "none of"),
        ] {
            let told = Schedule::parse(expression).unwrap_err();
            assert!(told.contains(why), "{expression}: {told}");
        }
    }
}
