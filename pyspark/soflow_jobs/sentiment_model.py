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

from soflow_jobs.vader import LINK_OR_NAME, counts

LABELS = ("negative", "neutral", "positive")
FILE = "sentiment_model.json"

# The odds of a text of the kind having feeling, over those of Senti4SD's texts, which were chosen to have some. By the
# hand-labelled bodies and comments of docs/sentiment.md.
ODDS = {"question": 0.02, "answer": 0.02, "comment": 0.07}

TOKEN = re.compile(r"[^\W_]+(?:'[a-z]+)?|[!?]+|(?<!\w)[:;=8x][-^o']?[()dp/|\\]+|[^\x00-\x7f\w\s]")
HAPPY = re.compile(r"(?<!\w)[:;=8xX][-^o']?[)DPp\]]|<3|[☺😀-😆😉-😎👍]|(?<!\w)\^_?\^")
SAD = re.compile(r"(?<!\w)[:;=][-^o']?[(/|\\\[]|[☹😑-😕😞-😭👎]")

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
        found = [((math.log(n) + 1.0), known) for term, n in terms(text).items() if (known := self.terms.get(term))]
        weighted = [(weight * idf, negative, positive) for weight, (idf, negative, positive) in found]
        length = math.sqrt(sum(weight * weight for weight, _, _ in weighted)) or 1.0
        parts = [(weight / length, negative, positive) for weight, negative, positive in weighted]
        parts += [(sign, *weights) for sign, weights in zip(signs(text, compounds), self.signs, strict=True)]
        prior = math.log(ODDS[kind]) if kind else 0.0
        negative = self.bias[0] + prior + sum(value * weight for value, weight, _ in parts)
        positive = self.bias[1] + prior + sum(value * weight for value, _, weight in parts)
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


def terms(text: str) -> Counter[str]:
    """How often each word and each pair of neighbouring words is in the text, lower case, links and @names aside."""
    words = TOKEN.findall(LINK_OR_NAME.sub(" ", text.lower()))
    return Counter(words) + Counter(map(" ".join, zip(words, words[1:], strict=False)))


def signs(text: str, compounds: Sequence[float]) -> list[float]:
    """The numbers named in SIGNS. Counts are cut off: the tenth exclamation mark says no more than the third."""
    n = len(compounds)
    n_pos, n_neg = counts(compounds)
    return [
        math.fsum(compounds) / n,
        min(compounds),
        max(compounds),
        n_pos / n,
        n_neg / n,
        min(text.count("!"), 3) / 3,
        min(text.count("?"), 3) / 3,
        min(len(HAPPY.findall(text)), 2) / 2,
        min(len(SAD.findall(text)), 2) / 2,
    ]
