//! The sample's texts, put together from lists of phrases. Attitude follows the tag's mood.

use std::collections::HashMap;

use super::dice::Dice;
use super::tags::Tag;

/// Lists of phrases by section.
pub struct Phrases(HashMap<&'static str, Vec<&'static str>>);

/// Which of two ways a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum As {
    Plain,
    Html,
}

impl Phrases {
    /// Reads `phrases.txt` and `names.txt`.
    pub fn load() -> Self {
        let mut sections: HashMap<&'static str, Vec<&'static str>> = HashMap::new();
        let mut section = "";
        for line in include_str!("phrases.txt").lines().chain(include_str!("names.txt").lines()) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name;
            } else if !line.starts_with('#') {
                sections.entry(section).or_default().push(line);
            }
        }
        Self(sections)
    }

    /// Returns a phrase of a section as it is in the list; nothing when there is no such section.
    pub fn pick(&self, section: &str, dice: &mut Dice) -> &'static str {
        self.0.get(section).and_then(|phrases| dice.choose(phrases)).copied().unwrap_or_default()
    }

    /// Returns a title as its author wrote it.
    pub fn title(&self, tag: &Tag, dice: &mut Dice) -> String {
        let section = if dice.permille(35) { "title-odd" } else { "title" };
        self.fill(self.pick(section, dice), tag, As::Plain, dice)
    }

    /// Returns the body of a question as rendered HTML.
    pub fn question(&self, tag: &Tag, dice: &mut Dice) -> String {
        let mut body = Body { phrases: self, tag, html: String::new() };
        body.paragraph(&["opening", "opening"], dice);
        body.sometimes_code(77, dice);
        body.paragraph(&["tried", "tried", "tried"][dice.below(2) as usize..], dice);
        body.sometimes("blockquote", "quote", 6, dice);
        body.sometimes_list(9, dice);
        if let Some(section) = attitude(tag.mood, ["question-negative", "question-positive"], dice) {
            body.paragraph(&[section], dice);
        }
        body.sometimes_code(25, dice);
        body.paragraph(&["closing"], dice);
        body.finish(dice)
    }

    /// Returns the body of an answer as rendered HTML.
    pub fn answer(&self, tag: &Tag, dice: &mut Dice) -> String {
        let mut body = Body { phrases: self, tag, html: String::new() };
        body.sometimes("blockquote", "quote", 8, dice);
        if let Some(section) = attitude(tag.mood, ["answer-negative", "answer-positive"], dice) {
            body.paragraph(&[section], dice);
        }
        body.paragraph(&["answer", "answer"][dice.below(2) as usize..], dice);
        body.sometimes_code(62, dice);
        body.sometimes_list(7, dice);
        if dice.percent(40) {
            body.paragraph(&["answer-closing"], dice);
        }
        body.finish(dice)
    }

    /// Returns the body of a comment: one line of HTML without paragraphs, which may start with a name.
    pub fn comment(&self, tag: &Tag, to: Option<&str>, dice: &mut Dice) -> String {
        let mut sentences: Vec<String> = to.map(|name| format!("@{}", escape_html(name))).into_iter().collect();
        let attitude = attitude(tag.mood, ["comment-negative", "comment-positive"], dice);
        let matter = (attitude.is_none() || dice.percent(35)).then_some("comment");
        let more = dice.percent(25).then_some("comment");
        for section in [attitude, matter, more].into_iter().flatten() {
            sentences.push(self.fill(self.pick(section, dice), tag, As::Html, dice));
        }
        sentences.join(" ")
    }

    /// Returns `template` with its slots filled.
    fn fill(&self, template: &str, tag: &Tag, how: As, dice: &mut Dice) -> String {
        let mut filled = String::with_capacity(template.len() + 32);
        let mut rest = template;
        while let Some((before, slot)) = rest.split_once('{') {
            let Some((name, after)) = slot.split_once('}') else { break };
            filled.push_str(before);
            let value = match name {
                "tag" => tag.name.to_string(),
                "n" => (2 + dice.below(998)).to_string(),
                noun => self.pick(&format!("{noun}.{}", tag.family), dice).to_string(),
            };
            filled.push_str(&if how == As::Html { escape_html(&value) } else { value });
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// Returns the section of an attitude, the first of `sections` when annoyed, or `None` for most texts.
fn attitude(mood: i32, sections: [&'static str; 2], dice: &mut Dice) -> Option<&'static str> {
    let negative = (14 + 13 * (-mood).max(0) - 3 * mood.max(0)).max(2);
    let positive = (17 + 12 * mood.max(0) - 4 * (-mood).max(0)).max(3);
    let throw = i32::try_from(dice.below(100)).unwrap_or(0);
    if throw < negative { Some(sections[0]) } else { (throw < negative + positive).then_some(sections[1]) }
}

/// A body being written.
struct Body<'a> {
    phrases: &'a Phrases,
    tag: &'a Tag,
    html: String,
}

impl Body<'_> {
    fn sentence(&self, section: &str, dice: &mut Dice) -> String {
        self.phrases.fill(self.phrases.pick(section, dice), self.tag, As::Html, dice)
    }

    fn paragraph(&mut self, sections: &[&str], dice: &mut Dice) {
        let sentences: Vec<String> = sections.iter().map(|section| self.sentence(section, dice)).collect();
        self.html.push_str(&format!("<p>{}</p>\n", sentences.join(" ")));
    }

    fn sometimes(&mut self, element: &str, section: &str, percent: u32, dice: &mut Dice) {
        if dice.percent(percent) {
            let sentence = self.sentence(section, dice);
            self.html.push_str(&format!("<{element}>\n<p>{sentence}</p>\n</{element}>\n"));
        }
    }

    fn sometimes_list(&mut self, percent: u32, dice: &mut Dice) {
        if dice.percent(percent) {
            let (one, other) = (self.sentence("list", dice), self.sentence("list", dice));
            self.html.push_str(&format!("<ul>\n<li>{one}</li>\n<li>{other}</li>\n</ul>\n"));
        }
    }

    fn sometimes_code(&mut self, percent: u32, dice: &mut Dice) {
        if !dice.percent(percent) {
            return;
        }
        let class = if dice.percent(8) {
            format!(" class=\"lang-{} prettyprint-override\"", self.tag.family)
        } else {
            String::new()
        };
        self.html.push_str(&format!("<pre{class}><code>"));
        for _ in 0..=dice.below(3) {
            let snippet = self.phrases.pick(&format!("code.{}", self.tag.family), dice).replace("\\n", "\n");
            self.html.push_str(&escape_html(&snippet));
            self.html.push('\n');
        }
        self.html.push_str("</code></pre>\n");
    }

    /// Returns the body; the line ends of a few are those of Windows.
    fn finish(self, dice: &mut Dice) -> String {
        if dice.permille(6) { self.html.replace('\n', "\r\n") } else { self.html }
    }
}

/// Escapes what HTML needs, as in the bodies the API sends.
fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes as the API's safe filters do in titles and names: quotes, Latin-1 and emoji become numbers as well.
pub fn escape_api(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{a0}'..='\u{ff}' | '\u{10000}'.. => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns the last part of a link: ASCII letters and digits, hyphens, and the rest percent-encoded in lower case.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if c.is_alphanumeric() {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| slug.push_str(&format!("%{byte:02x}")));
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_string()
}

#[cfg(test)]
mod tests {
    use super::super::dice::Stream;
    use super::super::tags::Tags;
    use super::*;

    #[test]
    fn every_slot_of_every_phrase_can_be_filled() {
        let (phrases, tags) = (Phrases::load(), Tags::load());
        let mut dice = Dice::new(1, Stream::Question, 0);
        for number in 0..=255 {
            let Some(tag) = tags.get(number) else { break };
            for noun in ["thing", "error", "code"] {
                assert!(phrases.0.contains_key(format!("{noun}.{}", tag.family).as_str()), "{noun}.{}", tag.family);
            }
            for texts in phrases.0.iter().filter(|(section, _)| !section.contains('.')).map(|(_, texts)| texts) {
                for text in texts {
                    let filled = phrases.fill(text, tag, As::Plain, &mut dice);
                    assert!(!filled.contains('{') && !filled.is_empty(), "{text}");
                }
            }
        }
    }

    #[test]
    fn titles_and_links_are_written_as_the_api_writes_them() {
        assert_eq!(escape_api("a<b> & 'ä' \"🦀\" 日"), "a&lt;b&gt; &amp; &#39;&#228;&#39; &quot;&#129408;&quot; 日");
        assert_eq!(slug("Zoë D'Orveil!"), "zo%c3%ab-d-orveil");
    }

    #[test]
    fn people_who_use_an_annoying_tag_are_annoyed() {
        let mut dice = Dice::new(1, Stream::Comment, 0);
        let mut count = |mood| (0..1000).filter(|_| attitude(mood, ["-", "+"], &mut dice) == Some("-")).count();
        assert!(count(-3) > 450);
        assert!(count(3) < 90);
    }
}
