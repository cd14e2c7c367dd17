//! Reading `insights:`, and the one template there is, `{date}`.

use jiff::civil::Date;

use super::model::Insight;
use crate::yaml::{Node, Place, Problems};

/// Returns the insights in the order written.
pub(super) fn read(node: &Node, date: Date, problems: &mut Problems) -> Vec<Insight> {
    node.items("insights", problems).into_iter().filter_map(|item| insight(item, date, problems)).collect()
}

fn insight(node: &Node, date: Date, problems: &mut Problems) -> Option<Insight> {
    let map = node.map("an insight", &["title", "sql"], problems);
    let title = map.required("title", problems).and_then(|node| node.text("title", problems));
    let node = map.required("sql", problems)?;
    let sql = node.text("sql", problems)?;
    if sql.trim().trim_end_matches(';').trim().is_empty() {
        problems.error(&node.place, "the `sql` of an insight is empty");
        return None;
    }
    unknown_template(&sql, &node.place, problems);
    Some(Insight { title: title?, sql: with_date(&sql, date) })
}

/// Returns `text` with the logical date in place of `{date}`.
pub(super) fn with_date(text: &str, date: Date) -> String {
    text.replace("{date}", &date.to_string())
}

/// Returns whether `text` has a `{name}` that stands for nothing; notes each. `{2}` and the like are left alone.
pub(super) fn unknown_template(text: &str, place: &Place, problems: &mut Problems) -> bool {
    let mut found = false;
    for part in text.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        let word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if word && name != "date" {
            problems
                .error(place, format!("`{{{name}}}` stands for nothing"))
                .hint("only `{date}`, the logical date, is filled in");
            found = true;
        }
    }
    found
}
