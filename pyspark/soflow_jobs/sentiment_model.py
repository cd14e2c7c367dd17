"""The learned model of sentiment: what it sees of a text, and how probable each label is. Plain Python.

A multinomial logistic regression on words, pairs of words and nine signs, of which five are VADER's. training/train.py
makes sentiment_model.json with `terms` and `signs` below, so that a text is the same to both. docs/sentiment.md is the
model card.
"""

from __future__ import annotations

import hashlib
import json
import math
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from soflow_jobs.vader import counts, unlinked

LABELS = ("negative", "neutral", "positive")
FILE = "sentiment_model.json"

# The odds of a text of the kind having feeling, over those of Senti4SD's texts, which were chosen to have some. By the
# hand-labelled bodies and comments of docs/sentiment.md.
ODDS = {"question": 0.02, "answer": 0.02, "comment": 0.07}

TOKEN = re.compile(r"[^\W_]+(?:'[a-z]+)?|[!?]+|(?<!\w)[:;=8x][-^o']?[()dp/|\\]+|[^\x00-\x7f\w\s]")
HAPPY = ":) :-) ;) ;-) =) :D :-D =D ;D xD XD :P :-P :p ;P :] <3 ^^ ^_^ ☺ 😀 😁 😂 😃 😄 😅 😆 😉 😊 😋 😍 👍".split()
SAD = ":( :-( :'( =( ;( :/ :-/ :\\ :-\\ :| :-| :[ ☹ 😑 😒 😓 😔 😕 😞 😠 😡 😢 😩 😭 👎".split()

# What `signs` returns, in order.
SIGNS = tuple(
    "compound_mean compound_min compound_max share_positive share_negative exclamations questions happy sad".split()
)


@dataclass(frozen=True)
class Probabilities:
    """How probable each label is, in 4 places, so that sums of them are the same in any order."""

    negative: float
    neutral: float
    positive: float

    @property
    def label(self) -> str:
        """The most probable one; of equals the first of LABELS."""
        return LABELS[max(range(3), key=list(self).__getitem__)]

    def __iter__(self) -> Iterator[float]:
        return iter((self.negative, self.neutral, self.positive))


@dataclass(frozen=True)
class Model:
    """Log odds of negative and of positive over neutral: by term, after its inverse document frequency, and by sign.

    `learned` has the digest of the labelled texts, and what cross-validation on them said.
    """

    version: str
    learned: Mapping[str, Any]
    terms: Mapping[str, tuple[float, float, float]]
    signs: Sequence[tuple[float, float]]
    bias: tuple[float, float]

    def probabilities(self, text: str, compounds: Sequence[float], kind: str | None = None) -> Probabilities:
        """What a text is, of which VADER scores the sentences so; by default as one of Senti4SD, else of ODDS."""
        if not compounds:
            return Probabilities(0.0, 1.0, 0.0)
        negative = positive = squares = 0.0
        for term, n in Counter(filter(self.terms.__contains__, terms(text))).items():
            idf, to_negative, to_positive = self.terms[term]
            weight = idf if n == 1 else idf * (math.log(n) + 1.0)
            squares += weight * weight
            negative += weight * to_negative
            positive += weight * to_positive
        length = math.sqrt(squares) or 1.0
        prior = math.log(ODDS[kind]) if kind else 0.0
        negative, positive = negative / length + self.bias[0] + prior, positive / length + self.bias[1] + prior
        for sign, (to_negative, to_positive) in zip(signs(text, compounds), self.signs, strict=True):
            negative += sign * to_negative
            positive += sign * to_positive
        return softmax(negative, positive)


def softmax(negative: float, positive: float) -> Probabilities:
    """The probabilities of log odds over neutral."""
    top = max(negative, positive, 0.0)
    odds = math.exp(negative - top), math.exp(-top), math.exp(positive - top)
    low, high = round(odds[0] / sum(odds), 4), round(odds[2] / sum(odds), 4)
    return Probabilities(low, round(1.0 - low - high, 4), high)


@lru_cache(maxsize=1)
def load() -> Model:
    """The model that is shipped, read once in a worker process; also from a zip of packages."""
    data = pkgutil.get_data(__package__, FILE)
    if data is None:
        raise FileNotFoundError(f"soflow_jobs/{FILE} is not beside the code")
    return parse(data)


def parse(data: bytes) -> Model:
    """The model in a file that training has written: numbers are thousandths."""
    raw = json.loads(data)
    columns = ([value / 1000 for value in raw[name]] for name in ("idf", "negative", "positive"))
    pairs = {name: (negative / 1000, positive / 1000) for name, (negative, positive) in raw["signs"].items()}
    return Model(
        version=hashlib.sha256(data).hexdigest()[:12],
        learned=raw["learned"],
        terms=dict(zip(raw["terms"].split("\t"), zip(*columns, strict=True), strict=True)),
        signs=[pairs[name] for name in SIGNS],
        bias=pairs["bias"],
    )


def terms(text: str) -> list[str]:
    """Each word and each pair of neighbouring words of the text, lower case, links and @names aside."""
    words = TOKEN.findall(unlinked(text).lower())
    return [*words, *map(" ".join, zip(words, words[1:], strict=False))]


def signs(text: str, compounds: Sequence[float]) -> list[float]:
    """The numbers named in SIGNS. Counts are cut off: the tenth exclamation mark says no more than the third."""
    n, plain = len(compounds), unlinked(text)
    n_pos, n_neg = counts(compounds)
    return [
        math.fsum(compounds) / n,
        min(compounds),
        max(compounds),
        n_pos / n,
        n_neg / n,
        min(text.count("!"), 3) / 3,
        min(text.count("?"), 3) / 3,
        min(sum(map(plain.count, HAPPY)), 2) / 2,
        min(sum(map(plain.count, SAD)), 2) / 2,
    ]
