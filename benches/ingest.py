"""Measures soflow's ingest from the API beside StackAPI, both against the double. Needs cargo, python3 >= 3.10.

    python3 benches/ingest.py --pages FOLDER             questions, answers and comments, all of them
    python3 benches/ingest.py --pages FOLDER StackAPI    only this tool: soflow, StackAPI

FOLDER has genuine pages in questions/, answers/ and comments/; without it they are where SOFLOW_REAL_DATA says. Prints
the tables of docs/performance.md. Nothing is asserted: speed depends on the machine. Both tools read the same three
lists to their ends and keep them in files. Requests are counted by the double, CPU and memory by the kernel. In the
second table items arrive, change and vanish before every request. Missed are those that were there all the time.
"""

import argparse
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from lab import BUILT, PEERS, SOFLOW, build, measure, peer

KINDS = {"questions": "question_id", "answers": "answer_id", "comments": "comment_id"}
PAGE = 100
KEY = "bench"
# Of each kind, before every request.
MOVING = {"arrive": 3, "change": 3, "vanish": 1}

# StackAPI, told to read on where it would have stopped at page 5. Its key goes into the query; without one, nothing is
# answered behind page 25.
STACKAPI = """
import json, sys
from stackapi import StackAPI
site = StackAPI("stackoverflow", base_url=sys.argv[1], key=sys.argv[2], max_pages=1_000_000)
for kind in sys.argv[3:]:
    with open(f"{kind}.json", "w") as out:
        json.dump(site.fetch(kind)["items"], out)
"""

Ids = dict[str, list[int]]


@dataclass
class Outcome:
    """Of one tool: what it got, from what was there at both ends, at which price."""

    got: Ids
    before: Ids
    after: Ids
    requests: int
    seconds: float
    cpu: float
    megabytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=pathlib.Path, help="[default: $SOFLOW_REAL_DATA/stackoverflow-pages]")
    parser.add_argument("tools", nargs="*", help="soflow, StackAPI [default: both]")
    wanted = parser.parse_args()
    tools = {"soflow": soflow, "StackAPI": stackapi}
    unknown = set(wanted.tools) - set(tools)
    if unknown:
        parser.error(f"unknown tool: {', '.join(sorted(unknown))}")
    data = os.environ.get("SOFLOW_REAL_DATA")
    pages = wanted.pages or (pathlib.Path(data) / "stackoverflow-pages" if data else None)
    if pages is None or not pages.is_dir():
        parser.error("no pages: name their folder with --pages")
    build(["stackexchange"], ["StackAPI"])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; StackAPI {PEERS['StackAPI']}\n")
    chosen = {name: tool for name, tool in tools.items() if not wanted.tools or name in wanted.tools}
    table("Everything there is", chosen, pages.resolve(), {})
    moves = ", ".join(f"{count} {what}" for what, count in MOVING.items())
    table(f"The same while, of each kind and before every request, {moves}", chosen, pages.resolve(), MOVING)


def table(title: str, tools: dict[str, Callable], pages: pathlib.Path, moving: dict[str, int]) -> None:
    print(f"## {title}\n")
    print("| | requests | at least | items got | unique | missed | wall s | CPU s | memory MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, tool in tools.items():
        with Double(pages, moving) as double:
            tell(name, double.watch(tool))
    print()


def tell(name: str, outcome: Outcome) -> None:
    unique = {kind: set(ids) for kind, ids in outcome.got.items()}
    stayed = {kind: set(outcome.before[kind]) & set(outcome.after[kind]) for kind in KINDS}
    missed = sum(len(stayed[kind] - unique[kind]) for kind in KINDS)
    least = sum(-(-len(outcome.before[kind]) // PAGE) for kind in KINDS)
    items = f"{sum(map(len, outcome.got.values()))} | {sum(map(len, unique.values()))} | {missed}"
    price = f"{outcome.seconds:.2f} | {outcome.cpu:.2f} | {outcome.megabytes:.0f}"
    print(f"| {name} | {outcome.requests} | {least} | {items} | {price} |")
    sys.stdout.flush()


class Double:
    """An API that has these pages, and a folder for a tool to work in."""

    def __init__(self, pages: pathlib.Path, moving: dict[str, int]) -> None:
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="soflow-bench-"))
        command = [BUILT / "examples/stackexchange", "--port", "0", "--pages", pages, "--key", KEY, "--query-auth"]
        # Nobody is to wait for the next day.
        command += ["--anonymous-quota", "10000", *(f"--{what}={count}" for what, count in moving.items())]
        with (self.home / "double.log").open("wb") as log:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(list(map(str, command)), stdin=pipe, stdout=pipe, stderr=log, text=True)
        self.url = self.process.stdout.readline().strip()
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "USER": "bench"}

    def __enter__(self) -> "Double":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.home)

    def ask(self, word: str) -> dict:
        """Returns what the double answers to a word."""
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def watch(self, tool: Callable) -> Outcome:
        """Lets a tool read everything."""
        before = self.ask("ids")
        price, got = tool(self)
        return Outcome(got, before, self.ask("ids"), sum(self.ask("forget").values()), *price)


def soflow(double: Double) -> tuple[tuple[float, float, float], Ids]:
    """Lets soflow read everything into a raw of its own."""
    (double.home / "config").mkdir()
    (double.home / "config/soflow.yaml").write_text(f"ingest: {{ api: {double.url} }}\n")
    command = [SOFLOW, "--events", "quiet", "ingest", "api", *KINDS, "--since", "2008-07-31"]
    price = measure(command, double.home, double.environment)
    raw = double.home / ".soflow/lake/raw"
    pages = {kind: sorted(raw.glob(f"**/endpoint={kind}/**/*.json.gz")) for kind in KINDS}
    return price, {kind: [id for page in pages[kind] for id in ids(page, kind)] for kind in KINDS}


def ids(page: pathlib.Path, kind: str) -> list[int]:
    return [item[KINDS[kind]] for item in json.loads(gzip.decompress(page.read_bytes()))["items"]]


def stackapi(double: Double) -> tuple[tuple[float, float, float], Ids]:
    """Lets StackAPI read everything into a file a kind."""
    # It adds the version itself.
    base = double.url.removesuffix("/2.3")
    price = measure([peer("StackAPI", "python"), "-c", STACKAPI, base, KEY, *KINDS], double.home, double.environment)
    items = {kind: json.loads((double.home / f"{kind}.json").read_text()) for kind in KINDS}
    return price, {kind: [item[KINDS[kind]] for item in items[kind]] for kind in KINDS}


if __name__ == "__main__":
    main()
