//! Environment markers, `python_full_version < '3.11' and sys_platform == 'linux'`, for a platform that is not this one.
//!
//! pip reads them against the Python it runs in, whatever `--python-version` says: on a laptop with Python 3.13 it
//! would leave out what a cluster with 3.11 needs. Grammar: PEP 508.

use super::Platform;

/// Returns whether the marker holds on `platform`.
///
/// # Errors
/// A fragment that says what is not understood.
pub fn holds(marker: &str, platform: &Platform) -> Result<bool, String> {
    let mut reader = Reader { tokens: tokens(marker)?, at: 0, platform };
    let value = reader.either()?;
    match reader.next() {
        None => Ok(value),
        Some(token) => Err(format!("`{}` is not expected in a marker", token.text())),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name, `and`, `or`, `in`, `not`.
    Word(String),
    /// Between quotes.
    Text(String),
    /// A comparison or a parenthesis.
    Sign(String),
}

impl Token {
    fn text(&self) -> &str {
        let (Self::Word(text) | Self::Text(text) | Self::Sign(text)) = self;
        text
    }

    fn is(&self, word: &str) -> bool {
        !matches!(self, Self::Text(_)) && self.text() == word
    }
}

fn tokens(marker: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first == '\'' || first == '"' {
            let end = rest[1..].find(first).ok_or("a marker has a quote that is not closed")?;
            (Token::Text(rest[1..=end].into()), end + 2)
        } else if first == '(' || first == ')' {
            (Token::Sign(first.into()), 1)
        } else {
            let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            let sign = |c: char| "<>=!~".contains(c);
            let same = |c: char| if word(first) { word(c) } else { sign(c) };
            let length = rest.find(|c| !same(c)).unwrap_or(rest.len());
            let text = rest.get(..length).filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| format!("`{first}` is not expected in a marker"))?.to_string();
            (if word(first) { Token::Word(text) } else { Token::Sign(text) }, length)
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

struct Reader<'a> {
    tokens: Vec<Token>,
    at: usize,
    platform: &'a Platform,
}

/// One side of a comparison.
struct Side {
    value: String,
    /// Whether it came from a marker that holds a version.
    version: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn skip(&mut self, word: &str) -> bool {
        let there = self.tokens.get(self.at).is_some_and(|token| token.is(word));
        self.at += usize::from(there);
        there
    }

    fn either(&mut self) -> Result<bool, String> {
        let mut value = self.both()?;
        while self.skip("or") {
            value |= self.both()?;
        }
        Ok(value)
    }

    fn both(&mut self) -> Result<bool, String> {
        let mut value = self.one()?;
        while self.skip("and") {
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.skip("(") {
            let value = self.either()?;
            return if self.skip(")") { Ok(value) } else { Err("a marker has a `(` that is not closed".into()) };
        }
        let left = self.side()?;
        let mut sign = self.next().ok_or("a marker ends too early")?.text().to_string();
        if sign == "not" && self.skip("in") {
            sign = "not in".into();
        }
        let right = self.side()?;
        if left.version || right.version {
            return versions(&left.value, &sign, &right.value);
        }
        match sign.as_str() {
            "==" => Ok(left.value == right.value),
            "!=" => Ok(left.value != right.value),
            "in" => Ok(right.value.contains(&left.value)),
            "not in" => Ok(!right.value.contains(&left.value)),
            _ => Err(format!("`{sign}` does not compare `{}` and `{}`", left.value, right.value)),
        }
    }

    fn side(&mut self) -> Result<Side, String> {
        match self.next() {
            Some(Token::Text(value)) => Ok(Side { value, version: false }),
            Some(Token::Word(name)) => {
                let value = self.platform.marker(&name).ok_or_else(|| format!("there is no marker `{name}`"))?;
                Ok(Side { value, version: name.ends_with("_version") })
            }
            _ => Err("a marker ends too early".into()),
        }
    }
}

/// Compares as PEP 440 does, for versions that are numbers between dots.
fn versions(left: &str, sign: &str, right: &str) -> Result<bool, String> {
    if let Some(prefix) = right.strip_suffix(".*") {
        let same = starts(&numbers(left)?, &numbers(prefix)?);
        return match sign {
            "==" => Ok(same),
            "!=" => Ok(!same),
            _ => Err(format!("`{sign}` does not compare with `{right}`")),
        };
    }
    if sign == "in" || sign == "not in" {
        let listed = right.split([',', ' ', '|']).any(|item| item == left);
        return Ok(listed == (sign == "in"));
    }
    let (mut ours, mut theirs) = (numbers(left)?, numbers(right)?);
    let compatible = starts(&ours, &theirs[..theirs.len().saturating_sub(1)]);
    let longest = ours.len().max(theirs.len());
    ours.resize(longest, 0);
    theirs.resize(longest, 0);
    match sign {
        "==" => Ok(ours == theirs),
        "!=" => Ok(ours != theirs),
        "<" => Ok(ours < theirs),
        "<=" => Ok(ours <= theirs),
        ">" => Ok(ours > theirs),
        ">=" => Ok(ours >= theirs),
        "~=" => Ok(ours >= theirs && compatible),
        _ => Err(format!("`{sign}` does not compare versions")),
    }
}

fn starts(version: &[u64], prefix: &[u64]) -> bool {
    prefix.iter().enumerate().all(|(at, number)| version.get(at).copied().unwrap_or(0) == *number)
}

fn numbers(version: &str) -> Result<Vec<u64>, String> {
    let parts = version.split('.').map(|part| part.parse().map_err(|_| format!("`{version}` is not a version")));
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::super::Architecture;
    use super::*;

    fn on_311(marker: &str) -> Result<bool, String> {
        holds(marker, &Platform::new("3.11", Architecture::Aarch64).unwrap())
    }

    #[test]
    fn markers_are_read_for_the_platform_and_not_for_this_machine() {
        for holding in [
            "python_full_version >= '3.11'",
            "python_full_version == '3.11.*'",
            "python_version < \"3.12\" and sys_platform != 'win32'",
            "python_version ~= '3.9'",
            "'3.9' < python_version",
            "platform_machine == 'aarch64' or (sys_platform == 'darwin' and os_name == 'nt')",
            "sys_platform == 'win32' or sys_platform == 'darwin' or platform_system == 'Linux'",
            "python_version not in '3.9, 3.10' and platform_python_implementation == 'CPython'",
            "extra == ''",
        ] {
            assert_eq!(on_311(holding), Ok(true), "{holding}");
        }
        for failing in [
            "python_full_version < '3.11'",
            "python_full_version == '3.1.*'",
            "python_full_version > '3.11'",
            "sys_platform == 'win32' or python_version == '3.1'",
            "sys_platform == 'linux' and (os_name == 'nt' or platform_machine == 'x86_64')",
            "python_version ~= '3.12'",
            "python_version ~= '3.10.0'",
            "'Win' in platform_system",
        ] {
            assert_eq!(on_311(failing), Ok(false), "{failing}");
        }
    }

    #[test]
    fn what_is_not_understood_is_no_marker_that_holds() {
        for wrong in [
            "",
            "python_version",
            "python_version >=",
            "python_version >= '3.11",
            "(python_version >= '3.11'",
            "python_version >= '3.11' os_name",
            "phase == 'moon'",
            "python_version >= 'x'",
            "sys_platform < 'linux'",
            "python_version === '3.11'",
            "os_name € 'x'",
            "python_version > '3.*'",
        ] {
            assert!(on_311(wrong).is_err(), "{wrong}");
        }
    }
}
