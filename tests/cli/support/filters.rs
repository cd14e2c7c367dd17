//! What differs between two runs of the same test and is not what the test is about. The replacement is as wide as
//! what it stands for wherever columns could move.

/// Returns pairs of a regular expression and what it becomes, to be applied in this order.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        // Moments. Records that tests write by hand are of 2025 and stay.
        (r"(?m)^\d\d:\d\d:\d\dZ ", "HH:MM:SSZ "),
        (r#"("at": )"[^"]+""#, r#"$1"[time]""#),
        (r"20(2[6-9]|[3-9]\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "YYYY-MM-DDTHH:MM:SSZ"),
        // Durations: in sentences, then in columns, where they are aligned right.
        (r"\b(in|after) (\d+ m )?\d+(\.\d)? s\b", "$1 N.N s"),
        (r"( rows?  )(\d+ m )?\d+(\.\d)? s\b", "${1}N.N s"),
        (r", (\d+ m )?\d+(\.\d)? s\)", ", N.N s)"),
        (r" \d m \d\d s\b", "    N.N s"),
        (r" \d\d\.\d s\b", "  N.N s"),
        (r" \d\.\d s\b", " N.N s"),
        (r#"("seconds": ?)\d+\.\d+(e-\d+)?"#, "${1}N.N"),
        // Sizes: Parquet files differ by a few bytes with the engine's version.
        (r"\b\d{3} B\b", "NNN B"),
        (r"\b\d{3}\.\d kB", "NNN.N kB"),
        (r"\b\d\d\.\d kB", "NN.N kB"),
        (r"\b\d\.\d kB", "N.N kB"),
        (r#"("bytes": )\d+"#, "${1}N"),
        // Python 3.11 and later point at the place in the line.
        (r"(?m)^ *[~^]*\^[~^]*\n", ""),
        // Digests and processes.
        (r"\b[0-9a-f]{64}\b", "[sha256]"),
        (r"\b[0-9a-f]{12}\b", "xxxxxxxxxxxx"),
        (r"\bprocess \d+\b", "process PID"),
    ]
}
