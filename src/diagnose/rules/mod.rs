//! What is known about failures, as data: signs in a text, whose fault it is, what to say and what to do.

mod clusters;
mod logs;
mod symptoms;

use super::finding::{Class, Finding, Place};
use super::pattern::{Captures, fill, find};

pub use clusters::CLUSTERS;

/// How far a rule's sign explains a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It is a cause.
    Cause,
    /// It follows from another failure, which is the cause when there is a sign of it.
    Symptom,
    /// It only says that there was a failure; the cause is in another file.
    Pointer,
}

/// Something known about failures.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Whose fault it is.
    pub class: Class,
    /// How far it explains.
    pub weight: Weight,
    signs: &'static [&'static str],
    says: &'static str,
    hint: &'static str,
    laptop: &'static str,
}

impl Rule {
    /// Returns a rule for texts with one of these patterns in them.
    pub const fn new(class: Class, signs: &'static [&'static str]) -> Self {
        Self { class, weight: Weight::Cause, signs, says: "", hint: "", laptop: "" }
    }

    /// Returns the rule with a summary that is clearer than the text itself.
    pub const fn says(self, says: &'static str) -> Self {
        Self { says, ..self }
    }

    /// Returns the rule with what to do, wherever the step ran.
    pub const fn hint(self, hint: &'static str) -> Self {
        Self { hint, laptop: hint, ..self }
    }

    /// Returns the rule with what to do when the step ran on this machine.
    pub const fn laptop(self, laptop: &'static str) -> Self {
        Self { laptop, ..self }
    }

    /// Returns the rule with another weight.
    pub const fn weight(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// Returns what the first fitting sign takes out of the text, or `None` when none fits.
    pub fn matches(&self, text: &str) -> Option<Captures> {
        self.signs.iter().find_map(|sign| find(sign, text))
    }

    /// Returns the summary, or `None` when the text says it best.
    pub fn summary(&self, captures: &Captures) -> Option<String> {
        (!self.says.is_empty()).then(|| fill(self.says, captures))
    }

    /// Returns what to do.
    pub fn advice(&self, captures: &Captures, place: Place) -> Option<String> {
        let hint = if place == Place::Laptop { self.laptop } else { self.hint };
        (!hint.is_empty()).then(|| fill(hint, captures))
    }
}

/// Returns the first rule of the table that fits the text, and what it took out.
pub fn first<'a>(table: &'a [Rule], text: &str) -> Option<(&'a Rule, Captures)> {
    table.iter().find_map(|rule| rule.matches(text).map(|captures| (rule, captures)))
}

/// Returns what is wrong with a request for a cluster, when the words with which EMR does not take it tell.
pub fn request(words: &str) -> Option<Finding> {
    let (rule, captures) = first(CLUSTERS, words)?;
    let summary = rule.summary(&captures).unwrap_or_else(|| words.to_string());
    Some(Finding { class: rule.class, summary, hint: rule.advice(&captures, Place::Laptop), ..Finding::default() })
}

/// Returns all that is known about logs of steps, the stronger first.
pub fn logs() -> impl Iterator<Item = &'static Rule> {
    logs::CAUSES.iter().chain(symptoms::SYMPTOMS)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_is_passed_over_for_its_words() {
        let pointers = logs().filter(|rule| rule.weight == Weight::Pointer).flat_map(|rule| rule.signs);
        let yarn =
            ["Container killed on request", "Exit status: -100", "exited with  exitCode: 13", "bin/python: No such"];
        for sign in pointers.chain(&crate::diagnose::denied::NO).chain(&yarn) {
            assert!(suspicious(sign), "{sign}");
        }
    }

    #[test]
    fn what_a_rule_says_is_in_each_of_its_signs() {
        let names = |text: &str| -> Vec<String> {
            text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_string())).collect()
        };
        for rule in logs().chain(CLUSTERS) {
            for name in [rule.says, rule.hint, rule.laptop].iter().flat_map(|text| names(text)).collect::<Vec<_>>() {
                // Braces of YAML are no placeholders.
                if name.contains([' ', ':']) {
                    continue;
                }
                for sign in rule.signs {
                    assert!(names(sign).contains(&name), "`{sign}` does not take out `{name}`");
                }
            }
        }
    }
}
