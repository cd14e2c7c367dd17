"""Tells trouble with the engine apart from trouble with the job."""

import json
import sys
import traceback

# No script of a person is likely to end with it; soflow reads it as "not the job's fault".
ENGINE_FAILED = 90


class EngineError(Exception):
    """The engine could not start. `kind`: `damaged` (reinstall), `java` (no usable Java) or `start` (anything else)."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def tell(fact):
    """Writes one line that soflow reads; everything else on stdout is the script's own output."""
    print("@soflow " + json.dumps(fact), flush=True)


def report(error):
    """Writes the reason to stdout as one line and its traceback to stderr; returns the exit code."""
    traceback.print_exception(error.__cause__ or error, file=sys.stderr)
    message = " ".join(str(error).split())[:2000]
    tell({"engine_error": message, "kind": error.kind})
    return ENGINE_FAILED


class loading:
    """A block of imports. Whatever they raise means a damaged environment, even an AttributeError of a cut file."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        return self

    def __exit__(self, kind, error, frames):
        if error is not None and isinstance(error, Exception):
            raise EngineError("damaged", f"cannot load {self.what}: {kind.__name__}: {error}") from error
        return False
