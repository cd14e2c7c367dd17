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

/// Returns the tree of `source`, or `None` when it is not YAML; every problem goes to `problems`.
///
/// An empty text is a null. After a syntax error nothing further is known, so that one is the last problem.
pub fn parse(source: &Arc<Source>, problems: &mut Problems) -> Option<Node> {
    let text = source.lines.join("\n");
    if text.len() > LONGEST {
        problems.error(
            &source.whole(),
            format!("the file has {} bytes, more than the {LONGEST} that are read", text.len()),
        );
        return None;
    }
    let mut builder = Builder { source, problems, open: Vec::new(), root: None, documents: 0 };
    let mut parser = Parser::new_from_str(&text);
    match builder.run(&mut parser) {
        Ok(()) => Some(builder.root.filter(|root| !root.is_null()).unwrap_or_else(|| Node::plain("", source.whole()))),
        Err(Stop) => None,
    }
}

/// Longest line, in bytes, that is looked through for each value on it.
const LONGEST_LINE: usize = 4096;

/// Reading cannot go on; the problem has been noted.
struct Stop;

/// A list or mapping whose end has not come yet.
struct Open {
    start: Span,
    items: Vec<Node>,
    entries: Vec<Entry>,
    mapping: bool,
    /// The position of each key in `entries`.
    keys: HashMap<String, usize>,
    key: Option<(String, Place)>,
}

struct Builder<'a> {
    source: &'a Arc<Source>,
    problems: &'a mut Problems,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_> {
    fn run(&mut self, parser: &mut Parser<'_, StrInput<'_>>) -> Result<(), Stop> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        match event {
            Event::DocumentStart(_) => self.document(span)?,
            Event::Alias(_) => return self.refuse(span, "aliases (`*name`) are not supported"),
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_node(span, anchor, tag.is_some())?;
                let content = Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.value(Node { content, place: self.place(span) })?;
            }
            Event::SequenceStart(anchor, tag) => self.begin(span, anchor, tag.is_some(), false)?,
            Event::MappingStart(anchor, tag) => self.begin(span, anchor, tag.is_some(), true)?,
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn document(&mut self, span: Span) -> Result<(), Stop> {
        self.documents += 1;
        if self.documents > 1 {
            let place = self.place(span);
            self.problems.error(&place, "a second YAML document starts here").hint("put one document in a file");
            return Err(Stop);
        }
        Ok(())
    }

    fn refuse(&mut self, span: Span, message: &str) -> Result<(), Stop> {
        let place = self.place(span);
        self.problems.error(&place, message).hint("write the value out where it is used");
        Err(Stop)
    }

    /// Refuses anchors and tags.
    fn plain_node(&mut self, span: Span, anchor: usize, tag: bool) -> Result<(), Stop> {
        if anchor > 0 {
            return self.refuse(span, "anchors (`&name`) are not supported");
        }
        if tag {
            let place = self.place(span);
            self.problems
                .error(&place, "tags (`!name`) are not supported")
                .hint("remove it, or quote text that begins with `!`");
            return Err(Stop);
        }
        Ok(())
    }

    fn begin(&mut self, span: Span, anchor: usize, tag: bool, mapping: bool) -> Result<(), Stop> {
        self.plain_node(span, anchor, tag)?;
        if self.open.len() >= DEEPEST {
            let place = self.place(span);
            self.problems.error(&place, format!("nested deeper than {DEEPEST} levels"));
            return Err(Stop);
        }
        self.open.push(Open {
            start: span,
            items: Vec::new(),
            entries: Vec::new(),
            mapping,
            keys: HashMap::new(),
            key: None,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Stop> {
        let Some(done) = self.open.pop() else { return Ok(()) };
        let mut whole = done.start;
        whole.end = span.end;
        let place = self.place(whole);
        let content = if done.mapping { Content::Map(done.entries) } else { Content::List(done.items) };
        self.value(Node { content, place })
    }

    /// Puts a finished node where it belongs: the root, an item, a key, or a key's value.
    fn value(&mut self, node: Node) -> Result<(), Stop> {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        if !parent.mapping {
            parent.items.push(node);
            return Ok(());
        }
        match (parent.key.take(), node.content) {
            (Some((key, place)), content) => {
                let value = Node { content, place: node.place };
                if let Some(first) = parent.keys.get(&key).map(|at| &parent.entries[*at]) {
                    let problem = self.problems.error(&place, format!("`{key}` is written twice"));
                    problem.note(&first.place, "first here");
                } else {
                    parent.keys.insert(key.clone(), parent.entries.len());
                    parent.entries.push(Entry { key, place, value });
                }
            }
            (None, Content::Scalar { text, .. }) => parent.key = Some((text, node.place)),
            (None, _) => {
                let problem = self.problems.error(&node.place, "a key must be text, not a list or a mapping");
                problem.hint("a `{..}` that is meant as text needs quotes: `\"{date}\"`");
                return Err(Stop);
            }
        }
        Ok(())
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let marker = error.marker();
        let line = marker.line().clamp(1, self.source.lines.len().max(1));
        let place = Place { source: Arc::clone(self.source), line, column: marker.col() + 1, width: 1 };
        let indent: String = place.text().chars().take_while(|character| character.is_whitespace()).collect();
        let tabbed = indent.contains('\t');
        let message = match error.info() {
            _ if tabbed => "a tab cannot indent YAML".into(),
            info if info.contains("recursion limit") => format!("nested deeper than {DEEPEST} levels"),
            info => format!("this is not YAML: {info}"),
        };
        let brace = place.text().chars().nth(marker.col()) == Some('{');
        let hint = match error.info() {
            _ if tabbed => Some("indent with spaces"),
            _ if brace => Some("a value with braces needs quotes inside `[..]`: `\"dt={date}\"`"),
            info if info.contains("mapping values are not allowed") => Some("a value with `: ` in it needs quotes"),
            _ => None,
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
