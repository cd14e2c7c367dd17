"""Measures `soflow ingest dump`: speed and memory as the dump grows. Needs Linux, cargo and python3 >= 3.10.

    python3 benches/dump.py FOLDER                  a dump's folder of .xml or .xml.gz files; 1, 10 and 50 times of it
    python3 benches/dump.py FOLDER --times 1,100    other multiples
    python3 benches/dump.py FOLDER --cores 1        on the first core only

Repeats the rows of Posts, Comments and Votes, packs them with gzip, and as 7z with the methods dumps come in, and
prints the table of docs/performance.md. Nothing is asserted: speed depends on the machine. MB are those of unpacked
rows; memory is the largest resident set of the process, as the kernel counts it.
"""

import argparse
import gzip
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOFLOW = ROOT / "target/release/soflow"
PY7ZR = "1.1.4"
TABLES = ("Posts", "Comments", "Votes")
ROWS_AT_ONCE = 10_000

# Packs the files of a folder into an archive, one after the other and not together, as the large dumps are.
PACK = """
import pathlib, py7zr, sys
method, archive, folder = sys.argv[1:]
filters = {"bzip2": {"id": py7zr.FILTER_BZIP2}, "lzma2": {"id": py7zr.FILTER_LZMA2, "preset": 5}}[method]
with py7zr.SevenZipFile(archive, "w", filters=[filters]) as out:
    for file in sorted(pathlib.Path(folder).iterdir()):
        out.write(file, file.name)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--times", default="1,10,50")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    wanted = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: wanted.cores])
    python = build()
    print(f"{wanted.cores} cores, load {os.getloadavg()[0]:.1f} before\n")
    print("| dump | rows | MB | packed MB | wall s | CPU s | MB/s | memory MB |\n|---|---|---|---|---|---|---|---|")
    for times in map(int, wanted.times.split(",")):
        with tempfile.TemporaryDirectory(prefix="soflow-bench-") as home:
            measure(pathlib.Path(home), wanted.folder, times, python)


def build() -> pathlib.Path:
    """Returns a Python that has py7zr, beside a fresh program."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, env=environment, check=True)
    folder = ROOT / "target/bench" / f"py7zr-{PY7ZR}"
    if not (folder / "done").exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"py7zr=={PY7ZR}"], check=True)
        (folder / "done").touch()
    return folder / "bin/python"


def measure(home: pathlib.Path, dump: pathlib.Path, times: int, python: pathlib.Path) -> None:
    plain = home / "plain"
    plain.mkdir()
    rows = sum(repeat(dump, table, times, plain / f"{table}.xml") for table in TABLES)
    size = sum(file.stat().st_size for file in plain.iterdir()) / 1e6
    for form in ("xml", "xml.gz", "7z, bzip2", "7z, lzma2"):
        packed = pack(home, plain, form, python)
        files = [packed] if packed.is_file() else list(packed.iterdir())
        packed_size = sum(file.stat().st_size for file in files) / 1e6
        seconds, cpu, memory = ingest(home, packed)
        figures = f"{seconds:.1f} | {cpu:.1f} | {size / seconds:.0f} | {memory:.0f}"
        print(f"| {times}x, {form} | {rows:,} | {size:.0f} | {packed_size:.0f} | {figures} |")
        sys.stdout.flush()


def repeat(dump: pathlib.Path, table: str, times: int, target: pathlib.Path) -> int:
    """Writes a table with its rows so many times and returns how many that are; their ids repeat too."""
    lines = lines_of(dump, table)
    first = next(number for number, line in enumerate(lines) if b"<row " in line)
    head, rows, end = lines[:first], lines[first:-1], lines[-1]
    with target.open("wb") as out:
        out.writelines(head)
        for _ in range(times):
            out.writelines(rows)
        out.write(end)
    return times * len(rows)


def lines_of(dump: pathlib.Path, table: str) -> list[bytes]:
    plain = dump / f"{table}.xml"
    text = plain.read_bytes() if plain.exists() else gzip.decompress((dump / f"{table}.xml.gz").read_bytes())
    return text.splitlines(keepends=True)


def pack(home: pathlib.Path, plain: pathlib.Path, form: str, python: pathlib.Path) -> pathlib.Path:
    if form == "xml":
        return plain
    if form == "xml.gz":
        folder = home / "gz"
        folder.mkdir()
        for file in plain.iterdir():
            with file.open("rb") as rows, gzip.open(folder / f"{file.name}.gz", "wb", compresslevel=6) as out:
                shutil.copyfileobj(rows, out, 1 << 20)
        return folder
    archive = home / "bench.stackexchange.com.7z"
    archive.unlink(missing_ok=True)
    subprocess.run([python, "-c", PACK, form.split(", ")[1], archive, plain], check=True)
    return archive


def ingest(home: pathlib.Path, packed: pathlib.Path) -> tuple[float, float, float]:
    """Returns wall and CPU seconds, and MB of memory, of one ingest into a lake of its own."""
    project = pathlib.Path(tempfile.mkdtemp(dir=home, prefix="project-"))
    (project / "jobs").mkdir()
    command = [SOFLOW, "--events", "quiet", "ingest", "dump", packed, "--site", "bench", "--date", "2026-01-01"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"`{' '.join(map(str, command))}` failed")
    shutil.rmtree(project)
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


if __name__ == "__main__":
    main()
