//! Quantities with a unit: `7d`, `500ms`, `20%`, `64g`.

use std::time::Duration;

/// Milliseconds of each unit, largest first.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Returns the seconds of `7d`, `12h`, `90s` or `1d12h`; `None` when it is not a duration of whole seconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let pause = parse_pause(text)?;
    if pause.subsec_millis() > 0 {
        return None;
    }
    i64::try_from(pause.as_secs()).ok()
}

/// Returns the time that `5s`, `500ms` or `1s500ms` is; `None` when it is not a duration.
pub fn parse_pause(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    let mut left = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let after = &rest[digits..];
        let unit = &after[..after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len())];
        // Units come once each and in order: `5m1d` is more likely a slip than meant.
        let (_, factor) = left.find(|(name, _)| *name == unit)?;
        total = total.checked_add(rest[..digits].parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(Duration::from_millis(total))
}

/// Returns the share, 0 to 1, that `5%` or `0.05` is; `None` when it is neither or outside.
pub fn parse_share(text: &str) -> Option<f64> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = super::tree::core_float(number)? / whole;
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Returns the bytes of `4g` or `512m`, in powers of 1,024 as Spark and the JVM count; `None` when it is no size or none
/// at all.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let power = match text[digits..].to_ascii_lowercase().as_str() {
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        _ => return None,
    };
    let bytes = text[..digits].parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))?;
    (bytes > 0).then_some(bytes)
}
