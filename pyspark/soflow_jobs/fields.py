"""Strict typing of one JSON object, field by field. Nothing is cast: `"5"`, `5.0` and `true` are not the integer 5."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from soflow_jobs.text import storable

INT32 = 2**31 - 1
INT64 = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# Seconds. The first Stack Exchange site opened in 2008; milliseconds land far beyond 2100.
EARLIEST, LATEST = 1_199_145_600, 4_102_444_800

SHOWN = 80  # characters of an offending value in a message


class Reject(Exception):
    """Why an item or a page cannot be used: a reason from the quarantine's list and a detail for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = storable(detail)[:500]


class Duplicated(dict):
    """A JSON object in which the keys `twice` stood twice with different values: which one is meant, nobody knows."""

    twice: tuple[str, ...] = ()


class Fields:
    """A JSON object with typed access. `name` is its path for messages, such as `owner.`.

    Every method returns None for a field that is absent or null, unless `required`; then it raises Reject.
    """

    def __init__(self, value: dict[str, Any], name: str = "") -> None:
        if isinstance(value, Duplicated):
            raise Reject("duplicate-key", f"`{name}{value.twice[0]}` stands twice, with different values")
        self.value = value
        self.name = name

    def integer(self, key: str, low: int = -INT32 - 1, high: int = INT32, required: bool = False) -> int | None:
        """An integer from `low` to `high`, both allowed."""
        value = self._get(key, int, "an integer", required)
        if value is not None and not low <= value <= high:
            raise Reject("out-of-range", f"`{self.name}{key}` is {shown(value)}; expected {low} to {high}")
        return value

    def id(self, key: str, required: bool = False) -> int | None:
        """A positive 64 bit integer."""
        return self.integer(key, 1, INT64, required)

    def moment(self, key: str, required: bool = False) -> datetime | None:
        """Epoch seconds as an aware UTC time."""
        seconds = self.integer(key, EARLIEST, LATEST, required)
        return None if seconds is None else EPOCH + timedelta(seconds=seconds)

    def boolean(self, key: str, required: bool = False) -> bool | None:
        """true or false."""
        return self._get(key, bool, "true or false", required)

    def text(self, key: str, required: bool = False) -> str | None:
        """Text that every engine can store."""
        value = self._get(key, str, "text", required)
        return None if value is None else storable(value)

    def object(self, key: str) -> Fields | None:
        """A nested object."""
        value = self._get(key, dict, "an object", required=False)
        return None if value is None else Fields(value, f"{self.name}{key}.")

    def tags(self, key: str, low: int, high: int) -> list[str]:
        """From `low` to `high` different non-empty strings, in the order received. A repeated one counts once."""
        value = self._get(key, list, "a list", required=True, wrong="bad-tags")
        if not all(isinstance(tag, str) and tag.strip() for tag in value):
            raise Reject("bad-tags", f"`{self.name}{key}` is {shown(value)}; expected non-empty strings only")
        tags = list(dict.fromkeys(storable(tag) for tag in value))
        if not low <= len(tags) <= high:
            raise Reject("bad-tags", f"`{self.name}{key}` has {len(tags)} tags; expected {low} to {high}")
        return tags

    def _get(self, key: str, kind: type, expected: str, required: bool, wrong: str = "wrong-type") -> Any:
        value = self.value.get(key)
        if value is None:
            if required:
                found = "null" if key in self.value else "absent"
                raise Reject("missing-field", f"`{self.name}{key}` is {found}; expected {expected}")
            return None
        # type(), not isinstance(): a bool is an int to Python.
        if type(value) is not kind and not (kind is dict and isinstance(value, dict)):
            found = f"{type(value).__name__} {shown(value)}"
            raise Reject(wrong, f"`{self.name}{key}` is {found}; expected {expected}")
        return value


def shown(value: Any) -> str:
    """The value for a message, cut. An integer may have millions of digits, which str() refuses."""
    if type(value) is int and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
