//! Patterns with names: `instance type {type} is not supported` finds a text and takes the type out of it.

use std::collections::BTreeMap;

/// What a pattern took out of a text, by name.
pub type Captures = BTreeMap<String, String>;

/// Longest thing taken out, in bytes: what is longer was not meant.
const LONGEST: usize = 512;

/// What names are put between.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Returns what the pattern takes out of the text, or `None` when it is not in it.
///
/// The parts between braces stand for the shortest text up to the next part, or at the end of the pattern for one word.
/// `{}` takes nothing out.
pub fn find(pattern: &str, text: &str) -> Option<Captures> {
    let mut parts = pattern.split('{');
    let head = parts.next().unwrap_or_default();
    let mut at = text.find(head)? + head.len();
    let mut captures = Captures::new();
    for part in parts {
        let (name, literal) = part.split_once('}').unwrap_or((part, ""));
        if literal.is_empty() {
            at += text[at..].len() - text[at..].trim_start_matches(QUOTES).len();
        }
        let rest = &text[at..];
        let length = if literal.is_empty() { word(rest) } else { rest.find(literal)? };
        if length > LONGEST && !name.is_empty() {
            return None;
        }
        if !name.is_empty() {
            captures.insert(name.to_string(), tidy(&rest[..length]).to_string());
        }
        at += length + literal.len();
    }
    Some(captures)
}

/// Returns the template with each `{name}` replaced.
pub fn fill(template: &str, captures: &Captures) -> String {
    let mut filled = template.to_string();
    for (name, value) in captures {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

fn word(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'' | ')')).unwrap_or(text.len())
}

fn tidy(text: &str) -> &str {
    text.trim().trim_matches(QUOTES).trim_end_matches(['.', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
        find(pattern, text).map(|captures| captures.into_iter().collect())
    }

    #[test]
    fn a_pattern_takes_out_what_it_names() {
        let text = "On the master instance (i-0ab), bootstrap action 2 returned a non-zero return code";
        let pattern = "instance ({id}), bootstrap action {n} returned a non-zero";
        assert_eq!(found(pattern, text), Some(vec![("id".into(), "i-0ab".into()), ("n".into(), "2".into())]));
        assert_eq!(found("No module named {m}", "No module named 'a.b'."), Some(vec![("m".into(), "a.b".into())]));
        assert_eq!(found("No module named '{m}'", "No module named 'a.b'."), Some(vec![("m".into(), "a.b".into())]));
        assert_eq!(found("a{}c", "a bb c"), Some(vec![]));
        assert_eq!(found("a{}d", "a bb c"), None);
        assert_eq!(found("exit {code}", "exit 7."), Some(vec![("code".into(), "7".into())]));
    }

    #[test]
    fn a_template_is_filled() {
        let captures = Captures::from([("n".to_string(), "2".to_string())]);
        assert_eq!(fill("action {n} and {unknown}", &captures), "action 2 and {unknown}");
    }
}
