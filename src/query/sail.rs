//! Why the embedded engine refuses a query, in words for people. Source of its words: Sail 0.7.2, tried.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use unicode_width::UnicodeWidthStr as _;

use crate::error::{Error, Kind};

/// `found both at 14:18 expected 'AS', identifier, …`: the place is a range of bytes.
static UNEXPECTED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?s)found (?<found>.+?)(?: at (?<start>\d+):(?<end>\d+))? expected (?<expected>.*)"));

/// How Sail spells the name `a.b`.
static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"ObjectName\(\[(.*?)\]\)"));
static PART: LazyLock<Regex> = LazyLock::new(|| pattern(r#"Identifier\("(.*?)"\)"#));

/// Most things that are listed as expected; of a list of dozens nobody reads more.
const MOST_EXPECTED: usize = 6;

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| unreachable!("a pattern is wrong: {error}"))
}

/// Returns the error of a statement that Sail refuses, with its message and, for a mistake in the grammar, its place.
pub fn refused(message: &str, sql: &str) -> Error {
    let error = Error::new(Kind::Usage, "the query cannot be run");
    if let Some(found) = UNEXPECTED.captures(message) {
        let length = sql.len();
        let at = |name: &str| found.name(name).and_then(|text| text.as_str().parse().ok());
        let range = at("start").unwrap_or(length)..at("end").unwrap_or(length + 1);
        let expected: Vec<&str> = found["expected"].split(", ").map(|word| word.trim_start_matches("or ")).collect();
        let what = if found.name("start").is_some() { format!("`{}`", &found["found"]) } else { found["found"].into() };
        let error = error.detail(format!("{}unexpected {what}{}", pointed(sql, range), listed(&expected)));
        // Where a name may follow and a word stands, it is one that SQL keeps for itself.
        let is_word = found["found"].chars().all(|c| c.is_alphanumeric() || c == '_');
        if is_word && found.name("start").is_some() && expected.contains(&"identifier") {
            let word = &found["found"];
            return error.hint(format!("`{word}` is a word of SQL: as a name it needs backticks"));
        }
        return error;
    }
    let named = |name: &regex::Captures<'_>| {
        PART.captures_iter(&name[1]).map(|part| part[1].to_string()).collect::<Vec<_>>().join(".")
    };
    let message = NAME.replace_all(message, named).into_owned();
    let hint = if message.contains("calls cannot be nested") {
        Some("an alias called as a column hides the column, in HAVING too: choose another alias")
    } else if message.contains("No field named") && message.contains("\"#") {
        Some("columns outside of aggregates must be named in GROUP BY")
    } else if message.contains("remain available for the total memory pool") {
        Some("it needs more memory than it may take: raise `memory:` of the target")
    } else {
        None
    };
    hint.into_iter().fold(error.detail(message), Error::hint)
}

/// Returns the line of the statement that bytes are in, with a mark below them.
fn pointed(sql: &str, range: Range<usize>) -> String {
    let mut start = range.start;
    for line in sql.split('\n') {
        if start <= line.len() {
            let end = line.len().min(start + range.len());
            let (before, marked) = (line.get(..start).unwrap_or(line), line.get(start..end).unwrap_or_default());
            return format!("{line}\n{}{} ", " ".repeat(before.width()), "^".repeat(marked.width().max(1)));
        }
        start -= line.len() + 1;
    }
    String::new()
}

fn listed(expected: &[&str]) -> String {
    if expected.len() > MOST_EXPECTED {
        return String::new();
    }
    format!(", expected {}", expected.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(message: &str, sql: &str) -> String {
        refused(message, sql).detail.unwrap()
    }

    #[test]
    fn a_mistake_in_the_grammar_is_pointed_at() {
        let message = "invalid argument: found selct at 3:8 expected something else, ';', statement, or end of input";
        let told = "  selct 1\n  ^^^^^ unexpected `selct`, expected something else, ';', statement, end of input";
        assert_eq!(detail(message, "\n  selct 1"), told);
        let wide = "invalid argument: found frm at 21:24 expected ',', 'FROM', or end of input";
        let told =
            "select '日本' as x frm t\n                   ^^^ unexpected `frm`, expected ',', 'FROM', end of input";
        assert_eq!(detail(wide, "select '日本' as x frm t"), told, "the place is in bytes, the mark in columns");
        let end = "invalid argument: found end of input expected expression";
        assert_eq!(
            detail(end, "select\n日本 from"),
            "日本 from\n         ^ unexpected end of input, expected expression"
        );
    }

    #[test]
    fn a_word_that_cannot_be_a_name_is_told() {
        let message =
            "invalid argument: found both at 14:18 expected 'OVER', '.', '[', 'IS', 'NOT', 'AS', identifier, '('";
        let error = refused(message, "select sum(n) both from t");
        assert_eq!(error.detail.unwrap(), "select sum(n) both from t\n              ^^^^ unexpected `both`");
        assert_eq!(error.hints, ["`both` is a word of SQL: as a name it needs backticks"]);
    }

    #[test]
    fn names_are_spelled_as_people_do() {
        let message = r#"attribute ObjectName([Identifier("n"), Identifier("x")]) is missing from the schema"#;
        assert_eq!(detail(message, "select n.x"), "attribute n.x is missing from the schema");
    }

    #[test]
    fn what_sail_takes_otherwise_has_advice() {
        let nested = "Aggregate function calls cannot be nested: 'sum(t.#1)' is nested inside 'sum(sum(t.#1) AS n)'";
        assert!(refused(nested, "").hints[0].contains("alias"));
        let field = "No field named t.\"#0\".\nValid fields are \"count(Int64(1))\".";
        assert!(refused(field, "").hints[0].contains("GROUP BY"));
        let memory = "Failed to allocate additional 272.0 MB for HashJoinInput[0] with 51.3 MB already allocated for \
                      this reservation - 48.9 MB remain available for the total memory pool: fair(pool_size: 150.0 MB)";
        assert!(refused(memory, "").hints[0].contains("`memory:`"));
    }
}
