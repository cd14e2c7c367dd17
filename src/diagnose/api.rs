//! What an error of AWS's API means and what to do about it.

use super::clean::{clean, masked};
use super::denied::denied;
use super::finding::{Excerpt, Finding, Place};
use super::rules::{CLUSTERS, ERRORS, FAULTS, first};

/// Returns what an error of AWS means: `code` as the service or the SDK names it, `message` with it.
pub fn api(code: &str, message: &str) -> Finding {
    let message = masked(&clean(message.as_bytes()));
    let text = if code.is_empty() { message.clone() } else { format!("{code}: {message}") };
    let told = |finding: Finding| Finding { excerpt: Excerpt::default(), ..finding };
    if let Some(finding) = denied(&text) {
        return told(finding);
    }
    let known = [ERRORS, CLUSTERS, FAULTS].into_iter().find_map(|table| first(table, &text));
    let Some((rule, captures)) = known else {
        return Finding { summary: text, ..Finding::default() };
    };
    let summary = rule.summary(&captures).unwrap_or(text);
    Finding { class: rule.class, summary, hint: rule.advice(&captures, Place::Laptop), ..Finding::default() }
}
