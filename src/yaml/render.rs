//! A problem as lines for a terminal, in the layout of rustc: place, source line, carets, hint.

use unicode_width::UnicodeWidthStr as _;

use super::problem::{Problem, Severity};
use super::source::Place;

/// Characters of a source line that are shown; a longer line is cut around the caret.
const LONGEST: usize = 100;

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
        lines.push(format!("{:gutter$}{arrow} {place} {label}", "").trim_end().to_string());
        return;
    }
    let number = place.number().map_or(String::new(), |line| line.to_string());
    let (text, before, marked) = excerpt(place);
    lines.push(format!("{:gutter$}{arrow} {place}", ""));
    lines.push(format!("{:gutter$} |", ""));
    lines.push(format!("{number:gutter$} | {text}").trim_end().to_string());
    let carets = format!("{:gutter$} | {:before$}{} {label}", "", "", "^".repeat(marked));
    lines.push(carets.trim_end().to_string());
}

/// Returns a source line as shown, and the terminal columns before the carets and of them.
fn excerpt(place: &Place) -> (String, usize, usize) {
    let characters: Vec<String> = place.text().chars().map(printable).collect();
    let first = place.column.saturating_sub(1).min(characters.len());
    let begin = if characters.len() > LONGEST { first.saturating_sub(LONGEST / 2) } else { 0 };
    let end = characters.len().min(begin + LONGEST);
    let last = first.saturating_add(place.width).clamp(first, end);
    let [cut_before, cut_after] = [begin > 0, end < characters.len()].map(|cut| if cut { "..." } else { "" });
    let before = format!("{cut_before}{}", characters[begin..first].concat());
    let marked = characters[first..last].concat();
    let text = format!("{before}{marked}{}{cut_after}", characters[last..end].concat());
    (text, before.width(), marked.width().max(1))
}

/// Returns the character as it is shown: tabs as spaces, what would move the cursor or turn the text around as `\u{fffd}`.
fn printable(character: char) -> String {
    match character {
        '\t' => "    ".into(),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => "\u{fffd}".into(),
        character if character.is_control() => "\u{fffd}".into(),
        character => character.into(),
    }
}
