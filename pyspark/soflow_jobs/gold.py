"""`python -m soflow_jobs.gold FILE`: how well the sentiment step agrees with people, as one JSON document.

FILE has a text a line, `id;label;text`, UTF-8; the text may hold `;`. The label is negative, neutral or positive. For
the file that the model was learned from, the document has what cross-validation said then: a model knows what it has
seen. Exit code 2 and one `error:` line on stderr when the file cannot be read or is something else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from soflow_jobs import sentiment_model
from soflow_jobs.sentiment import ENGINES, engine_version, score
from soflow_jobs.sentiment_model import LABELS


class GoldError(ValueError):
    """The file is not a list of labelled texts. The message names the line."""


def read_gold(text: str) -> list[tuple[str, str]]:
    """(label, text) of each line; blank lines are skipped. Raises GoldError, naming the line."""
    pairs = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        parts = line.rstrip("\r").split(";", 2)
        if len(parts) < 3:
            raise GoldError(f"line {number}: {len(parts)} fields, expected `id;label;text`")
        if parts[1] not in LABELS:
            raise GoldError(f"line {number}: label `{parts[1][:40]}`, expected one of {', '.join(LABELS)}")
        pairs.append((parts[1], parts[2]))
    if not pairs:
        raise GoldError("no labelled text in it")
    return pairs


def measure(gold: list[str], found: list[str | None]) -> dict[str, Any]:
    """macro_f1, and recall and f1 by label, rounded to 4 places; null for a label that neither list has."""
    pairs = list(zip(gold, found, strict=True))
    recall: dict[str, float | None] = {}
    f1: dict[str, float | None] = {}
    for label in LABELS:
        both = sum(1 for expected, got in pairs if expected == got == label)
        in_gold, in_found = gold.count(label), found.count(label)
        recall[label] = both / in_gold if in_gold else None
        f1[label] = 2 * both / (in_gold + in_found) if in_gold + in_found else None
    known = [value for value in f1.values() if value is not None]
    rounded = {"recall": recall, "f1": f1}
    return {"macro_f1": round(sum(known) / len(known), 4)} | {
        name: {label: value if value is None else round(value, 4) for label, value in values.items()}
        for name, values in rounded.items()
    }


def digest(pairs: list[tuple[str, str]]) -> str:
    """Of the labels and texts, in their order."""
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:12]


def evaluate(path: str, engine: str = "model") -> dict[str, Any]:
    """The measures of the file, by the same function as the job. Raises GoldError, OSError or UnicodeDecodeError."""
    pairs = read_gold(Path(path).read_text(encoding="utf-8-sig"))
    version = engine_version(engine)  # which reads lexicon and model, so that the time is of scoring alone
    begun = perf_counter()
    found = [score(text, engine).label for _, text in pairs]
    speed = round(len(pairs) / (perf_counter() - begun))
    measured = measure([label for label, _ in pairs], found)
    told = {
        "file": path,
        "texts": len(pairs),
        "texts_per_second": speed,
        "sentiment": engine,
        "engine_version": version,
    }
    learned = sentiment_model.load().learned
    if engine == "model" and learned["digest"] == digest(pairs):
        return told | learned["cross_validated"] | {"by": "cross-validation", "macro_f1_of_seen": measured["macro_f1"]}
    return told | measured


def main(arguments: list[str] | None = None) -> int:
    """Prints the measures. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="soflow_jobs.gold", description="Measure sentiment against labelled texts.")
    parser.add_argument("file", metavar="FILE", help="one `id;label;text` a line")
    parser.add_argument("--sentiment", choices=ENGINES, default="model", help="what is measured")
    given = parser.parse_args(arguments)
    path = given.file
    try:
        print(json.dumps(evaluate(path, given.sentiment)))
    except OSError as cause:
        print(f"error: cannot read `{path}`: {cause.strerror or cause}", file=sys.stderr)
        return 2
    except UnicodeDecodeError as cause:
        print(f"error: `{path}` is not UTF-8: byte {cause.start}: {cause.reason}", file=sys.stderr)
        return 2
    except GoldError as cause:
        print(f"error: `{path}`: {cause}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
