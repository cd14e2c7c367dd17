//! Quantities with a unit: `7d`, `20%`.

/// Seconds of each unit, largest first.
const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Returns the seconds of `7d`, `12h`, `90s` or `1d12h`; `None` when it is not a duration.
pub fn parse_duration(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    let mut rest = text;
    let mut left = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let unit = rest[digits..].chars().next()?;
        // Units come once each and in order: `5m1d` is more likely a slip than meant.
        let (_, factor) = left.find(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(rest[..digits].parse::<i64>().ok()?.checked_mul(*factor)?)?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    (!text.is_empty()).then_some(seconds)
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
