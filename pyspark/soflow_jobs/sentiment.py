"""Sentiment of one technical text. Pure Python.

VADER, with technical words neutralised, scores sentence by sentence; a text is what the majority of its sentences with
feeling is. Whole bodies saturate VADER (it calls 92 % of question bodies positive or negative), sentences do not.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from soflow_jobs.neutral_words import NEUTRAL_WORDS

ENGINE = "vader-tech"

# A sentence's compound score (-1 to 1) at or beyond which it counts as negative or positive. The only numbers tuned on
# labelled texts: a grid of steps of 0.05 on Senti4SD's training half (Calefato et al. 2018), 5-fold cross-validated.
NEGATIVE, POSITIVE = -0.30, 0.45

# Below this share of sentences with feeling a text is neutral: one "great" does not colour a body of 20 sentences.
# Not tuned: labelled texts are too short to tell.
EMOTIVE_SHARE = 0.10

# Ends of sentences: a full stop, ! or ? before white space, or a line's end.
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
LINK_OR_NAME = re.compile(r"https?://\S+|(?<!\w)@\w+")
HAS_CONTENT = re.compile(r"\w|[:;=8][-^']?[()DPp/|\\]|[^\x00-\x7f]")

WORD = re.compile(r"[^\W\d_]+")
ENGLISH = frozenset(
    "the a an is are was to of and in for it this that i you we my your with on not be have has can how what as but "
    "if or do does so at from when there which use using get".split()
)
LANGUAGE_WORDS = 4  # fewer words say nothing about the language
ENGLISH_SHARE = 0.12  # of words; English prose has about 0.4, others hardly any


@dataclass(frozen=True)
class Sentiment:
    """Counts of sentences; polarity_net and compound_mean from -1 to 1; emotive_share from 0 to 1."""

    n_sentences: int
    n_pos: int
    n_neg: int
    polarity_net: float
    compound_mean: float
    emotive_share: float
    label: str
    lang_guess: str | None


def score(text: str) -> Sentiment:
    """The sentiment of a plain text. A text without a sentence is neutral."""
    analyzer = _analyzer()
    compounds = [analyzer.polarity_scores(sentence)["compound"] for sentence in sentences(text)]
    n = len(compounds)
    n_pos = sum(compound >= POSITIVE for compound in compounds)
    n_neg = sum(compound <= NEGATIVE for compound in compounds)
    return Sentiment(
        n_sentences=n,
        n_pos=n_pos,
        n_neg=n_neg,
        polarity_net=(n_pos - n_neg) / n if n else 0.0,
        compound_mean=sum(compounds) / n if n else 0.0,
        emotive_share=(n_pos + n_neg) / n if n else 0.0,
        label=label(n, n_pos, n_neg),
        lang_guess=language(text),
    )


def label(n_sentences: int, n_pos: int, n_neg: int) -> str:
    """negative, neutral or positive.

    A tie is negative: people wrap complaints in courtesy ("I hate this. Thanks for any help!") and not the reverse.
    """
    emotive = n_pos + n_neg
    if not emotive or emotive / n_sentences < EMOTIVE_SHARE:
        return "neutral"
    return "positive" if n_pos > n_neg else "negative"


def sentences(text: str) -> list[str]:
    """The text's sentences, without links and @names; those with neither a word nor a smiley are left out."""
    plain = LINK_OR_NAME.sub(" ", text)
    return [part.strip() for part in SENTENCE_END.split(plain) if part and HAS_CONTENT.search(part)]


def language(text: str) -> str | None:
    """`en` or `other`, by how many words are common English ones; None below 4 words."""
    words = WORD.findall(text.lower())
    if len(words) < LANGUAGE_WORDS:
        return None
    return "en" if sum(word in ENGLISH for word in words) / len(words) >= ENGLISH_SHARE else "other"


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Changes whenever a score may: `<vader version>+<hash of lexicon, emoji and thresholds>`."""
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
