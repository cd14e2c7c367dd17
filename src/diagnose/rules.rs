//! What is known about failures, as data: `rules.json` has signs in a text, whose fault it is, what to say and what to do.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::explain::Rank;
use super::finding::{Class, Finding, Place};

/// The lists of rules, in each the stronger first.
#[derive(Default, Deserialize)]
struct Rules {
    /// About clusters.
    clusters: Vec<Rule>,
    /// What explains a step's failure.
    causes: Vec<Rule>,
    /// What follows from another failure, which is the cause when there is a sign of it.
    symptoms: Vec<Rule>,
    /// What only says that there was a failure; the cause is in another file.
    pointers: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    class: Class,
    signs: Vec<String>,
    /// A summary that is clearer than the text itself.
    #[serde(default)]
    says: String,
    /// What to do.
    #[serde(default)]
    hint: String,
    /// What to do when the step ran on this machine, where that is something else.
    laptop: Option<String>,
}

/// Rules that cannot be read are none; a test holds that they can.
static RULES: LazyLock<Rules> = LazyLock::new(|| serde_json::from_str(include_str!("rules.json")).unwrap_or_default());

impl Rule {
    /// Returns what is wrong when a sign is in the text. The summary is empty when the text says it best.
    fn finding(&self, text: &str, place: Place) -> Option<Finding> {
        let captures = self.signs.iter().find_map(|sign| find(sign, text))?;
        let hint = self.laptop.as_ref().filter(|_| place == Place::Laptop).unwrap_or(&self.hint);
        let hint = (!hint.is_empty()).then(|| fill(hint, &captures));
        Some(Finding { class: self.class, summary: fill(&self.says, &captures), hint, ..Finding::default() })
    }
}

/// Returns what is wrong with a cluster, or with a request for one, when EMR's words tell.
pub fn request(words: &str) -> Option<Finding> {
    RULES.clusters.iter().find_map(|rule| rule.finding(words, Place::Cluster))
}

/// Returns what is known about a step that printed these texts: how far it explains the failure, how strong the rule is,
/// the smaller the stronger, and what is wrong.
pub fn step(texts: &[&str], place: Place) -> Option<(Rank, usize, Finding)> {
    let lists = [(Rank::Known, &RULES.causes), (Rank::Symptom, &RULES.symptoms), (Rank::Pointer, &RULES.pointers)];
    let rules = lists.into_iter().flat_map(|(rank, rules)| rules.iter().map(move |rule| (rank, rule)));
    let fits = |(at, (rank, rule)): (usize, (Rank, &Rule))| {
        let finding = texts.iter().find_map(|text| rule.finding(text, place))?;
        Some((rank, at, finding))
    };
    rules.enumerate().find_map(fits)
}

/// Parts of words in what is printed outside of errors and still tells of one: YARN's diagnostics, a shell's complaint.
/// Most lines have none of them, and are passed over.
const SUSPICIOUS: [&str; 16] = [
    "rror",
    "xcept",
    "xit",
    "illed",
    "enied",
    "ailed",
    "No ",
    "annot",
    "can't",
    "lost",
    "authorized",
    "OfMemory",
    "beyond physical",
    "exceed",
    "nsufficient",
    "Status Code",
];

/// Returns whether the line is worth looking at, although it is no error.
pub fn suspicious(text: &str) -> bool {
    SUSPICIOUS.iter().any(|part| text.contains(part))
}

/// What a sign took out of a text, by name.
pub type Captures = BTreeMap<String, String>;

/// Longest thing taken out, in bytes: what is longer was not meant.
const LONGEST: usize = 512;

/// What names are put between.
const QUOTES: [char; 3] = ['"', '\'', '`'];

/// Returns what a sign such as `instance type {type} is not supported` takes out of the text, or `None` when it is not in
/// it. The parts between braces stand for the shortest text up to the next part, or at the end of the sign for one word.
/// `{}` takes nothing out.
pub fn find(sign: &str, text: &str) -> Option<Captures> {
    let mut parts = sign.split('{');
    let head = parts.next().unwrap_or_default();
    let mut rest = &text[text.find(head)? + head.len()..];
    let mut captures = Captures::new();
    for part in parts {
        let (name, literal) = part.split_once('}').unwrap_or((part, ""));
        let length = if literal.is_empty() {
            rest = rest.trim_start_matches(QUOTES);
            rest.find(|c: char| c.is_whitespace() || ",;\"')".contains(c)).unwrap_or(rest.len())
        } else {
            rest.find(literal)?
        };
        if !name.is_empty() {
            let taken = rest[..length].trim().trim_matches(QUOTES).trim_end_matches(['.', ':']);
            captures.insert(name.to_string(), Some(taken.to_string()).filter(|_| length <= LONGEST)?);
        }
        rest = &rest[length + literal.len()..];
    }
    Some(captures)
}

/// Returns the template with each `{name}` replaced.
fn fill(template: &str, captures: &Captures) -> String {
    captures.iter().fold(template.to_string(), |filled, (name, value)| filled.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Rules {
        serde_json::from_str(include_str!("rules.json")).unwrap()
    }

    #[test]
    fn no_sign_is_passed_over_for_its_words() {
        let rules = all();
        let pointers = rules.pointers.iter().flat_map(|rule| &rule.signs).map(String::as_str);
        let yarn =
            ["Container killed on request", "Exit status: -100", "exited with  exitCode: 13", "bin/python: No such"];
        for sign in pointers.chain(crate::diagnose::denied::NO).chain(yarn) {
            assert!(suspicious(sign), "{sign}");
        }
    }

    #[test]
    fn what_a_rule_says_is_in_each_of_its_signs() {
        let names = |text: &str| -> Vec<String> {
            text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_string())).collect()
        };
        let Rules { clusters, causes, symptoms, pointers } = all();
        for rule in [clusters, causes, symptoms, pointers].into_iter().flatten() {
            let said = [&rule.says, &rule.hint, rule.laptop.as_ref().unwrap_or(&rule.hint)];
            // Braces of YAML are no placeholders.
            for name in said.into_iter().flat_map(|text| names(text)).filter(|name| !name.contains([' ', ':'])) {
                for sign in &rule.signs {
                    assert!(names(sign).contains(&name), "`{sign}` does not take out `{name}`");
                }
            }
        }
    }

    fn found(pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
        find(pattern, text).map(|captures| captures.into_iter().collect())
    }

    #[test]
    fn a_pattern_takes_out_what_it_names() {
        let text = "On the master instance (i-0ab), bootstrap action 2 returned a non-zero return code";
        let pattern = "instance ({id}), bootstrap action {n} returned a non-zero";
        assert_eq!(found(pattern, text), Some(vec![("id".into(), "i-0ab".into()), ("n".into(), "2".into())]));
        assert_eq!(found("No module named {m}", "No module named 'a.b'."), Some(vec![("m".into(), "a.b".into())]));
        assert_eq!(found("No module named '{m}'", "No module named 'a.b'."), Some(vec![("m".into(), "a.b".into())]));
        assert_eq!(found("a{}c", "a bb c"), Some(vec![]));
        assert_eq!(found("a{}d", "a bb c"), None);
        assert_eq!(found("exit {code}", "exit 7."), Some(vec![("code".into(), "7".into())]));
    }

    #[test]
    fn a_template_is_filled() {
        let captures = Captures::from([("n".to_string(), "2".to_string())]);
        assert_eq!(fill("action {n} and {unknown}", &captures), "action 2 and {unknown}");
    }
}
