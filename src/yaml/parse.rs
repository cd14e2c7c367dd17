//! From the parser's events to a tree. What a job or a config has no use for is refused by name: anchors, aliases,
//! tags, several documents, keys that are not scalars.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::problem::Problems;
use super::source::{Place, Source};
use super::tree::{Content, Entry, Node};

/// Deepest nesting read. A job file needs six levels; whoever reads the tree recurses.
const DEEPEST: usize = 32;

/// Longest text read, in bytes.
const LONGEST: usize = 1 << 20;

/// Longest line, in bytes, that is looked through for each value on it.
const LONGEST_LINE: usize = 4096;

/// Returns the tree of `source`, or `None` when it is not YAML; every problem goes to `problems`.
///
/// An empty text is a null. After a syntax error nothing further is known, so that one is the last problem.
pub fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    let text = source.lines.join("\n");
    if text.len() > LONGEST {
        let message = format!("the file has {} bytes, more than the {LONGEST} that are read", text.len());
        problems.error(&source.whole(), message);
        return None;
    }
    let mut reader = TreeReader { source, problems, events: Parser::new_from_str(&text) };
    let root = reader.document().ok()?;
    Some(root.filter(|root| !root.is_null()).unwrap_or_else(|| Node::plain("", source.whole())))
}

/// Reading cannot go on; the problem has been noted.
struct Stop;

struct TreeReader<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
    events: Parser<'a, StrInput<'a>>,
}

impl<'a> TreeReader<'a> {
    /// Returns the root of the only document there may be.
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        let mut documents = 0;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(_) if documents > 0 => {
                    return self.stop(span, "a second YAML document starts here", "put one document in a file");
                }
                Event::DocumentStart(_) => documents += 1,
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Stop> {
        self.events.next_event().transpose().map_err(|error| self.syntax(&error))
    }

    /// Returns the node that begins with an event, `depth` lists and mappings below the root.
    fn node(&mut self, event: Event<'a>, mut span: Span, depth: usize) -> Result<Node, Stop> {
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            _ => return self.stop(span, "aliases (`*name`) are not supported", WRITE_OUT),
        };
        if anchor > 0 {
            return self.stop(span, "anchors (`&name`) are not supported", WRITE_OUT);
        }
        if tag {
            let hint = "remove it, or quote text that begins with `!`";
            return self.stop(span, "tags (`!name`) are not supported", hint);
        }
        let content = match event {
            Event::Scalar(text, style, ..) => {
                Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            _ if depth >= DEEPEST => {
                let place = self.place(span);
                self.problems.error(&place, format!("nested deeper than {DEEPEST} levels"));
                return Err(Stop);
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while let Some((event, at)) = self.next()? {
                    span.end = at.end;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, at, depth + 1)?);
                }
                Content::List(items)
            }
            _ => Content::Map(self.entries(&mut span, depth)?),
        };
        Ok(Node { content, place: self.place(span) })
    }

    fn entries(&mut self, span: &mut Span, depth: usize) -> Result<Vec<Entry>, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        while let Some((event, at)) = self.next()? {
            span.end = at.end;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let Node { content: Content::Scalar { text: key, .. }, place } = self.node(event, at, depth + 1)? else {
                let hint = "a `{..}` that is meant as text needs quotes: `\"{date}\"`";
                return self.stop(at, "a key must be text, not a list or a mapping", hint);
            };
            let Some((event, at)) = self.next()? else { break };
            let value = self.node(event, at, depth + 1)?;
            match known.get(&key) {
                Some(first) => {
                    let problem = self.problems.error(&place, format!("`{key}` is written twice"));
                    problem.note(&entries[*first].place, "first here");
                }
                None => {
                    known.insert(key.clone(), entries.len());
                    entries.push(Entry { key, place, value });
                }
            }
        }
        Ok(entries)
    }

    fn stop<T>(&mut self, span: Span, message: &str, hint: &str) -> Result<T, Stop> {
        let place = self.place(span);
        self.problems.error(&place, message).hint(hint);
        Err(Stop)
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let marker = error.marker();
        let line = marker.line().clamp(1, self.source.lines.len().max(1));
        let place = Place { source: Arc::clone(self.source), line, column: marker.col() + 1, width: 1 };
        let mut indent = place.text().chars().take_while(|character| character.is_whitespace());
        let brace = place.text().chars().nth(marker.col()) == Some('{');
        let info = error.info();
        let (message, hint) = if indent.any(|character| character == '\t') {
            ("a tab cannot indent YAML".into(), Some("indent with spaces"))
        } else if info.contains("recursion limit") {
            (format!("nested deeper than {DEEPEST} levels"), None)
        } else if brace {
            (not_yaml(info), Some("a value with braces needs quotes inside `[..]`: `\"dt={date}\"`"))
        } else if info.contains("mapping values are not allowed") {
            (not_yaml(info), Some("a value with `: ` in it needs quotes"))
        } else {
            (not_yaml(info), None)
        };
        self.problems.error(&place, message).hint_if(hint.map(String::from));
        Stop
    }

    /// Returns the part of `span` on its first line, without blanks at its end.
    fn place(&self, span: Span) -> Place {
        let (line, column) = (span.start.line().max(1), span.start.col() + 1);
        let mut place = Place { source: Arc::clone(self.source), line, column, width: usize::MAX };
        if span.end.line() == span.start.line() {
            place.width = span.end.col().saturating_sub(span.start.col());
        }
        if place.text().len() > LONGEST_LINE {
            place.width = if place.width == usize::MAX { 1 } else { place.width.max(1) };
            return place;
        }
        let shown: String = place.text().chars().skip(column - 1).take(place.width).collect();
        place.width = shown.trim_end().chars().count().max(1);
        place
    }
}

/// What to do without anchors and aliases.
const WRITE_OUT: &str = "write the value out where it is used";

fn not_yaml(info: &str) -> String {
    format!("this is not YAML: {info}")
}
