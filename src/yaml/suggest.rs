//! What was probably meant by a word that nobody knows.

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
