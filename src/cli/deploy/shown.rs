//! What people see of a stack.

use crate::deploy::{Change, Drift, StackState};
use crate::report::{Layout, TextCell, paint, plural};

/// Returns what would change, one resource a line.
pub fn changes(name: &str, changes: &[Change], layout: &Layout) -> String {
    let style = &layout.style;
    let rows = changes.iter().map(|change| {
        let (mark, colour) = match (change.action.as_str(), change.replacement.as_str()) {
            ("Add", _) => ("+", style.good),
            ("Remove", _) => ("-", style.bad),
            (_, "True") => ("!", style.bad),
            _ => ("~", style.command),
        };
        let what = match change.replacement.as_str() {
            "True" => format!("is replaced: {}", change.properties.join(", ")),
            "Conditional" => format!("may be replaced: {}", change.properties.join(", ")),
            _ => change.properties.join(", "),
        };
        [
            TextCell::from(mark).styled(colour),
            change.resource.as_str().into(),
            TextCell::from(change.kind.as_str()).styled(style.dim),
            what.into(),
        ]
    });
    let count = plural(changes.len() as u64, "resource");
    format!(
        "{}\n{}",
        paint(style.strong, &format!("Stack {name}: {count} to change")),
        layout.table(["", "resource", "type", "what"], rows)
    )
}

/// Returns a stack as it is, and what differs from it.
pub fn state(stack: &StackState, drift: &[Drift], layout: &Layout) -> String {
    let style = &layout.style;
    let mut text = format!("{}: {}, changed {}\n", paint(style.strong, &stack.name), stack.status, stack.changed);
    if !stack.outputs.is_empty() {
        let rows = stack.outputs.iter().map(|(name, value)| [name.as_str().into(), TextCell::from(value.as_str())]);
        text.push_str(&layout.table(["output", "value"], rows));
    }
    if !drift.is_empty() {
        let rows = drift.iter().map(|one| {
            [one.resource.as_str().into(), one.status.as_str().into(), TextCell::from(one.properties.join(", "))]
        });
        text.push_str(&format!(
            "\n{}\n{}",
            paint(style.bad, "Changed by others"),
            layout.table(["resource", "is", "where"], rows)
        ));
        text.push_str(
            "  soflow deploy brings back what the template says once a setting changes; mend the rest by hand\n",
        );
    }
    text
}
