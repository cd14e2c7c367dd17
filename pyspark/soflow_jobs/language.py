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

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Words that hardly any other of LANGUAGES has. A text with two or more, and enough, is English, and told so without the
# identifier: its model takes most of a second to read, and most batches of texts never need it.
PLAIN = frozenset(
    "the and this that these those there their them they with without you your yours have haven't has hasn't had what "
    "which when where why how who whose would wouldn't should shouldn't could couldn't can can't cannot don't doesn't "
    "didn't isn't aren't wasn't weren't won't i'm i've i'd i'll it's that's there's what's here's let's you're you've "
    "from into onto about after before because through between while using used useful uses make makes made making "
    "works working worked doing done does did trying tried try getting got give gives given looking looks look seems "
    "it its my our we not been being were are be for to but if than then so just only also very really too much many "
    "more most some any another other others same each every both few new old first last one two way ways thing "
    "things something anything nothing everything someone anyone people please thanks thank sorry yes good great nice "
    "better best well need needs want wanted know think mean means say says said tell understand help question "
    "questions answer answers answered solution exactly actually here now never always still again even own like "
    "however maybe probably".split()
)
PLAIN_SHARE = 0.15


_LOADING = Lock()


def language(text: str) -> str | None:
    """The ISO 639-1 code, or None for a text that may be English and does not look like it: an identifier, a link."""
    beginning = text[:CHARACTERS]
    words = WORD.findall(beginning.lower())
    if not words:
        return None
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
    return f"{version('py3langid')}/{EXCLUDED}/{CHARACTERS}/{PLAIN_SHARE}/{' '.join(sorted(PLAIN))}"


def _identifier() -> LanguageIdentifier:
    """Read once in a worker process: it takes a second of CPU. Sail's workers are threads, which all ask at once."""
    with _LOADING:
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier
