//! Scales: where a value stands in a drawing, round marks along an axis, and how a value is written.

use jiff::civil::Date;

use crate::job::ShowAs;

/// A linear scale.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    /// Values at the two ends.
    pub(super) from: (f64, f64),
    /// Places at the two ends, in pixels.
    pub(super) to: (f64, f64),
}

impl Scale {
    pub(super) fn at(&self, value: f64) -> f64 {
        let span = self.from.1 - self.from.0;
        let share = if span == 0.0 { 0.5 } else { (value - self.from.0) / span };
        self.to.0 + share * (self.to.1 - self.to.0)
    }

    /// Returns round values within the scale, about as many as wanted.
    pub(super) fn ticks(&self, wanted: f64) -> Vec<f64> {
        let step = step((self.from.1 - self.from.0) / wanted);
        let first = (self.from.0 / step).ceil() as i64;
        let last = (self.from.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|at| at as f64 * step).collect()
    }
}

/// Returns the round number, 1, 2 or 5 times a power of ten, that is at least `least`.
pub(super) fn step(least: f64) -> f64 {
    if !least.is_finite() || least <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| round * power >= least * (1.0 - 1e-9));
    round.unwrap_or(10.0) * power
}

/// Returns the range of values, with 0 in it unless `free`.
pub(super) fn range(values: impl Iterator<Item = f64>, free: bool) -> (f64, f64) {
    let start = if free { (f64::INFINITY, f64::NEG_INFINITY) } else { (0.0, 0.0) };
    let (low, high) = values.filter(|value| value.is_finite()).fold(start, |(low, high), v| (low.min(v), high.max(v)));
    match low <= high {
        true if low == high => (low, low + 1.0),
        true => (low, high),
        false => (0.0, 1.0),
    }
}

/// Returns a value as it is shown.
pub(super) fn shown(value: f64, show_as: ShowAs) -> String {
    match show_as {
        ShowAs::Percent => format!("{} %", trimmed(value * 100.0, usize::from(value.abs() < 0.1 && value != 0.0))),
        ShowAs::Signed => {
            let text = trimmed(value.abs(), 2);
            let is_nothing = text.chars().all(|c| matches!(c, '0' | '.'));
            format!(
                "{}{text}",
                if is_nothing {
                    ""
                } else if value < 0.0 {
                    "−"
                } else {
                    "+"
                }
            )
        }
        ShowAs::Number => number(value),
    }
}

/// Returns a number with separators; whole unless it is small.
pub(super) fn number(value: f64) -> String {
    let whole = value.fract() == 0.0 || value.abs() >= 100.0;
    let text = trimmed(value.abs(), if whole { 0 } else { 2 });
    let (digits, rest) = text.split_once('.').map_or((text.as_str(), None), |(digits, rest)| (digits, Some(rest)));
    let parted = digits.parse().map_or_else(|_| digits.to_string(), crate::report::count);
    let sign = if value < 0.0 && text.chars().any(|c| matches!(c, '1'..='9')) { "−" } else { "" };
    format!("{sign}{parted}{}", rest.map_or_else(String::new, |rest| format!(".{rest}")))
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.starts_with('-') && text.chars().all(|c| matches!(c, '-' | '0' | '.')) { text[1..].into() } else { text }
}

/// A place along time or along any order, read from text: `2026-10`, `2026-10-31`, a moment, or something else.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimePoint {
    /// As it was read.
    pub(super) text: String,
    date: Option<Date>,
    is_month: bool,
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl TimePoint {
    pub(super) fn read(text: &str) -> Self {
        let month = format!("{text}-01").parse::<Date>().ok().filter(|_| text.len() == 7);
        let date = month.or_else(|| text.get(..10).and_then(|day| day.parse().ok()));
        Self { text: text.into(), date, is_month: month.is_some() }
    }

    /// Returns its place among others of its kind, unless only their order is known.
    pub(super) fn place(&self) -> Option<f64> {
        match self.date {
            // Months are equally long, or lines would bend where nothing does.
            Some(date) if self.is_month => Some(f64::from(date.year()) * 12.0 + f64::from(date.month())),
            Some(date) => date.since(Date::ZERO).ok().map(|span| f64::from(span.get_days())),
            None => self.text.parse().ok().filter(|number: &f64| number.is_finite()),
        }
    }

    /// Returns it as it is said: `Oct 2026`.
    pub(super) fn long(&self) -> String {
        match self.date {
            Some(date) if self.is_month => format!("{} {}", month(date), date.year()),
            Some(date) => date.to_string(),
            None => self.text.clone(),
        }
    }

    /// Returns what stands below an axis; `year` says whether the year is to be named.
    pub(super) fn short(&self, year: bool) -> String {
        match self.date {
            Some(date) if self.is_month && year => format!("{} ’{:02}", month(date), date.year().rem_euclid(100)),
            Some(date) if self.is_month => month(date).into(),
            _ => self.long(),
        }
    }

    /// Returns the year, of what has one.
    pub(super) fn year(&self) -> Option<i16> {
        self.date.map(Date::year)
    }
}

fn month(date: Date) -> &'static str {
    MONTHS[usize::from(date.month().unsigned_abs()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_within() {
        let scale = |from| Scale { from, to: (0.0, 100.0) };
        assert_eq!(scale((0.0, 0.13)).ticks(4.0), [0.0, 0.05, 0.1]);
        assert_eq!(scale((-0.4, 0.4)).ticks(4.0), [-0.4, -0.2, 0.0, 0.2, 0.4]);
        assert_eq!(scale((0.0, 1.0)).at(0.25), 25.0);
        assert_eq!(scale((3.0, 3.0)).at(3.0), 50.0, "a range of nothing has a middle");
        assert_eq!(range([f64::NAN, 3.0].into_iter(), true), (3.0, 4.0));
    }

    #[test]
    fn values_are_written_for_people() {
        for (value, show_as, text) in [
            (0.0456, ShowAs::Percent, "4.6 %"),
            (0.64, ShowAs::Percent, "64 %"),
            (0.0, ShowAs::Percent, "0 %"),
            (0.174, ShowAs::Signed, "+0.17"),
            (-0.003, ShowAs::Signed, "0.00"),
            (-0.12, ShowAs::Signed, "−0.12"),
            (1234.0, ShowAs::Number, "1,234"),
            (-1234.56, ShowAs::Number, "−1,235"),
            (0.5, ShowAs::Number, "0.50"),
        ] {
            assert_eq!(shown(value, show_as), text);
        }
    }

    #[test]
    fn months_days_and_numbers_have_places() {
        let place = |text| TimePoint::read(text).place();
        assert_eq!(place("2026-01").unwrap() - place("2025-12").unwrap(), 1.0);
        assert_eq!(place("2026-03-01").unwrap() - place("2026-02-28 10:00:00").unwrap(), 1.0);
        assert_eq!((place("7"), place("later")), (Some(7.0), None));
        let month = TimePoint::read("2026-01");
        assert_eq!(
            (month.long(), month.short(true), month.short(false)),
            ("Jan 2026".into(), "Jan ’26".into(), "Jan".into())
        );
    }
}
