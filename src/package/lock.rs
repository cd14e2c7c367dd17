//! Reading a lock: packages pinned by version and hash, as `uv pip compile --generate-hashes` and `pip-compile` write.

use crate::error::{Error, Kind, Result};

/// Returns the requirements of `lock`, each on one line, sorted; those for other platforms too: uv reads the markers.
/// `shown` is what the file is called in errors.
///
/// # Errors
/// `Usage` at the first line that is not a pin with hashes: such a line would make two builds differ.
pub fn read(shown: &str, lock: &str) -> Result<Vec<String>> {
    let mut pins = Vec::new();
    for (number, line) in logical_lines(lock) {
        let refuse = |what: &str| {
            Error::new(Kind::Usage, format!("{shown}:{number}: {what}"))
                .detail(line.chars().take(80).collect::<String>())
        };
        if line.starts_with('-') {
            return Err(refuse("a lock has packages only, no options")
                .hint("name indexes in the environment: `PIP_INDEX_URL`, `PIP_FIND_LINKS`"));
        }
        let wrong = problem(&line).map(refuse);
        if let Some(error) = wrong {
            return Err(error.hint("make the lock with `uv pip compile --universal --generate-hashes requirements.in`"));
        }
        pins.push(line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    pins.sort();
    Ok(pins)
}

fn problem(line: &str) -> Option<&'static str> {
    let (requirement, hashes) = line.split_once(" --hash=").unwrap_or((line, ""));
    let pinned = requirement.split(';').next().and_then(|pin| pin.split_once("=="));
    if pinned.is_none_or(|(name, version)| name.contains(['@', '<', '>', ',']) || version.contains(['*', ','])) {
        return Some("a line must pin its package: `name==version`");
    }
    if hashes.is_empty() {
        return Some("a package needs the hashes of its artifacts: `--hash=sha256:…`");
    }
    let is_sha256 = |hash: &str| {
        hash.trim()
            .strip_prefix("sha256:")
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    (!hashes.split("--hash=").all(is_sha256)).then_some("a hash is not a SHA-256: `sha256:` and 64 digits")
}

/// Returns the package and version that a requirement names.
pub fn pinned(requirement: &str) -> &str {
    requirement.split([' ', ';']).next().unwrap_or_default()
}

/// Returns the lines with what they continue on, without comments and blank ones, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    for (at, line) in text.lines().enumerate() {
        let line = if line.trim_start().starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default() };
        let (line, more) = line.trim().strip_suffix('\\').map_or((line.trim(), false), |line| (line.trim(), true));
        match lines.last_mut() {
            Some((_, whole)) if continues => *whole = format!("{whole} {line}"),
            _ => lines.push((at + 1, line.to_string())),
        }
        continues = more;
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_its_requirements_however_they_are_laid_out() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let lock = format!(
            "# a comment\nb==1.0 \\\n    --hash=sha256:{b} \\\n    --hash=sha256:{a}  # wheel\n\n\
             a[x]==2 ; python_version >= '3.11' \\\n  --hash=sha256:{a}\n"
        );
        let pins = read("r.lock", &lock).unwrap();
        let expected = [
            format!("a[x]==2 ; python_version >= '3.11' --hash=sha256:{a}"),
            format!("b==1.0 --hash=sha256:{b} --hash=sha256:{a}"),
        ];
        assert_eq!(pins, expected);
        assert_eq!(pinned(&pins[0]), "a[x]==2");
    }

    #[test]
    fn what_would_make_builds_differ_is_refused_with_its_line() {
        for (lock, says) in [
            ("\npandas>=2 --hash=sha256:1", "r.lock:2: a line must pin"),
            ("pandas==2.*", "must pin"),
            ("pandas==2", "needs the hashes"),
            ("pandas==2 --hash=md5:12", "is not a SHA-256"),
            ("--index-url https://u:p@host/x", "no options"),
            ("-r other.txt", "no options"),
            ("pandas @ https://host/pandas.whl", "must pin"),
        ] {
            let error = read("r.lock", lock).unwrap_err();
            assert!(error.message.contains(says), "{lock}: {}", error.message);
        }
    }
}
