"""`train.py FILE [--out MODEL]`: learns the sentiment model from labelled texts and says how good it is, as JSON.

FILE has a text a line, `id;label;text`. The measures are by 5-fold cross-validation: each text is scored by a model
that has not seen it, in the form in which models are shipped, by the code that scores the job's texts. The model that
is written has seen all of FILE. The same FILE gives the same bytes. Needs what requirements.lock pins; see
docs/sentiment.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

CODE = Path(__file__).resolve().parents[1] / "pyspark"
sys.path.insert(0, str(CODE))

from soflow_jobs.gold import digest, measure, read_gold  # noqa: E402
from soflow_jobs.sentiment_model import FILE, LABELS, SIGNS, parse, signs, terms  # noqa: E402
from soflow_jobs.vader import compound, sentences  # noqa: E402

# Chosen by cross-validation on the training half of Senti4SD; macro-F1 moves by less than 0.002 around them.
INVERSE_PENALTY = 3.0
RAREST = 3  # texts that a term must be in
SIGN_SCALE = 2.0  # how much less a sign's weight is held back than a term's
FOLDS, SEED = 5, 0
BINS = 10  # of the calibration error


def main() -> int:
    """Writes the model and prints what is known of it. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Learn the sentiment model from labelled texts.")
    parser.add_argument("file", metavar="FILE", type=Path, help="one `id;label;text` a line")
    parser.add_argument("--out", metavar="MODEL", type=Path, default=CODE / "soflow_jobs" / FILE)
    arguments = parser.parse_args()
    pairs = read_gold(arguments.file.read_text(encoding="utf-8-sig"))
    labels, texts = [label for label, _ in pairs], [text for _, text in pairs]
    compounds = [[compound(sentence) for sentence in sentences(text)] for text in texts]
    # The order in which threads add up would change the last digits.
    with threadpool_limits(1):
        learned = {"digest": digest(pairs), "cross_validated": cross_validated(labels, texts, compounds)}
        document = learn(labels, texts, compounds, learned)
    arguments.out.write_bytes(document)
    told = {"texts": len(texts), **learned, "bytes": len(document), "version": parse(document).version}
    print(json.dumps(told, indent=2))
    return 0


def learn(labels: list[str], texts: list[str], compounds: list[list[float]], learned: dict | None = None) -> bytes:
    """A model as the file that is shipped: numbers are thousandths, weights are against neutral."""
    counted = [Counter(terms(text)) for text in texts]
    in_texts = Counter(term for each in counted for term in each)
    idf = {term: math.log((1 + len(texts)) / (1 + n)) + 1.0 for term, n in sorted(in_texts.items()) if n >= RAREST}
    seen = np.array([signs(text, each or [0.0]) for text, each in zip(texts, compounds, strict=True)]) * SIGN_SCALE
    rows = hstack([weighted(counted, idf), csr_matrix(seen)]).tocsr()
    fitted = LogisticRegression(C=INVERSE_PENALTY, tol=1e-7, max_iter=20_000).fit(rows, labels)
    assert list(fitted.classes_) == list(LABELS)
    weights, bias = fitted.coef_ - fitted.coef_[1], fitted.intercept_ - fitted.intercept_[1]
    of_signs = weights[:, len(idf) :] * SIGN_SCALE
    document = {
        "learned": learned,
        "terms": "\t".join(idf),
        "idf": thousandths(idf.values()),
        "negative": thousandths(weights[0, : len(idf)]),
        "positive": thousandths(weights[2, : len(idf)]),
        "signs": {name: thousandths((of_signs[0, at], of_signs[2, at])) for at, name in enumerate(SIGNS)}
        | {"bias": thousandths((bias[0], bias[2]))},
    }
    lines = (f'"{name}":{json.dumps(value, separators=(",", ":"))}' for name, value in document.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def weighted(counted: list[Counter[str]], idf: dict[str, float]) -> csr_matrix:
    """A row a text: its terms as Model.probabilities weighs them."""
    places = {term: at for at, term in enumerate(idf)}
    values, columns, starts = [], [], [0]
    for each in counted:
        row = {places[term]: (math.log(n) + 1.0) * idf[term] for term, n in each.items() if term in places}
        length = math.sqrt(sum(value * value for value in row.values())) or 1.0
        columns += row.keys()
        values += [value / length for value in row.values()]
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), shape=(len(counted), len(idf)))


def thousandths(values: Iterable[float]) -> list[int]:
    """The numbers as they are shipped."""
    return [round(float(value) * 1000) for value in values]


def cross_validated(labels: list[str], texts: list[str], compounds: list[list[float]]) -> dict:
    """What models say of the texts that they have not seen: gold.measure's numbers and the calibration error."""
    chances = np.zeros((len(texts), len(LABELS)))
    for seen, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(texts, labels):
        model = parse(learn(*([column[at] for at in seen] for column in (labels, texts, compounds))))
        for at in unseen:
            chances[at] = list(model.probabilities(texts[at], compounds[at]))
    found = [LABELS[at] for at in chances.argmax(axis=1)]
    return measure(labels, found) | {"calibration_error": calibration_error(labels, chances)}


def calibration_error(labels: list[str], chances: np.ndarray) -> float:
    """The mean distance between a probability and how often it comes true: by label in bins of 0.1, over the labels."""
    error = 0.0
    for at, label in enumerate(LABELS):
        told, true = chances[:, at], np.array([each == label for each in labels])
        bins = np.minimum((told * BINS).astype(int), BINS - 1)
        for number in range(BINS):
            inside = bins == number
            if inside.any():
                error += abs(told[inside].mean() - true[inside].mean()) * inside.mean() / len(LABELS)
    return round(float(error), 4)


if __name__ == "__main__":
    sys.exit(main())
