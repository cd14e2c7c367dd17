"""Sentiment of one technical text: by the learned model, or by VADER alone. Pure Python.

The model takes a text as a whole: of the ways to read long bodies that agrees best with people, see docs/sentiment.md.
VADER scores sentence by sentence, since whole bodies saturate it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from soflow_jobs import sentiment_model, vader
from soflow_jobs.language import ENGLISH, language, language_version

# By the parameter `sentiment`: what the table calls it.
ENGINES = {"model": "model", "vader": "vader-tech"}


@dataclass(frozen=True)
class Sentiment:
    """What is said of a text. All but n_sentences and lang_guess is None for a text in another language than English.

    Counts are of sentences, by VADER; polarity_net and compound_mean are from -1 to 1; the probabilities are None when
    VADER decides.
    """

    n_sentences: int
    n_pos: int | None = None
    n_neg: int | None = None
    polarity_net: float | None = None
    compound_mean: float | None = None
    emotive_share: float | None = None
    p_negative: float | None = None
    p_neutral: float | None = None
    p_positive: float | None = None
    label: str | None = None
    lang_guess: str | None = None


def score(text: str, engine: str = "model", kind: str | None = None) -> Sentiment:
    """The sentiment of a plain text; without a sentence it is neutral.

    `kind` is question, answer or comment: how often such texts have feeling at all. Without it the text is one of those
    that the model learned from.
    """
    parts = vader.sentences(text)
    spoken = language(text)
    if spoken not in (ENGLISH, None):
        return Sentiment(len(parts), lang_guess=spoken)
    compounds = [vader.compound(part) for part in parts]
    n, (n_pos, n_neg) = len(parts), vader.counts(compounds)
    told = {
        "n_pos": n_pos,
        "n_neg": n_neg,
        "compound_mean": math.fsum(compounds) / n if n else 0.0,
        "emotive_share": (n_pos + n_neg) / n if n else 0.0,
        "lang_guess": spoken,
    }
    if engine == "vader":
        net = (n_pos - n_neg) / n if n else 0.0
        return Sentiment(n, polarity_net=net, label=vader.label(n, n_pos, n_neg), **told)
    chances = sentiment_model.load().probabilities(text, compounds, kind)
    return Sentiment(
        n,
        polarity_net=round(chances.positive - chances.negative, 4),
        p_negative=chances.negative,
        p_neutral=chances.neutral,
        p_positive=chances.positive,
        label=chances.label,
        **told,
    )


def engine_version(engine: str = "model") -> str:
    """Changes whenever a score may: `<vader's version>+<hash of all that decides>`."""
    package, _, lexicon = vader.vader_version().partition("+")
    parts = [lexicon, language_version()]
    if engine == "model":
        parts += [sentiment_model.load().version, str(sorted(sentiment_model.ODDS.items()))]
    return f"{package}+{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"
