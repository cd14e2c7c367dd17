//! The explanation of a step's failure: all its logs' blocks compared, the best told.

use std::collections::VecDeque;
use std::io::{BufReader, Read};

use super::blocks::{Block, BlockKind, Blocks, Level, is_exception};
use super::denied::denied;
use super::finding::{Class, Finding, LogExcerpt, LogLine, Place};
use super::log::{Lines, clean};
use super::rules::{step, suspicious};
use super::story::{MOST_LINES, Story, cut, evidence, message, story, unqualified};
use crate::mask;

/// A log that is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// What it is called: a path or a URI.
    pub file: &'a str,
    /// What is in it.
    pub body: &'a [u8],
}

/// Returns why a step failed, from what it printed: the driver's logs first, then the executors', newest attempt first.
pub fn explain(texts: &[Text<'_>], place: Place) -> Finding {
    let mut explainer = Explainer::new(place);
    for text in texts {
        explainer.read(text.file, text.body);
    }
    explainer.finding()
}

/// How good an explanation is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The step's own traceback.
    Traceback,
    /// A line that a rule knows the meaning of.
    Known,
    /// What follows from another failure.
    Symptom,
    /// An error with a stack trace.
    Traced,
    /// An error in one line.
    Error,
    /// That there was a failure.
    Pointer,
}

/// What explanations are compared by, the smaller the better: rank, file, how strong a rule knows it, length. Of
/// Spark's records the shorter is the clearer, as mrjob found.
type Score = (Rank, usize, usize, usize);

/// Reads logs one after the other and remembers the best explanation; memory does not grow with them.
pub struct Explainer {
    place: Place,
    files: usize,
    best: Option<(Score, Finding)>,
    /// The end of the first log that is not empty, for want of an explanation.
    words: Option<LogExcerpt>,
}

impl Explainer {
    /// Returns an explainer that has read nothing.
    pub fn new(place: Place) -> Self {
        Self { place, files: 0, best: None, words: None }
    }

    /// Reads a log to its end, however long it is.
    pub fn read(&mut self, file: &str, from: impl Read) {
        let mut lines = Lines::new(BufReader::with_capacity(64 << 10, from));
        let mut blocks = Blocks::default();
        let mut words = Words::default();
        let mut number = 0;
        while let Some(raw) = lines.next_line() {
            number += 1;
            let line = LogLine { number, text: clean(raw) };
            if let Some(block) = blocks.feed(&line) {
                self.weigh(file, &block);
            }
            words.add(line);
        }
        if let Some(block) = blocks.finish() {
            self.weigh(file, &block);
        }
        if self.words.is_none() && !words.last.is_empty() {
            let shown = |line: LogLine| LogLine { number: line.number, text: cut(&mask::text(&line.text)) };
            self.words =
                Some(LogExcerpt { file: file.to_string(), lines: words.last.into_iter().map(shown).collect() });
        }
        self.files += 1;
    }

    /// Returns whether what has been read explains the failure, so that other logs need not be read.
    pub fn is_sure(&self) -> bool {
        self.best.as_ref().is_some_and(|((rank, ..), _)| *rank <= Rank::Known)
    }

    /// Returns the best explanation; `Unknown` with the last lines when there is none, and without when there are none.
    pub fn finding(self) -> Finding {
        let words = self.words.unwrap_or_default();
        self.best.map(|(_, finding)| finding).unwrap_or_else(|| {
            let line = words.lines.iter().rfind(|line| is_exception(&line.text)).or(words.lines.last());
            let summary = line.map_or(String::new(), |line| line.text.trim().to_string());
            Finding { summary, excerpt: words, ..Finding::default() }
        })
    }

    fn weigh(&mut self, file: &str, block: &Block) {
        let Some((score, finding)) = self.judge(block) else { return };
        // Of several tracebacks the last one ended the step.
        let later = score.0 == Rank::Traceback;
        if self.best.as_ref().is_none_or(|(best, _)| score < *best || later && score == *best) {
            let excerpt = LogExcerpt { file: file.to_string(), ..finding.excerpt };
            self.best = Some((score, Finding { excerpt, ..finding }));
        }
    }

    fn judge(&self, block: &Block) -> Option<(Score, Finding)> {
        let story = story(block);
        let known = self.known(block, &story);
        let traceback = block.kind == BlockKind::Traceback;
        let loud = matches!(block.kind, BlockKind::Record(Level::Error) | BlockKind::Java);
        let rank = match known.as_ref().map(|(rank, ..)| *rank) {
            Some(rank @ (Rank::Pointer | Rank::Symptom)) => rank,
            _ if traceback || loud && story.python => Rank::Traceback,
            Some(rank) => rank,
            None if block.length > 1 && (loud || block.kind == BlockKind::Record(Level::Warning)) => Rank::Traced,
            None if loud => Rank::Error,
            None => return None,
        };
        let excerpt = LogExcerpt { file: String::new(), lines: evidence(block, &story) };
        let (strength, found) = match known {
            Some((_, strength, found)) => (strength, found),
            None => {
                let class = if traceback || story.python { Class::Code } else { Class::Unknown };
                (usize::MAX, Finding { class, ..Finding::default() })
            }
        };
        let summary = if found.summary.is_empty() { unqualified(&story.summary) } else { &found.summary };
        let summary = cut(summary);
        let (strength, length) = if traceback { (0, 0) } else { (strength, block.length) };
        Some(((rank, self.files, strength, length), Finding { summary, excerpt, ..found }))
    }

    /// Returns what is known about a block: the strongest rule that fits anything it says.
    fn known(&self, block: &Block, story: &Story) -> Option<(Rank, usize, Finding)> {
        let lines = block.lines.iter().map(|line| line.text.as_str());
        let said =
            lines.filter(|text| block.kind != BlockKind::Traceback || !text.starts_with([' ', '\t'])).map(message);
        let quiet = matches!(block.kind, BlockKind::Words | BlockKind::Record(Level::Info));
        let texts = [story.summary.as_str()].into_iter().chain(said).filter(|text| !quiet || suspicious(text));
        let texts: Vec<&str> = texts.collect();
        let denied = texts.iter().find_map(|text| denied(text)).map(|finding| (Rank::Known, 0, finding));
        denied.or_else(|| step(&texts, self.place).map(|(rank, at, finding)| (rank, at + 1, finding)))
    }
}

/// The end of a log, without empty lines at its own end.
#[derive(Default)]
struct Words {
    last: VecDeque<LogLine>,
    empty: Vec<LogLine>,
}

impl Words {
    fn add(&mut self, line: LogLine) {
        if line.text.starts_with("@soflow") {
            return;
        }
        if line.text.is_empty() {
            if self.empty.len() < MOST_LINES && !self.last.is_empty() {
                self.empty.push(line);
            }
            return;
        }
        self.last.extend(self.empty.drain(..));
        self.last.push_back(line);
        self.last.drain(..self.last.len().saturating_sub(MOST_LINES));
    }
}
