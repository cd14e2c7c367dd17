//! SQL statements as text: where one ends, and which may be run. Published tables change by publishing alone, so only
//! statements that read are.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// Quoted text and comments first, so that a word inside them is not taken for a keyword. What is quoted may be left open.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    let comment = r"--[^\n]*|/\*(?s:.*?)\*/|/\*";
    let quoted = r#"'(?s:\\.|''|[^'\\])*(?<end1>')?|"(?s:\\.|[^"\\])*(?<end2>")?|`(?:``|[^`])*(?<end3>`)?"#;
    let pattern = format!(r"{comment}|{quoted}|[A-Za-z_]\w*|[()]|\S");
    Regex::new(&pattern).unwrap_or_else(|error| unreachable!("the pattern of tokens is wrong: {error}"))
});

const READS: [&str; 5] = ["select", "values", "show", "describe", "desc"];
const EXPLAIN_MODES: [&str; 6] = ["extended", "codegen", "cost", "formatted", "analyze", "verbose"];

/// What may follow `describe` other than a table's name.
const DESCRIBED: [&str; 10] =
    ["table", "function", "catalog", "database", "schema", "namespace", "query", "extended", "select", "with"];

/// Text that people typed or piped, as statements.
#[derive(Debug, PartialEq, Eq)]
pub struct StatementText<'a> {
    /// The statements that a semicolon ends, without it.
    pub statements: Vec<&'a str>,
    /// What is behind the last semicolon. Empty when that is blank, or a comment.
    pub rest: &'a str,
    /// Whether the rest ends within quotes or a comment.
    pub is_open: bool,
}

/// Returns the statements of a text.
pub fn split(text: &str) -> StatementText<'_> {
    let (mut statements, mut begin, mut has_words, mut is_open) = (Vec::new(), 0, false, false);
    for found in TOKEN.captures_iter(text) {
        let Some(token) = found.get(0) else { continue };
        match token.as_str() {
            ";" => {
                if has_words {
                    statements.push(text[begin..token.start()].trim());
                }
                (begin, has_words) = (token.end(), false);
            }
            "/*" => (has_words, is_open) = (true, true),
            word => {
                let is_closed = ["end1", "end2", "end3"].iter().any(|end| found.name(end).is_some());
                is_open |= word.starts_with(['\'', '"', '`']) && !is_closed;
                has_words |= !is_comment(word);
            }
        }
    }
    StatementText { statements, rest: if has_words { text[begin..].trim() } else { "" }, is_open }
}

/// Returns the statement as the local engine takes it.
pub fn for_sail(sql: &str) -> String {
    let mut words = TOKEN.find_iter(sql);
    let (first, second) = (words.next(), words.next());
    // Sail 0.7.2 wants the word TABLE, which is optional in Spark.
    match (first, second) {
        (Some(verb), Some(table))
            if ["describe", "desc"].contains(&verb.as_str().to_lowercase().as_str())
                && !DESCRIBED.contains(&table.as_str().to_lowercase().as_str()) =>
        {
            format!("describe table {}", &sql[table.start()..])
        }
        _ => sql.to_string(),
    }
}

/// Returns the names in a statement, each once, without quotes: of tables, columns and functions, and its keywords.
pub fn words(sql: &str) -> BTreeSet<String> {
    let tokens = TOKEN.find_iter(sql).map(|token| token.as_str().trim_matches('`'));
    let is_word = |token: &&str| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    tokens.filter(is_word).map(String::from).collect()
}

/// Returns whether a statement is a query, of whose rows some can be asked for, and not one about tables or plans.
pub fn is_query(sql: &str) -> bool {
    ["select", "values", "with"].contains(&first_word(sql).as_str())
}

/// Returns whether a statement lists what there is.
pub fn is_show(sql: &str) -> bool {
    first_word(sql) == "show"
}

fn first_word(sql: &str) -> String {
    let mut words = TOKEN.find_iter(sql).map(|token| token.as_str().to_lowercase());
    words.find(|word| !is_comment(word) && word != "(").unwrap_or_default()
}

/// Returns why a statement is not run, or `None` if it only reads.
pub fn refusal(sql: &str) -> Option<String> {
    let tokens: Vec<String> =
        TOKEN.find_iter(sql).map(|token| token.as_str().to_lowercase()).filter(|token| !is_comment(token)).collect();
    if tokens.is_empty() {
        return Some("there is no statement to run".into());
    }
    if tokens.iter().any(|token| token == ";") {
        return Some("only one statement at a time can be run".into());
    }
    let verb = verb(&tokens);
    (!READS.contains(&verb)).then(|| {
        format!("only statements that read are run (select, with, values, show, describe, explain), not `{verb}`")
    })
}

