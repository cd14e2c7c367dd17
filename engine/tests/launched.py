"""A launcher that has run, and how to wait for one."""

import json


class Launched:
    def __init__(self, process):
        try:
            self.out, self.err = process.communicate(timeout=180)
        finally:
            process.kill()
        self.code = process.returncode

    @property
    def facts(self):
        """What the launcher itself said, as dictionaries."""
        return [json.loads(line[8:]) for line in self.out.splitlines() if line.startswith("@soflow ")]


def waited(process):
    """Waits with stdin open: closing it, as `communicate` does first, tells the launcher that soflow is gone."""
    held, process.stdin = process.stdin, None
    process.held = held
    return process
