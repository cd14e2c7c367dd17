"""Measures soflow and prints the tables of docs/performance.md. Needs Linux (/proc), cargo and python3 >= 3.10.

    python3 benches/run.py                     everything; the growth to 100x takes a quarter of an hour
    python3 benches/run.py start plan          only these parts: start, plan, query, engines, growth
    python3 benches/run.py growth --scales 1,10

Nothing is asserted: speed depends on the machine. What is printed is the minimum, the median and the maximum of several
runs for short commands, and single runs for whole jobs; memory is the sum of the proportional set sizes (PSS) of
soflow and everything it started, looked at twenty times a second.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOFLOW = ROOT / "target/release/soflow"
LOOK_EVERY = 0.05
SAMPLE_DATE = "2026-10-31"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="start, plan, query, engines, growth [default: all]")
    parser.add_argument("--scales", default="1,10,100")
    wanted = parser.parse_args()
    parts = {"start": start, "plan": plan, "query": query, "engines": engines, "growth": growth}
    unknown = set(wanted.parts) - set(parts)
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    build()
    print(f"{os.cpu_count()} cores, {memory_of_machine():.0f} GB, load {os.getloadavg()[0]:.1f} before\n")
    for name, part in parts.items():
        if not wanted.parts or name in wanted.parts:
            part([int(scale) for scale in wanted.scales.split(",")])


def build() -> None:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
    command = ["cargo", "build", "--release", "--locked", "--quiet"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def memory_of_machine() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def start(_: list[int]) -> None:
    """What every command costs before it does anything."""
    print("## Start-up\n\n| command | min | median | max |\n|---|---|---|---|")
    for arguments in (["--version"], ["submit", "--help"], ["config", "show"]):
        print(f"| `soflow {' '.join(arguments)}` | {spread([timed(arguments) for _ in range(30)])} |")
    print()


def plan(_: list[int]) -> None:
    """Planning and finding that nothing is to be done, on the published sample."""
    with lake() as environment:
        ingest = ["ingest", "sample"]
        run(ingest, environment)
        print("## Planning\n\n| command | min | median | max |\n|---|---|---|---|")
        job = ["plan", "daily", "--date", SAMPLE_DATE]
        print(f"| `soflow plan daily`, nothing published | {spread([timed(job, environment) for _ in range(20)])} |")
        submit = ["submit", "daily", "--date", SAMPLE_DATE]
        run(submit, environment)
        print(f"| `soflow plan daily`, all published | {spread([timed(job, environment) for _ in range(20)])} |")
        times = spread([timed(submit, environment) for _ in range(20)])
        print(f"| `soflow submit daily`, nothing to do | {times} |\n")


def query(_: list[int]) -> None:
    """A small question to the published sample, and the same to its files by DuckDB."""
    with lake() as environment, tempfile.TemporaryDirectory(prefix="soflow-duckdb-") as packages:
        run(["submit", "daily", "--sample"], environment)
        sql = "select count(*) from questions"
        files = environment["SOFLOW_LAKE"].removeprefix("file:") + "/curated/questions/**/*.parquet"
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, "duckdb"], check=True)
        ask = f"import duckdb; print(duckdb.sql(\"select count(*) from read_parquet('{files}')\").fetchall())"
        print("## A query\n\n| command | min | median | max | peak memory MB |\n|---|---|---|---|---|")
        python = [sys.executable, "-c", ask]
        for name, command, its in (
            (f'`soflow query "{sql}"`', [SOFLOW, "query", sql], environment),
            ("DuckDB's Python", python, {**environment, "PYTHONPATH": packages}),
        ):
            measured = [watched(command, its) for _ in range(20)]
            times = spread([seconds * 1e3 for seconds, *_ in measured])
            print(f"| {name} | {times} | {max(peak for _, peak, _ in measured):.0f} |")
    print()


def engines(_: list[int]) -> None:
    """The whole sample job on both engines, environments made beforehand."""
    print("## The sample job on both engines\n\n| engine | wall s | peak memory MB | cores busy |\n|---|---|---|---|")
    measured = {}
    for engine in ("sail", "spark"):
        run(["engine", "install", "--engine", engine], dict(os.environ))
        with lake() as environment:
            run(["ingest", "sample"], environment)
            measured[engine] = whole_job(["--engine", engine], environment)
            seconds, peak, busy = measured[engine]
            print(f"| {engine} | {seconds:.1f} | {peak:.0f} | {busy:.1f} |", flush=True)
    (sail_s, sail_mb, _), (spark_s, spark_mb, _) = measured["sail"], measured["spark"]
    print(f"\nSpark takes {spark_s / sail_s:.1f} times as long and {spark_mb / sail_mb:.1f} times the memory.\n")


def growth(scales: list[int]) -> None:
    """The sample job with more rows, on Sail."""
    print("## Growth on Sail\n\n| rows | wall s | s per 10,000 rows | peak memory MB | cores busy |")
    print("|---|---|---|---|---|")
    for scale in scales:
        with lake() as environment:
            raw = environment["SOFLOW_LAKE"].removeprefix("file:") + "/raw"
            subprocess.run([sys.executable, ROOT / "benches/sample", raw, "--scale", str(scale)], check=True)
            seconds, peak, busy = whole_job([], environment)
            rows = scale * 13_468
            each = f"{seconds / rows * 1e4:.2f}"
            print(f"| {scale}x, {rows:,} | {seconds:.1f} | {each} | {peak:.0f} | {busy:.1f} |", flush=True)
    print()


def whole_job(flags: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds, peak megabytes and busy cores of one submit."""
    command = [SOFLOW, "--events", "quiet", "submit", "daily", "--date", SAMPLE_DATE, *flags]
    return watched(command, environment)


def watched(command: list, environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds and peak megabytes of one command, and how many cores it kept busy on the average."""
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    peak = Peak(process.pid)
    code = process.wait()
    seconds = time.monotonic() - began
    peak.stop()
    if code != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with exit code {code}")
    return seconds, peak.bytes / 1e6, sum(peak.processor.values()) / seconds


class Peak:
    """Watches a process and all below it."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        # Of each process the seconds on a processor.
        self.processor: dict[int, float] = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, args=(pid,))
        self.thread.start()

    def watch(self, pid: int) -> None:
        while not self.over.wait(LOOK_EVERY):
            found = family(pid)
            self.bytes = max(self.bytes, sum(map(proportional, found)))
            self.processor.update({one: max(processor(one), self.processor.get(one, 0.0)) for one in found})

    def stop(self) -> None:
        self.over.set()
        self.thread.join()


def family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            tasks = pathlib.Path(f"/proc/{parent}/task").iterdir()
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def processor(pid: int) -> float:
    """Seconds on a processor, in user and system mode. Source: proc_pid_stat(5)."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional(pid: int) -> int:
    try:
        lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class lake:
    """A lake of its own, below the system's temporary folder, gone afterwards."""

    def __enter__(self) -> dict[str, str]:
        self.folder = tempfile.mkdtemp(prefix="soflow-bench-")
        return {**os.environ, "SOFLOW_LAKE": f"file:{self.folder}"}

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


def run(arguments: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        [SOFLOW, "--events", "quiet", *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True
    )


def timed(arguments: list[str], environment: dict[str, str] | None = None) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    subprocess.run(
        [SOFLOW, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return (time.perf_counter() - began) * 1e3


def spread(times: list[float]) -> str:
    return " | ".join(f"{value:.1f} ms" for value in (min(times), statistics.median(times), max(times)))


if __name__ == "__main__":
    main()
