//! Numbers, sizes and times as people read them.

use indicatif::HumanCount;
use jiff::Timestamp;

/// Returns a number with thousands separators: `1,234,567`.
pub fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// Returns a number and its noun: `1 row`, `1,234 rows`.
pub fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Returns a size in decimal units, 1 MB being 1,000,000 bytes as EMR and S3 prices count: `1.8 MB`.
pub fn bytes(size: u64) -> String {
    if size < 1000 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1000.0;
    let mut units = ["kB", "MB", "GB", "TB", "PB", "EB"].into_iter().peekable();
    let mut unit = units.next().unwrap_or_default();
    // 999.95 would be written 1000.0.
    while value >= 999.95 && units.peek().is_some() {
        value /= 1000.0;
        unit = units.next().unwrap_or_default();
    }
    format!("{value:.1} {unit}")
}

/// Returns a duration with about three digits: `2.5 s`, `1 m 03 s`, `2 h 05 m`. Negative ones count as nothing.
pub fn seconds(duration: f64) -> String {
    let duration = duration.max(0.0);
    // 59.96 would be written 60.0.
    if duration < 59.95 {
        return format!("{duration:.1} s");
    }
    let whole = duration.round() as u64;
    if whole < 3600 {
        format!("{} m {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} m", whole / 3600, whole % 3600 / 60)
    }
}

/// Returns how long ago `then` was: `just now`, `5 min ago`, `3 h ago`, `2 days ago`, after 30 days the date (UTC).
/// A moment in the future, which a skewed clock gives, is `just now`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    match seconds {
        ..60 => "just now".into(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..2_592_000 => format!("{} ago", plural(seconds.unsigned_abs() / 86_400, "day")),
        _ => then.strftime("%F").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(plural(1, "row"), "1 row");
        assert_eq!(plural(0, "row"), "0 rows");
    }

    #[test]
    fn sizes_are_decimal_and_never_read_1000() {
        for (size, text) in [
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_800_000, "1.8 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }

    #[test]
    fn durations_never_read_60_seconds() {
        for (duration, text) in [
            (-1.0, "0.0 s"),
            (2.46, "2.5 s"),
            (59.94, "59.9 s"),
            (59.96, "1 m 00 s"),
            (63.4, "1 m 03 s"),
            (3599.7, "1 h 00 m"),
            (7500.0, "2 h 05 m"),
        ] {
            assert_eq!(seconds(duration), text);
        }
    }

    #[test]
    fn moments_are_told_from_now() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (then, text) in [
            ("2026-11-22T12:00:30Z", "just now"),
            ("2026-11-22T11:59:01Z", "just now"),
            ("2026-11-22T11:55:00Z", "5 min ago"),
            ("2026-11-22T09:00:00Z", "3 h ago"),
            ("2026-11-21T11:00:00Z", "1 day ago"),
            ("2026-10-24T12:00:00Z", "29 days ago"),
            ("2026-10-01T12:00:00Z", "2026-10-01"),
        ] {
            assert_eq!(ago(then.parse().unwrap(), now), text);
        }
    }
}
