//! Errors: for people on stderr, for programs on stdout.

use serde_json::{Value, json};

use super::OUTPUT_VERSION;
use super::style::{Style, paint};
use super::text;
use crate::error::{Error, Kind};
use crate::mask;

/// Returns `error` as people read it: what, why, the evidence, what to type next.
pub fn text(error: &Error, style: &Style) -> String {
    let message = paint(style.strong, &text::line(&error.message));
    // That the person leaves a run, which goes on, is nobody's failure.
    let label = if error.kind == Kind::Detached { "left:" } else { "error:" };
    let mut shown = format!("{} {message}\n", paint(style.bad, label));
    for cause in error.causes() {
        shown.push_str(&format!("  {} {}\n", paint(style.dim, "caused by:"), text::line(&cause)));
    }
    if let Some(detail) = &error.detail {
        for line in text::block(detail).trim_start_matches('\n').trim_end().lines() {
            shown.push_str(format!("  {line}").trim_end());
            shown.push('\n');
        }
    }
    for hint in &error.hints {
        shown.push_str(&format!("{} {}\n", paint(style.command, "hint:"), commands(&text::line(hint), style)));
    }
    shown
}

/// Returns `error` as a JSON document, without secrets.
pub fn json(error: &Error) -> Value {
    let mut document = json!({
        "v": OUTPUT_VERSION,
        "error": {
            "kind": error.kind,
            "exit_code": error.kind.exit_code(),
            "message": error.message,
            "causes": error.causes(),
            "detail": error.detail,
            "hints": error.hints,
        },
    });
    mask::json(&mut document);
    document
}

/// Returns the text with what stands in backticks coloured as commands; the backticks stay.
fn commands(text: &str, style: &Style) -> String {
    let mut coloured = String::new();
    if text.matches('`').count() % 2 == 1 {
        return text.into();
    }
    for (at, part) in text.split('`').enumerate() {
        match at % 2 {
            0 => coloured.push_str(part),
            _ => coloured.push_str(&paint(style.command, &format!("`{part}`"))),
        }
    }
    coloured
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        let cause = Error::new(Kind::Machine, "no such \u{1b}[2Jcolumn").caused_by("line 1\nline 2");
        Error::new(Kind::Job, "step `sentiment` failed")
            .caused_by(cause)
            .detail("--> steps/sentiment.py:7\n  |\n7 | \tdf.select(\u{7}\n  |    ^\n\n")
            .hint("`soflow logs daily.2026-11-22.1 sentiment` shows all of it, `soflow run daily` tries again")
    }

    #[test]
    fn an_error_says_what_why_where_and_what_next() {
        insta::assert_snapshot!(text(&refused(), &Style::default()), @r"
        error: step `sentiment` failed
          caused by: no such \u{1b}[2Jcolumn
          caused by: line 1\nline 2
          --> steps/sentiment.py:7
            |
          7 |     df.select(\u{7}
            |    ^
        hint: `soflow logs daily.2026-11-22.1 sentiment` shows all of it, `soflow run daily` tries again
        ");
    }

    #[test]
    fn only_our_own_escape_sequences_reach_the_terminal() {
        insta::assert_snapshot!(text(&refused(), &Style::new(true)).replace('\u{1b}', "ESC"), @r"
        ESC[1mESC[31merror:ESC[0m ESC[1mstep `sentiment` failedESC[0m
          ESC[2mcaused by:ESC[0m no such \u{1b}[2Jcolumn
          ESC[2mcaused by:ESC[0m line 1\nline 2
          --> steps/sentiment.py:7
            |
          7 |     df.select(\u{7}
            |    ^
        ESC[36mhint:ESC[0m ESC[36m`soflow logs daily.2026-11-22.1 sentiment`ESC[0m shows all of it, ESC[36m`soflow run daily`ESC[0m tries again
        ");
    }

    #[test]
    fn programs_get_the_same_as_json() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&json(&refused())).unwrap(), @r#"
        {
          "v": 1,
          "error": {
            "kind": "job",
            "exit_code": 1,
            "message": "step `sentiment` failed",
            "causes": [
              "no such \u001b[2Jcolumn",
              "line 1\nline 2"
            ],
            "detail": "--> steps/sentiment.py:7\n  |\n7 | \tdf.select(\u0007\n  |    ^\n\n",
            "hints": [
              "`soflow logs daily.2026-11-22.1 sentiment` shows all of it, `soflow run daily` tries again"
            ]
          }
        }
        "#);
    }
}