fn is_comment(token: &str) -> bool {
    token.starts_with("--") || (token.starts_with("/*") && token.len() > 2)
}

/// Returns the word that decides what a statement does: behind `explain`, opening brackets and a list of CTEs.
fn verb(tokens: &[String]) -> &str {
    let opened = tokens.iter().take_while(|token| *token == "(").count();
    match &tokens[opened..] {
        [] => "(",
        // `explain analyze` runs the statement, an insert too.
        [first, rest @ ..] if first == "explain" => {
            let modes = rest.iter().take_while(|token| EXPLAIN_MODES.contains(&token.as_str())).count();
            if rest.len() > modes { verb(&rest[modes..]) } else { "explain" }
        }
        [first, rest @ ..] if first == "with" => after_ctes(rest),
        [first, ..] => first,
    }
}

/// Returns the verb behind `name [(columns)] as (query), …`: Spark lets an insert follow, not only a select.
fn after_ctes(tokens: &[String]) -> &str {
    let (mut depth, mut closed) = (0_i32, false);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |at| tokens[at].as_str());
        if depth == 0 && closed {
            // A name after a comma belongs to the next CTE.
            if !["as", ",", "("].contains(&token.as_str()) && before != "," {
                return token;
            }
            if token == "(" && before == ")" {
                return verb(&tokens[at..]);
            }
        }
        depth += i32::from(token == "(") - i32::from(token == ")");
        closed |= depth == 0 && token == ")";
    }
    "with"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_write_are_refused() {
        for (sql, word) in [
            ("insert into questions values (1)", "not `insert`"),
            ("drop table questions", "not `drop`"),
            ("/* x */ create table t as select 1", "not `create`"),
            ("with a as (select 1) insert into questions select * from a", "not `insert`"),
            ("select 1; drop table questions", "one statement"),
            ("explain analyze insert into questions values (1)", "not `insert`"),
            ("with a as (select 1 as x), b (y) as (select 2) from a insert into questions select *", "not `from`"),
            ("set spark.sql.ansi.enabled=true", "not `set`"),
            ("UNLOAD (select 1) TO 's3://b/x' WITH (format = 'JSON')", "not `unload`"),
            (" -- nothing\n", "no statement"),
        ] {
            assert!(refusal(sql).is_some_and(|reason| reason.contains(word)), "{sql}");
        }
    }

    #[test]
    fn statements_that_read_are_not_refused() {
        for sql in [
            "(select 1) union (select 2)",
            "values (1), (2)",
            "show tables",
            "explain select 1",
            "select ';' as x -- a;b",
            "with a (x) as (select 1), b as (select x from a) select x from b",
            "WITH a AS (SELECT 1) (SELECT * FROM a)",
        ] {
            assert_eq!(refusal(sql), None, "{sql}");
        }
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        let script = split("select ';' -- a;b\n; /* c;d */ ;\nselect `e;f`, \"g;\\\";\" ;; select 'it''s;");
        assert_eq!(script.statements, ["select ';' -- a;b", "select `e;f`, \"g;\\\";\""]);
        assert_eq!((script.rest, script.is_open), ("select 'it''s;", true));
        assert_eq!(
            split("select 1; -- done"),
            StatementText { statements: vec!["select 1"], rest: "", is_open: false }
        );
        for open in ["select 1 /* and", "select 'a\\'", "select \"a;", "select `"] {
            assert!(split(open).is_open, "{open}");
        }
        assert!(!split("select 'a\\'', `b`").is_open);
        assert_eq!(split(" \n").rest, "");
    }

    #[test]
    fn queries_are_told_from_other_statements_that_read() {
        for sql in ["select 1", "-- x\n ((Values (1)))", "with a as (select 1) select * from a"] {
            assert!(is_query(sql), "{sql}");
        }
        for sql in ["show tables", "explain select 1", "describe select 1", ""] {
            assert!(!is_query(sql), "{sql}");
        }
    }

    #[test]
    fn sail_is_told_that_a_table_is_a_table() {
        for (sql, told) in [
            ("describe questions", "describe table questions"),
            ("DESC  `a b`", "describe table `a b`"),
            ("describe table questions", "describe table questions"),
            ("describe select 1", "describe select 1"),
            ("select 1", "select 1"),
        ] {
            assert_eq!(for_sail(sql), told);
        }
    }
}
