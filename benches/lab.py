"""What benches/emr.py measures with: a twin, a project on it with a warm cluster, the peers, the cost of a command. The
last two serve benches/ingest.py as well."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT = ROOT / "target/release"
SOFLOW = BUILT / "soflow"
PEERS = {"emr-cli": "0.0.19", "awscli": "1.46.3", "StackAPI": "0.3.1"}
BUCKET = "soflow-lake"
LAKE = f"s3://{BUCKET}/lake"
DETACHED = 4
LOOK_EVERY = 0.002

SETTINGS = f"""
default-target: user
targets:
  user: {{ kind: emr, lake: {LAKE}, dependencies: none }}
  quick: {{ kind: emr, lake: {LAKE}, dependencies: none, api-quota: 1000, poll-fastest: 50ms, poll-slowest: 50ms }}
"""

# A line of the twin's log: when, what, on what, how it went.
CALL = re.compile(r"^ *[0-9.]+ ([a-z0-9]+\.\w+) ", re.MULTILINE)

# A Parquet file of three rows, `id` 1 to 3: what the step that does nothing is said to have written.
ROWS = base64.b64decode(
    "UEFSMRUEFTAVMEwVBhUAEgAAAQAAAAAAAAACAAAAAAAAAAMAAAAAAAAAFQAVFBUULBUGFRAVBhUGHBgIAwAAAAAAAAAYCAEAAAAAAAAAFgAo"
    "CAMAAAAAAAAAGAgBAAAAAAAAABERAAAAAgAAAAYBAgMkABUEGSw1ABgGc2NoZW1hFQIAFQQlAhgCaWQAFgYZHBkcJgAcFQQZNQAGEBkYAmlk"
    "FQAWBhbeARbeASZUJggcGAgDAAAAAAAAABgIAQAAAAAAAAAWACgIAwAAAAAAAAAYCAEAAAAAAAAAEREAGSwVBBUAFQIAFQAVEBUCADwpBhkm"
    "AAYAAAAW3gEWBiYIFt4BACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZHBwAAAC4AAAAUEFSMQ=="
)


def build(examples: list[str], peers: list[str]) -> None:
    """Builds soflow with these examples and makes an environment for each of these peers."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--bins"]
    command += [f"--example={example}" for example in examples]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    for name in peers:
        version = PEERS[name]
        folder = ROOT / "target/bench" / f"{name}-{version}"
        if not (folder / "done").exists():
            venv.create(folder, clear=True, with_pip=True)
            pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, f"{name}=={version}"], check=True)
            (folder / "done").touch()


def peer(name: str, command: str) -> str:
    return str(ROOT / "target/bench" / f"{name}-{PEERS[name]}" / "bin" / command)


@dataclass
class Cost:
    """Of one run of a command."""

    seconds: float
    cpu: float
    megabytes: float
    calls: list[str]


