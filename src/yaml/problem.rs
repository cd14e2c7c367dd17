//! Mistakes found while reading, all of them, each with its place.

use std::collections::HashSet;

use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::source::Place;
use super::tree::Node;
use crate::error::{Error, Kind};

/// Terminal columns of a source line that are shown; a wider line is cut around the caret.
const WIDEST: usize = 100;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// Worth a look; nothing is stopped.
    Warning,
}

/// Another place that belongs to a problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// A few words, shown behind the caret.
    pub message: String,
}

/// One mistake, where it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong: a lowercase fragment, literals in backticks, no full stop.
    pub message: String,
    /// Other places needed to understand it.
    pub notes: Vec<Note>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// Adds advice.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds advice when there is some.
    pub fn hint_if(&mut self, hint: Option<String>) -> &mut Self {
        self.hint = hint.or(self.hint.take());
        self
    }

    /// Adds another place.
    pub fn note(&mut self, place: &Place, message: impl Into<String>) -> &mut Self {
        self.notes.push(Note { place: place.clone(), message: message.into() });
        self
    }

    /// Returns the problem as lines for a terminal, without colour, in the layout of rustc: place, source line, carets, hint.
    pub fn render(&self) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let places = std::iter::once(&self.place).chain(self.notes.iter().map(|note| &note.place));
        let gutter = places.filter_map(Place::number).max().map_or(1, |line| line.to_string().len());
        let mut lines = vec![format!("{severity}: {}", self.message)];
        block(&mut lines, gutter, "-->", &self.place, "");
        for note in &self.notes {
            block(&mut lines, gutter, ":::", &note.place, &note.message);
        }
        if let Some(hint) = &self.hint {
            lines.push(format!("{:gutter$} = hint: {hint}", ""));
        }
        lines.join("\n")
    }
}

/// The problems found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(Vec<Problem>);

/// More than this is not read by anyone; the count is still told.
const MOST_SHOWN: usize = 50;

impl Problems {
    /// Notes an error and returns it for hints and further places.
    pub fn error(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Error, place, message.into())
    }

    /// Notes a warning and returns it for hints and further places.
    pub fn warning(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.add(Severity::Warning, place, message.into())
    }

    fn add(&mut self, severity: Severity, place: &Place, message: String) -> &mut Problem {
        let at = self.0.len();
        self.0.push(Problem { severity, place: place.clone(), message, notes: Vec::new(), hint: None });
        &mut self.0[at]
    }

    /// Says that serde did not take what the schema did.
    pub fn unread(&mut self, node: &Node, error: &serde_json::Error) -> &mut Problem {
        self.error(&node.place, format!("this cannot be read: {error}"))
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Takes away what is said of one place more than once: what several entries inherit is wrong once.
    pub fn dedup(&mut self) {
        let mut seen = HashSet::new();
        self.0.retain(|Problem { place, message, .. }| {
            seen.insert((place.source.origin.clone(), place.line, place.column, message.clone()))
        });
    }

    /// Returns whether anything stops the work.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Returns the problems, sorted by source and position.
    pub fn sorted(&self) -> Vec<&Problem> {
        let mut sorted: Vec<&Problem> = self.0.iter().collect();
        sorted.sort_by_key(|problem| (&problem.place.source.origin, problem.place.line, problem.place.column));
        sorted
    }

    /// Returns every problem as lines for a terminal, a blank line between two.
    pub fn render(&self) -> String {
        let mut blocks: Vec<String> = self.sorted().iter().take(MOST_SHOWN).map(|problem| problem.render()).collect();
        if self.0.len() > MOST_SHOWN {
            blocks.push(format!("... and {} more", self.0.len() - MOST_SHOWN));
        }
        blocks.join("\n\n")
    }

    /// Returns the sentence above the blocks: "`jobs/daily.yaml` has 5 problems".
    fn summary(&self) -> String {
        let mut origins: Vec<&str> = self.0.iter().map(|problem| problem.place.source.origin.as_str()).collect();
        origins.sort_unstable();
        origins.dedup();
        let who = origins.iter().map(|origin| format!("`{origin}`")).collect::<Vec<_>>().join(" and ");
        let have = if origins.len() == 1 { "has" } else { "have" };
        let plural = if self.0.len() == 1 { "" } else { "s" };
        format!("{who} {have} {} problem{plural}", self.0.len())
    }
}

impl From<Problems> for Error {
    /// A file a person wrote is wrong: usage, with every problem in the detail.
    fn from(problems: Problems) -> Self {
        Self::new(Kind::Usage, problems.summary()).detail(problems.render())
    }
}

/// Returns "did you mean `workers`?" when one of `known` is close to `word`.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(word, known).map(meant)
}

/// Returns the question that suggests `name`.
pub(super) fn meant(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Returns the one of `known` that `word` was probably meant to be.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let far = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let allowed = |name: &str| (word.chars().count().max(name.chars().count()) / 3).max(1);
    let near = known.into_iter().map(|name| (far(name), name)).filter(|(distance, name)| *distance <= allowed(name));
    near.min().map(|(_, name)| name)
}

/// Returns the words in backticks with commas between.
pub fn ticked(words: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    words.into_iter().map(|word| format!("`{}`", word.as_ref())).collect::<Vec<_>>().join(", ")
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
    let widths: Vec<usize> = characters.iter().map(|character| character.width()).collect();
    let is_wide = widths.iter().sum::<usize>() > WIDEST;
    let begin = if is_wide { first - fitting(widths[..first].iter().rev(), WIDEST / 2) } else { 0 };
    let end = begin + fitting(widths[begin..].iter(), WIDEST);
    let last = first.saturating_add(place.width).clamp(first, end);
    let [cut_before, cut_after] = [begin > 0, end < characters.len()].map(|cut| if cut { "..." } else { "" });
    let before = format!("{cut_before}{}", characters[begin..first].concat());
    let marked = characters[first..last].concat();
    let text = format!("{before}{marked}{}{cut_after}", characters[last..end].concat());
    (text, before.width(), marked.width().max(1))
}

/// Returns how many characters of these widths fit into so many columns.
fn fitting<'a>(widths: impl Iterator<Item = &'a usize>, columns: usize) -> usize {
    let used = widths.scan(0, |used, width| {
        *used += width;
        Some(*used)
    });
    used.take_while(|used| *used <= columns).count()
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
