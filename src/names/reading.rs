//! Locations that engines would look for elsewhere than their text says.

use super::Uri;

/// What `glob` of Hadoop and of Sail takes for a pattern. Source: `SparkHadoopUtil.isGlobPath` of Spark 3.5.
const PATTERN: &str = "*?[]{}\\";

/// What besides would make `spark-submit` read an object's name as another one or as a list of names: characters that
/// `java.net.URI` refuses or takes for an escape or a fragment. Source: `Utils.resolveURI` of Spark 3.5.
const NO_URI: &str = " %#,\"<>^`|";

impl Uri {
    /// Returns the first part of the location that an engine does not take as it is, or `None` when all read it alike.
    pub fn misread(&self) -> Option<&str> {
        let text = self.as_str();
        let pattern = |c: char| PATTERN.contains(c) || c.is_control();
        let Some((_, key)) = self.bucket_and_key() else {
            return escape(text).or_else(|| first(text, pattern));
        };
        // Hadoop makes one slash of two, and follows the dots.
        let odd = |part: &&str| matches!(*part, "" | "." | "..");
        let part = if key.is_empty() { None } else { key.split('/').find(odd) };
        part.map(|part| if part.is_empty() { "//" } else { part })
            .or_else(|| first(key, |c| pattern(c) || NO_URI.contains(c)))
    }
}

fn first(text: &str, fits: impl Fn(char) -> bool) -> Option<&str> {
    let (at, c) = text.char_indices().find(|(_, c)| fits(*c))?;
    text.get(at..at + c.len_utf8())
}

/// Returns the first `%` with two hexadecimal digits behind it.
fn escape(text: &str) -> Option<&str> {
    let is_escape = |sign: &&str| sign[1..].chars().all(|c| c.is_ascii_hexdigit());
    text.match_indices('%').find_map(|(at, _)| text.get(at..at + 3).filter(is_escape))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_that_engines_read_otherwise_are_found() {
        for (text, expected) in [
            ("file:/a b/C# stats/v1:2/50%/~/é/k=v", None),
            ("file:/a%20b", Some("%20")),
            ("file:/a[x]", Some("[")),
            ("file:/a\\b", Some("\\")),
            ("file:/a\nb", Some("\n")),
            ("s3://bucket", None),
            ("s3://bucket/a/b-c_d.e=f+g@h/é/", None),
            ("s3://bucket//x", Some("//")),
            ("s3://bucket/a//x", Some("//")),
            ("s3://bucket/a/../b", Some("..")),
            ("s3://bucket/./b", Some(".")),
            ("s3://bucket/{x}", Some("{")),
            ("s3://bucket/[x]", Some("[")),
            ("s3://bucket/a*", Some("*")),
            ("s3://bucket/a?", Some("?")),
            ("s3://bucket/a b", Some(" ")),
            ("s3://bucket/50%", Some("%")),
            ("s3://bucket/a#b", Some("#")),
        ] {
            assert_eq!(Uri::parse(text, Path::new("/")).unwrap().misread(), expected, "{text}");
        }
    }
}
