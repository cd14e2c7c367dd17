"""Which language a text is in, as far as mood is concerned: English, surely another one, or too little to tell.

py3langid, offline, among LANGUAGES. Texts here are short and full of identifiers, which no identifier takes for English
with confidence; so a text counts as another language only when English is all but excluded. docs/sentiment.md has the
measurements behind the numbers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version
from threading import Lock

from py3langid.langid import MODEL_FILE, LanguageIdentifier

ENGLISH = "en"

# What people write on such sites. Among all 139 languages of the model, identifiers pass for Latin or Zulu.
LANGUAGES = tuple("ar bg cs da de el en es fa fi fr he hi hu id it ja ko nl no pl pt ro ru sv th tr uk vi zh".split())

# Below this probability of English a text is in another language.
EXCLUDED = 0.01

# The beginning tells. Time is by the byte.
CHARACTERS = 300

HAS_WORD = re.compile(r"[^\W\d_]")
# Words that hardly any other of LANGUAGES has. A text with two or more, and enough, is English, and faster told so than
# by the identifier, which the others are left to: one in ten.
PLAIN = frozenset(
    "the and this that these with you your have what how which when where there would should could don can from they "
    "using it its my not been why for to".split()
)
PLAIN_SHARE = 0.15


_LOADING = Lock()


def language(text: str) -> str | None:
    """The ISO 639-1 code, or None for a text that may be English and does not look like it: an identifier, a link."""
    beginning = text[:CHARACTERS]
    if not HAS_WORD.search(beginning):
        return None
    words = beginning.lower().split()
    plain = [word for word in words if word in PLAIN]
    if len(plain) / len(words) >= PLAIN_SHARE and len(set(plain)) > 1:
        return ENGLISH
    chances = dict(_identifier().rank(beginning))
    best = max(chances, key=lambda code: (chances[code], code))
    if best != ENGLISH and chances[ENGLISH] >= EXCLUDED:
        return None
    return best


def language_version() -> str:
    """Changes whenever the answer may."""
    return f"{version('py3langid')}/{EXCLUDED}/{CHARACTERS}/{PLAIN_SHARE}"


def _identifier() -> LanguageIdentifier:
    """Read once in a worker process: it takes a second of CPU. Sail's workers are threads, which all ask at once."""
    with _LOADING:
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
