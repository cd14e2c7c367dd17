"""VADER with technical words neutralised, sentence by sentence. Pure Python."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from string import punctuation

from vaderSentiment.vaderSentiment import BOOSTER_DICT, SentimentIntensityAnalyzer, SentiText, normalize

from soflow_jobs.neutral_words import NEUTRAL_WORDS

# A sentence's compound score (-1 to 1) at or beyond which it counts as negative or positive: a grid of steps of 0.05 on
# Senti4SD's training half (Calefato et al. 2018), 5-fold cross-validated.
NEGATIVE, POSITIVE = -0.30, 0.45

# Below this share of sentences with feeling a text is neutral: one "great" does not colour a body of 20 sentences.
# Not tuned: labelled texts are too short to tell.
EMOTIVE_SHARE = 0.10

# Ends of sentences: a full stop, ! or ? before white space, or a line's end.
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
LINK_OR_NAME = re.compile(r"https?://\S+|(?<!\w)@\w+")
HAS_CONTENT = re.compile(r"\w|[:;=8][-^']?[()DPp/|\\]|[^\x00-\x7f]")


def unlinked(text: str) -> str:
    """The text without links and @names."""
    return LINK_OR_NAME.sub(" ", text) if "@" in text or "://" in text else text


def sentences(text: str) -> list[str]:
    """The text's sentences, without links and @names; those with neither a word nor a smiley are left out."""
    return [part.strip() for part in SENTENCE_END.split(unlinked(text)) if part and HAS_CONTENT.search(part)]


def compound(sentence: str) -> float:
    """VADER's score of a sentence, -1 to 1; what `polarity_scores` says, in half the time.

    That one looks at each character for an emoji, and at each word for what stands before it. Without a word of the
    lexicon, which is most sentences, the score is 0.
    """
    analyzer = _analyzer()
    if not sentence.isascii():
        return analyzer.polarity_scores(sentence)["compound"]
    lexicon, tokens = analyzer.lexicon.keys(), sentence.lower().split()
    if lexicon.isdisjoint(tokens) and lexicon.isdisjoint(token.strip(punctuation) for token in tokens):
        return 0.0
    parts = SentiText(sentence)
    row, valences = parts.words_and_emoticons, []
    lower = [word.lower() for word in row]
    for at, word in enumerate(row):
        modifies = lower[at] in BOOSTER_DICT or lower[at : at + 2] == ["kind", "of"]
        if lower[at] in lexicon and not modifies:
            valences = analyzer.sentiment_valence(0, parts, word, at, valences)
        else:
            valences.append(0)
    total = float(sum(analyzer._but_check(row, valences) if "but" in lower else valences))
    emphasis = analyzer._punctuation_emphasis(sentence) if total else 0.0
    return round(normalize(total + math.copysign(emphasis, total)), 4)


def counts(compounds: Sequence[float]) -> tuple[int, int]:
    """How many sentences are positive, and how many negative."""
    return sum(each >= POSITIVE for each in compounds), sum(each <= NEGATIVE for each in compounds)


def label(n_sentences: int, n_pos: int, n_neg: int) -> str:
    """negative, neutral or positive, by the majority of the sentences with feeling.

    A tie is negative: people wrap complaints in courtesy ("I hate this. Thanks for any help!") and not the reverse.
    """
    emotive = n_pos + n_neg
    if not emotive or emotive / n_sentences < EMOTIVE_SHARE:
        return "neutral"
    return "positive" if n_pos > n_neg else "negative"


@lru_cache(maxsize=1)
def vader_version() -> str:
    """Changes whenever a score may: `<package's version>+<hash of lexicon, emoji and thresholds>`."""
    analyzer = _analyzer()
    parts = [sorted(analyzer.lexicon.items()), sorted(analyzer.emojis.items()), NEGATIVE, POSITIVE, EMOTIVE_SHARE]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return f"{version('vaderSentiment')}+{digest[:12]}"


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    """Built once in a worker process: reading the lexicon takes longer than scoring a hundred texts."""
    analyzer = SentimentIntensityAnalyzer()
    for word in NEUTRAL_WORDS:
        analyzer.lexicon.pop(word, None)
    return analyzer
