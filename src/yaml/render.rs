//! A problem as lines for a terminal, in the layout of rustc: place, source line, carets, hint.

use unicode_width::UnicodeWidthChar as _;

use super::problem::{Problem, Severity};
use super::source::Place;

/// Columns of a source line that are shown; a longer line is cut around the caret.
const WIDEST: usize = 100;

/// Columns a tab is shown as.
const TAB: usize = 4;

/// Returns the lines of `problem`, joined.
pub(super) fn problem(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let places = std::iter::once(&problem.place).chain(problem.notes.iter().map(|note| &note.place));
    let gutter = places.filter_map(Place::number).max().map_or(1, |line| line.to_string().len());
    let mut lines = vec![format!("{severity}: {}", problem.message)];
    block(&mut lines, gutter, "-->", &problem.place, "");
    for note in &problem.notes {
        block(&mut lines, gutter, ":::", &note.place, &note.message);
    }
    if let Some(hint) = &problem.hint {
        lines.push(format!("{:gutter$} = hint: {hint}", ""));
    }
    lines.join("\n")
}

/// Adds the place, its source line and the carets below it, with `label` behind them.
fn block(lines: &mut Vec<String>, gutter: usize, arrow: &str, place: &Place, label: &str) {
    if place.line == 0 {
        let label = if label.is_empty() { String::new() } else { format!(" {label}") };
        lines.push(format!("{:gutter$}{arrow} {place}{label}", ""));
        return;
    }
    let number = place.number().map_or(String::new(), |line| line.to_string());
    let excerpt = Excerpt::of(place);
    lines.push(format!("{:gutter$}{arrow} {place}", ""));
    lines.push(format!("{:gutter$} |", ""));
    lines.push(format!("{number:gutter$} | {}", excerpt.text).trim_end().to_string());
    let carets = format!("{:gutter$} | {:2$}{3} {label}", "", "", excerpt.before, "^".repeat(excerpt.marked));
    lines.push(carets.trim_end().to_string());
}

/// A source line as shown, and the terminal columns the carets take.
struct Excerpt {
    text: String,
    before: usize,
    marked: usize,
}

impl Excerpt {
    fn of(place: &Place) -> Self {
        let characters: Vec<char> = place.text().chars().collect();
        let first = place.column.saturating_sub(1).min(characters.len());
        let last = (first + place.width).min(characters.len());
        let (head, text, tail) = (&characters[..first], &characters[first..last], &characters[last..]);
        let around = if fitting(characters.iter(), WIDEST).1 { WIDEST / 2 } else { WIDEST };
        let (head, cut) = fitting(head.iter().rev(), around);
        let head: String = (if cut { "..." } else { "" }).chars().chain(head.chars().rev()).collect();
        let (text, cut_text) = fitting(text.iter(), WIDEST);
        let (tail, cut) = fitting(tail.iter(), if cut_text { 0 } else { around });
        let (before, marked) = (columns(&head), columns(&text).max(1));
        Self { text: format!("{head}{text}{tail}{}", if cut || cut_text { "..." } else { "" }), before, marked }
    }
}

/// Returns as many of `characters` as fit `widest` columns, made printable, and whether any were left out.
fn fitting<'a>(characters: impl Iterator<Item = &'a char>, widest: usize) -> (String, bool) {
    let mut text = String::new();
    let mut used = 0;
    for character in characters {
        let shown = printable(*character);
        used += columns(&shown);
        if used > widest {
            return (text, true);
        }
        text.push_str(&shown);
    }
    (text, false)
}

/// Returns the character as it is shown: tabs as spaces, what would move the cursor or turn the text around as `\u{fffd}`.
fn printable(character: char) -> String {
    match character {
        '\t' => " ".repeat(TAB),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => "\u{fffd}".into(),
        character if character.is_control() => "\u{fffd}".into(),
        character => character.into(),
    }
}

/// Returns the terminal columns of `text`, whose characters are all printable.
fn columns(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}
