"""Chance that falls the same way on every machine, and the tags: how many ask, when, how pleased they are."""

import pathlib
import struct
from dataclasses import dataclass, field
from typing import TypeVar

HERE = pathlib.Path(__file__).resolve().parent
T = TypeVar("T")

SEED = 7  # Another number, another sample.
DAYS = 549
NEW_SINCE = DAYS - 140  # Days before a brand-new tag is there.

# What a stream of chance decides about. Each thing has its own, so that one more draw here moves nothing there.
DAY, THREAD, QUESTION, ANSWER, COMMENT, PERSON = range(1, 7)

# How many questions in 100 have 1, 2, ... 5 tags. Source: 2,148 real threads, 137/443/623/525/420.
TAGS_PER_QUESTION = (6, 21, 29, 24, 20)

WORD = 0xFFFFFFFF
ROUNDS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)) + (
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)


class Dice:
    """ChaCha8 as a source of whole numbers: the same stream and index fall the same way."""

    def __init__(self, stream: int, index: int) -> None:
        self.start = struct.unpack("<4I", b"expand 32-byte k") + (SEED,) + (0,) * 7
        self.nonce = (index & WORD, stream << 16 | index >> 32)
        self.block = 0
        self.words: list[int] = []

    def word(self) -> int:
        if not self.words:
            self.words = self.next_block()
        return self.words.pop()

    def next_block(self) -> list[int]:
        """The next 16 words, the first one last."""
        start = (*self.start, self.block, 0, *self.nonce)
        self.block += 1
        x = list(start)
        for _ in range(4):
            for a, b, c, d in ROUNDS:
                p, q, r, s = x[a], x[b], x[c], x[d]
                p = (p + q) & WORD
                s ^= p
                s = (s << 16 | s >> 16) & WORD
                r = (r + s) & WORD
                q ^= r
                q = (q << 12 | q >> 20) & WORD
                p = (p + q) & WORD
                s ^= p
                s = (s << 8 | s >> 24) & WORD
                r = (r + s) & WORD
                q ^= r
                x[a], x[b], x[c], x[d] = p, (q << 7 | q >> 25) & WORD, r, s
        return [(word + first) & WORD for word, first in zip(reversed(x), reversed(start), strict=True)]

    def below(self, end: int) -> int:
        return self.word() * end >> 32

    def percent(self, percent: int) -> bool:
        return self.below(100) < percent

    def permille(self, times: int) -> bool:
        return self.below(1000) < times

    def choose(self, choices: list[T]) -> T:
        return choices[self.below(len(choices))]

    def weighted(self, weights: tuple[int, ...]) -> int:
        """The position in `weights` on which a throw falls; heavier ones more often."""
        throw = self.below(sum(weights))
        for position, weight in enumerate(weights):
            if throw < weight:
                return position
            throw -= weight
        return 0

    def seconds(self, middle: int, spread: int) -> int:
        """Seconds that are log-normal, as answer times are: half are below 2^(`middle` / 256), and a `spread` of 256
        means a factor of two either way for a third of them each."""
        # Twelve even throws add up to a bell of mean 6 and deviation 1; in 256ths.
        bell = sum(self.below(256) for _ in range(12)) - 12 * 128 + 6
        whole, part = divmod(min(max(middle + towards_zero(spread * bell, 256), 0), 24 * 256), 256)
        # Between two powers of two a straight line is near enough, and exact everywhere.
        return (1 << whole) * (256 + part) // 256


def towards_zero(number: int, by: int) -> int:
    return number // by if number >= 0 else -(-number // by)


def on_day(ends: tuple[int, int], day: int) -> int:
    """What a number that goes evenly from the first to the last day has become on `day`."""
    return ends[0] + towards_zero((ends[1] - ends[0]) * day, DAYS - 1)


@dataclass
class Tag:
    name: str
    family: str  # Which nouns, errors and code go with it.
    mood: int  # From -3, annoying, to 3, pleasing.
    weights: tuple[int, int]
    reach: tuple[int, int]
    season: str
    companions: list[int] = field(default_factory=list)

    def answered_percent(self, day: int) -> int:
        return on_day(self.reach, day)

    def slower(self, day: int) -> int:
        """How much slower answers have become, in 256ths of a power of two."""
        return (self.reach[0] - on_day(self.reach, day)) * 32

    def weight(self, day: int, month: int) -> int:
        # Times ten, so that a trend of a small tag is no staircase.
        weight = on_day((self.weights[0] * 10, self.weights[1] * 10), day)
        if self.season == "-":
            return weight
        if self.season == "new":
            grown = self.weights[1] * 10 * (day - NEW_SINCE + 20) // (DAYS - NEW_SINCE)
            return grown if day >= NEW_SINCE else 0
        return weight * 2 if str(month) in self.season.split(",") else weight


def read_tags() -> list[Tag]:
    lines = [line for line in (HERE / "tags.txt").read_text().splitlines() if not line.startswith("#")]
    tags, companions = [], []
    for line in lines:
        about, names = line.split("|")
        name, family, start, end, mood, reach_start, reach_end, season = about.split()
        ends, reach = (int(start), int(end)), (int(reach_start), int(reach_end))
        tags.append(Tag(name, family, int(mood), ends, reach, season))
        companions.append(names.split())
    numbers = {tag.name: number for number, tag in enumerate(tags)}
    for tag, names in zip(tags, companions, strict=True):
        tag.companions = [numbers[name] for name in names]
    return tags


def draw_tags(tags: list[Tag], weights: tuple[int, ...], dice: Dice) -> list[Tag]:
    """One to five tags for a question, the main one first."""
    drawn = [dice.weighted(weights)]
    wanted = dice.weighted(TAGS_PER_QUESTION) + 1
    # A few tries more than needed: companions repeat, and a small tag has few.
    for _ in range(wanted * 3):
        if len(drawn) == wanted:
            break
        near = dice.choose(tags[dice.choose(drawn)].companions)
        drawn_next = near if dice.percent(88) else dice.weighted(weights)
        if drawn_next not in drawn and weights[drawn_next] > 0:
            drawn.append(drawn_next)
    return [tags[number] for number in drawn]