class Lab:
    """A twin, a project and a warm cluster."""

    def __init__(self, pace_ms: int) -> None:
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="soflow-bench-"))
        self.log = self.home / "twin.log"
        self.seen = 0
        self.days = 0
        command = [BUILT / "examples/twin", "--port", "0", "--pace-ms", str(pace_ms)]
        with self.log.open("wb") as log:
            self.twin = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "USER": "bench"}
        for line in self.twin.stdout:
            if line.startswith("#"):
                break
            name, value = line.removeprefix("export ").strip().split("=", 1)
            self.environment[name] = value
        self.environment["AWS_DEFAULT_REGION"] = self.environment["AWS_REGION"]
        (self.home / "config").mkdir()
        (self.home / "config/soflow.yaml").write_text(SETTINGS)
        self.write_job("one", ["one"])

    def __enter__(self) -> "Lab":
        self.cluster = json.loads(self.soflow("--output", "json", "cluster", "up", "--target", "quick"))["cluster"]
        return self

    def __exit__(self, *_: object) -> None:
        self.twin.kill()
        self.twin.wait()
        shutil.rmtree(self.home)

    def write_job(self, job: str, steps: list[str]) -> None:
        """A job of steps that do nothing, each with a table of its own."""
        for folder in ("jobs", "pyspark/steps"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        lines = ["parameters: { day: none }", "steps:"]
        lines += [f"  {step}: {{ script: steps/one.py, reads: [], writes: [t_{step}] }}" for step in steps]
        lines += ["tables:", *(f"  t_{step}: {{ key: [id] }}" for step in steps)]
        (self.home / f"jobs/{job}.yaml").write_text("\n".join(lines) + "\n")
        (self.home / "pyspark/steps/one.py").write_text("# The twin does not look at it.\n")

    def next_day(self) -> str:
        self.days += 1
        return f"2026-{1 + self.days // 28:02}-{1 + self.days % 28:02}"

    def soflow(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """Runs soflow unmeasured."""
        command = [SOFLOW, "--events", "quiet", *arguments]
        done = subprocess.run(command, cwd=self.home, env=self.environment, capture_output=True, text=True)
        if done.returncode not in codes:
            sys.exit(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def measure(self, command: list[object], code: int = 0) -> Cost:
        """Runs a command."""
        self.new_calls()
        seconds, cpu, peak = measure(command, self.home, self.environment, code)
        return Cost(seconds, cpu, peak, self.new_calls())

    def new_calls(self) -> list[str]:
        """Returns the calls since it was last asked, `service.Operation`."""
        with self.log.open() as log:
            log.seek(self.seen)
            text = log.read()
            self.seen = log.tell()
        return CALL.findall(text)

    def land(self, job: str, day: str, tables: list[str]) -> None:
        """Puts there what the steps would have written."""
        scope = "Credential=bench/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}", "Content-Type": "application/octet-stream"}
        for table in tables:
            place = f"{BUCKET}/lake/curated/{table}/run={job}.{day}.1/part-0.parquet"
            address = f"{self.environment['AWS_ENDPOINT_URL']}/{place}"
            urllib.request.urlopen(urllib.request.Request(address, ROWS, headers, method="PUT")).close()

    def idle(self) -> None:
        """Waits until the cluster has nothing to do."""
        while json.loads(self.soflow("--output", "json", "cluster", "show", self.cluster, "--target", "quick"))[
            "steps"
        ]:
            time.sleep(0.05)

    def put_script(self) -> str:
        place = f"s3://{BUCKET}/code/one.py"
        command = [peer("awscli", "aws"), "s3", "cp", "pyspark/steps/one.py", place]
        subprocess.run(command, cwd=self.home, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return place

    def add_steps(self, *steps: str) -> list[object]:
        return [peer("awscli", "aws"), "emr", "add-steps", "--cluster-id", self.cluster, "--steps", *steps]

    def emr_run(self, *more: str) -> list[object]:
        emr, code = peer("emr-cli", "emr"), f"s3://{BUCKET}/code/"
        return [emr, "run", "--entry-point", "one.py", "--s3-code-uri", code, "--cluster-id", self.cluster, *more]


def measure(
    command: list[object], home: pathlib.Path, environment: dict[str, str], code: int = 0
) -> tuple[float, float, float]:
    """Runs a command, which leaves what it says in the file `said`. Returns seconds, seconds of CPU and megabytes."""
    said = home / "said"
    began = time.perf_counter()
    with said.open("wb") as out:
        process = subprocess.Popen(
            list(map(str, command)), cwd=home, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    peak = 0.0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak = max(peak, peak_memory(process.pid))
        time.sleep(LOOK_EVERY)
    seconds = time.perf_counter() - began
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        sys.exit(f"{command} ended with {process.returncode}: {said.read_text()}")
    return seconds, used.ru_utime + used.ru_stime, peak


def peak_memory(pid: int) -> float:
    """Returns the largest resident set so far in megabytes. What the kernel tells at the end has that of the forking
    process in it, which is larger than soflow's."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM:")), 0.0)
