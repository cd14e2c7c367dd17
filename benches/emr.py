"""Measures soflow on EMR beside `emr` (emr-cli) and `aws` (awscli), all against the twin. Needs cargo, python3 >= 3.10.

    python3 benches/emr.py                     everything; half of it is the peers waiting, six minutes in all
    python3 benches/emr.py submit calls        only these parts: submit, wait, many, upload, calls

Prints the tables of docs/performance.md, with the goals beside. Nothing is asserted: speed depends on the machine. All
three tools talk to the same endpoint and the same warm cluster, which has their code already. soflow keeps to the pace
of a user's account (`api-quota: 1`, looks every 5 to 30 seconds). Calls are counted by the twin, CPU and memory by the
kernel.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter

from lab import BUCKET, BUILT, DETACHED, PEERS, ROOT, SOFLOW, Cost, Lab, build, peer

UPLOAD_MB = 200
PART_MB = 8  # of both tools


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="submit, wait, many, upload, calls [default: all]")
    wanted = parser.parse_args()
    parts = {"submit": submit, "wait": wait, "many": many, "upload": upload, "calls": calls}
    unknown = set(wanted.parts) - set(parts)
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    build(["twin", "put"], ["emr-cli", "awscli"])
    peers = ", ".join(f"{name} {PEERS[name]}" for name in ("emr-cli", "awscli"))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {peers}\n")
    for name, part in parts.items():
        if not wanted.parts or name in wanted.parts:
            part()


def row(name: str, costs: list[Cost]) -> None:
    seconds = [cost.seconds for cost in costs]
    spread = " | ".join(f"{value:.3f}" for value in (min(seconds), statistics.median(seconds), max(seconds)))
    cpu = statistics.median(cost.cpu for cost in costs)
    memory = max(cost.megabytes for cost in costs)
    calls = "-".join(map(str, sorted({len(cost.calls) for cost in costs})))
    print(f"| {name} | {spread} | {cpu:.3f} | {memory:.0f} | {calls} |")
    sys.stdout.flush()


def head(title: str, goal: str) -> None:
    print(f"## {title}\n\nGoal: {goal}.\n")
    print("| | min s | median s | max s | CPU s | memory MB | calls |\n|---|---|---|---|---|---|---|")


def submit() -> None:
    head("Submit one script, do not wait", "at most 0.06 s of soflow's own CPU time and 25 MB")
    with Lab(pace_ms=50) as lab:
        code = lab.put_script()
        shutil.copy(lab.home / "pyspark/steps/one.py", lab.home)
        costs = [soflow_submit(lab, "one", ["t_one"]) for _ in range(6)]
        # The first one ships the code.
        row("soflow submit --wait 0s", costs[1:])
        row("emr run", [repeat(lab, lab.emr_run()) for _ in range(5)])
        row("aws emr add-steps", [repeat(lab, lab.add_steps(f"Type=Spark,Name=one,Args=[{code}]")) for _ in range(5)])
    print()


def soflow_submit(lab: Lab, job: str, tables: list[str]) -> Cost:
    day = lab.next_day()
    lab.land(job, day, tables)
    # Another value each day: else there would be nothing to do.
    command = [SOFLOW, "--events", "quiet", "submit", job, "--date", day, "--param", f"day={day}", "--wait", "0s"]
    cost = lab.measure(command, code=DETACHED)
    # Published, and the cluster given back: the next day is like this one.
    lab.soflow("attach", f"{job}.{day}.1", "--target", "quick")
    return cost


def repeat(lab: Lab, command: list[object]) -> Cost:
    cost = lab.measure(command)
    lab.idle()
    return cost


def wait() -> None:
    head("Submit and wait for a step that waits 1 s and runs 1 s", "noticed within 7 s of the submit")
    with Lab(pace_ms=1000) as lab:
        code = lab.put_script()
        shutil.copy(lab.home / "pyspark/steps/one.py", lab.home)
        costs = []
        for _ in range(5):
            day = lab.next_day()
            lab.land("one", day, ["t_one"])
            costs.append(
                lab.measure([SOFLOW, "--events", "quiet", "submit", "one", "--date", day, "--param", f"day={day}"])
            )
        row("soflow submit", costs)
        row("emr run --wait", [lab.measure(lab.emr_run("--wait")) for _ in range(3)])
        row("aws emr add-steps, wait step-complete", [add_and_wait(lab, code) for _ in range(3)])
    print()


def add_and_wait(lab: Lab, code: str) -> Cost:
    added = lab.measure(lab.add_steps(f"Type=Spark,Name=one,Args=[{code}]"))
    step = json.loads((lab.home / "said").read_text())["StepIds"][0]
    command = [peer("awscli", "aws"), "emr", "wait", "step-complete", "--cluster-id", lab.cluster, "--step-id", step]
    waited = lab.measure(command)
    memory = max(added.megabytes, waited.megabytes)
    return Cost(added.seconds + waited.seconds, added.cpu + waited.cpu, memory, added.calls + waited.calls)


def many() -> None:
    head("50 steps at once, do not wait", "less than 0.08 s of soflow's own CPU time")
    with Lab(pace_ms=10) as lab:
        code = lab.put_script()
        names = [f"s{number:02}" for number in range(50)]
        tables = [f"t_{name}" for name in names]
        lab.write_job("fifty", names)
        costs = [soflow_submit(lab, "fifty", tables) for _ in range(6)]
        row("soflow submit --wait 0s", costs[1:])
        steps = [{"Type": "Spark", "Name": name, "ActionOnFailure": "CONTINUE", "Args": [code]} for name in names]
        (lab.home / "steps.json").write_text(json.dumps(steps))
        row("aws emr add-steps", [repeat(lab, lab.add_steps("file://steps.json")) for _ in range(5)])
    print("\nsoflow also writes a task for each step and the run's record before it asks.\n")


def upload() -> None:
    goal = "at least twice as fast as aws, at most 64 MB"
    head(f"Upload {UPLOAD_MB} MB, and again after SIGKILL half-way", goal)
    with Lab(pace_ms=50) as lab:
        file = lab.home / "file"
        with file.open("wb") as out:
            for _ in range(UPLOAD_MB):
                out.write(os.urandom(1 << 20))
        tools = {
            "soflow": [BUILT / "examples/put", file, f"s3://{BUCKET}/put/soflow"],
            "aws s3 cp": [peer("awscli", "aws"), "s3", "cp", "--quiet", file, f"s3://{BUCKET}/put/aws"],
        }
        twin = lab.environment["AWS_ENDPOINT_URL"]
        command = [sys.executable, ROOT / "benches/sink.py"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sink:
            lab.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
            for name, command in tools.items():
                row(f"{name}, to a server that keeps nothing", [lab.measure(command) for _ in range(5)])
            sink.stdin.close()
        lab.environment["AWS_ENDPOINT_URL"] = twin
        for name, command in tools.items():
            row(f"{name}, to the twin", [lab.measure(command) for _ in range(3)])
        for name, command in tools.items():
            there = kill_half_way(lab, command)
            cost = lab.measure(command)
            sent = Counter(cost.calls)["s3.UploadPart"]
            row(f"{name}, killed with {there} parts there: sends {sent}", [cost])
    print()


def kill_half_way(lab: Lab, command: list[object]) -> int:
    """Returns how many parts have arrived."""
    lab.new_calls()
    process = subprocess.Popen(list(map(str, command)), cwd=lab.home, env=lab.environment)
    parts = 0
    while parts < UPLOAD_MB // PART_MB // 2:
        parts += Counter(lab.new_calls())["s3.UploadPart"]
        time.sleep(0.005)
    process.kill()
    process.wait()
    time.sleep(0.5)
    return parts + Counter(lab.new_calls())["s3.UploadPart"]


def calls() -> None:
    print("## Calls until the steps are there, code unchanged\n\nGoal: at most 8 for a job of one script.\n")
    print("| job | calls | which |\n|---|---|---|")
    with Lab(pace_ms=50) as lab:
        soflow_submit(lab, "one", ["t_one"])
        tell_calls("one script", soflow_submit(lab, "one", ["t_one"]).calls)
    with Lab(pace_ms=50) as lab:
        shutil.copytree(ROOT / "pyspark", lab.home / "pyspark", dirs_exist_ok=True)
        shutil.copy(ROOT / "jobs/daily.yaml", lab.home / "jobs")
        lab.soflow("ingest", "sample", "--target", "quick")
        soflow_submit(lab, "one", ["t_one"])
        command = [SOFLOW, "--events", "quiet", "submit", "daily", "--date", "2026-10-31", "--wait", "0s"]
        tell_calls("`daily`, 8 steps", lab.measure(command, code=DETACHED).calls)
    print()


def tell_calls(job: str, made: list[str]) -> None:
    before = made[: made.index("emr.AddJobFlowSteps") + 1]
    which = ", ".join(f"{name} {count}" if count > 1 else name for name, count in Counter(before).items())
    print(f"| {job} | {len(before)} | {which} |")


if __name__ == "__main__":
    main()
