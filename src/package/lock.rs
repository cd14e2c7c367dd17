//! Reading a lock: packages pinned by version and hash, as `uv pip compile --generate-hashes` and `pip-compile` write.

use super::{Platform, marker};
use crate::error::{Error, Kind, Result};

/// A package of a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Its name in lower case with `-` between words. Source: PEP 503.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Of its artifacts for all platforms, `sha256:…`, sorted.
    pub hashes: Vec<String>,
}

impl Pin {
    /// Returns the pin as a line for pip.
    pub fn requirement(&self) -> String {
        let hashes: String = self.hashes.iter().map(|hash| format!(" --hash={hash}")).collect();
        format!("{}=={}{hashes}\n", self.name, self.version)
    }
}

/// Returns the packages that `lock` pins for `platform`, by name. `shown` is what the file is called in errors.
///
/// # Errors
/// `Usage` at the first line that is not a pin with hashes: such a line would make two builds differ.
pub fn read(shown: &str, lock: &str, platform: &Platform) -> Result<Vec<Pin>> {
    let mut pins: Vec<Pin> = Vec::new();
    for (number, line) in logical_lines(lock) {
        let refuse = |what: &str| {
            Error::new(Kind::Usage, format!("{shown}:{number}: {what}"))
                .detail(line.chars().take(80).collect::<String>())
        };
        if line.starts_with('-') {
            return Err(refuse("a lock has packages only, no options")
                .hint("give pip its options in the environment: `PIP_INDEX_URL`, `PIP_FIND_LINKS`"));
        }
        let (requirement, hashes) = line.split_once(" --hash=").unwrap_or((&line, ""));
        let (requirement, condition) = requirement.split_once(';').unwrap_or((requirement, ""));
        let pin = pin(requirement, hashes).map_err(|what| {
            refuse(&what).hint("make the lock with `uv pip compile --universal --generate-hashes requirements.in`")
        })?;
        let applies =
            condition.trim().is_empty() || marker::holds(condition, platform).map_err(|what| refuse(&what))?;
        if applies && pins.iter().any(|other| other.name == pin.name) {
            return Err(refuse(&format!("`{}` is pinned twice for {platform}", pin.name)));
        }
        if applies {
            pins.push(pin);
        }
    }
    pins.sort();
    Ok(pins)
}

fn pin(requirement: &str, hashes: &str) -> Result<Pin, String> {
    let (name, version) = requirement.split_once("==").ok_or("a line must pin its package: `name==version`")?;
    let (name, version) = (name.split('[').next().unwrap_or_default().trim(), version.trim());
    let plain = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+!".contains(c))
    };
    if !plain(name) || !plain(version) {
        return Err("a line must pin its package: `name==version`".into());
    }
    let mut hashes: Vec<String> = hashes.split("--hash=").map(|hash| hash.trim().to_string()).collect();
    if let Some(wrong) = hashes.iter().find(|hash| !is_hash(hash)) {
        let none = "a package needs the hashes of its artifacts: `--hash=sha256:…`".into();
        return Err(if wrong.is_empty() {
            none
        } else {
            format!("`{wrong}` is not a SHA-256: `sha256:` and 64 digits")
        });
    }
    hashes.sort();
    Ok(Pin { name: normalised(name), version: version.into(), hashes })
}

fn is_hash(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns a package's name in lower case with `-` between words.
pub fn normalised(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
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
    use super::super::Architecture;
    use super::*;

    fn on(python: &str, lock: &str) -> Result<Vec<Pin>> {
        read("r.lock", lock, &Platform::new(python, Architecture::X86_64).unwrap())
    }

    fn hash(digit: &str) -> String {
        format!("sha256:{}", digit.repeat(64))
    }

    #[test]
    fn each_python_gets_its_own_pins() {
        let lock = format!(
            "# a comment\nB_b.c==1.0 \\\n    --hash={b} \\\n    --hash={a}  # wheel\n\na==1 ; python_version < '3.11' --hash={a}\n\
             a[x]==2 ; python_version >= '3.11' \\\n  --hash={a}\nwin==1 ; sys_platform == 'win32' --hash={a}\n",
            a = hash("a"),
            b = hash("b")
        );
        let pins = on("3.11", &lock).unwrap();
        let found: Vec<_> = pins.iter().map(|pin| (pin.name.as_str(), pin.version.as_str())).collect();
        assert_eq!(found, [("a", "2"), ("b-b-c", "1.0")]);
        assert_eq!(pins[1].requirement(), format!("b-b-c==1.0 --hash={} --hash={}\n", hash("a"), hash("b")));
        assert_eq!(on("3.10", &lock).unwrap()[0].version, "1");
    }

    #[test]
    fn what_would_make_builds_differ_is_refused_with_its_line() {
        let hash = hash("a");
        for (lock, says) in [
            ("\npandas>=2 --hash=sha256:1", "r.lock:2: a line must pin"),
            ("pandas==2.*", "must pin"),
            ("pandas==2", "needs the hashes"),
            ("pandas==2 --hash=md5:12", "is not a SHA-256"),
            ("--index-url https://u:p@host/x", "no options"),
            ("-r other.txt", "no options"),
            ("pandas @ https://host/pandas.whl", "must pin"),
            (&format!("a==1 ; moon == 'full' --hash={hash}"), "there is no marker `moon`"),
            (&format!("a==1 --hash={hash}\nA==2 --hash={hash}"), "r.lock:2: `a` is pinned twice for Python 3.11"),
        ] {
            let error = on("3.11", lock).unwrap_err();
            assert!(error.message.contains(says), "{lock}: {}", error.message);
        }
    }
}
