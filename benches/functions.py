"""Measures the program of Lambda functions and prints the table of docs/operations.md. Needs Linux (/proc).

    just lambda x86_64
    python3 benches/functions.py target/lambda/soflow-x86_64

Size: of the program, and packed as `deploy` packs it. Start: from a fresh process to its first question to the Runtime
API, which is answered here. Memory: the most that each handler's process had in its resident set (VmHWM), in one day of
examples/unattended/try.sh.
"""

import http.server
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
STARTS = 20
LOOK_EVERY = 0.02


def main(program: pathlib.Path) -> None:
    content = program.read_bytes()
    packed = zlib.compress(content, 6)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n")
    print(f"program {len(content) / 1e6:.1f} MB, packed {len(packed) / 1e6:.1f} MB")
    walls, processors, memories = zip(*(start(program) for _ in range(STARTS)), strict=True)
    print(f"start, {STARTS} times: {spread(walls)} ms, on a processor {spread(processors)} ms")
    print(f"memory then: {max(memories) / 1e6:.1f} MB\n")
    print("| handler | most memory, MB |\n|---|---|")
    for handler, most in sorted(day(program).items()):
        print(f"| `{handler}` | {most / 1e6:.0f} |")


def spread(seconds: tuple[float, ...]) -> str:
    """Returns the minimum, the median and the maximum, in milliseconds."""
    return " / ".join(f"{1000 * value:.0f}" for value in (min(seconds), statistics.median(seconds), max(seconds)))


def start(program: pathlib.Path) -> tuple[float, float, int]:
    """Returns how long a process takes to its first question, its processor time by then, and its memory."""
    asked = threading.Event()

    class RuntimeApi(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            done.wait()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    done = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "soflow-prod-check",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_REGION": "us-east-1",
        "_HANDLER": "check",
    }
    began = time.perf_counter()
    process = subprocess.Popen([program], env=environment)
    if not asked.wait(60):
        sys.exit("it does not ask the Runtime API")
    wall = time.perf_counter() - began
    # The first field is the time on a processor, in nanoseconds.
    tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    processor = sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    memory = most_memory(process.pid)
    process.kill()
    process.wait()
    done.set()
    server.shutdown()
    return wall, processor, memory


def most_memory(process: int) -> int:
    """Returns the largest resident set that a process has had, in bytes."""
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def day(program: pathlib.Path) -> dict[str, int]:
    """Returns the most memory of each handler in a day in the life of a stack."""
    environment = os.environ | {"TRY_PROGRAM": str(program)}
    script = ROOT / "examples/unattended/try.sh"
    with subprocess.Popen([script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        told = bytearray()
        reader = threading.Thread(target=lambda: told.extend(process.stdout.read()))
        reader.start()
        most: dict[str, int] = {}
        while process.poll() is None:
            look(str(program), most)
            time.sleep(LOOK_EVERY)
        reader.join()
    if process.returncode:
        sys.exit(told.decode())
    return most


def look(program: str, most: dict[str, int]) -> None:
    """Adds what the functions that run have used so far."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            variables = dict(pair.split("=", 1) for pair in (entry / "environ").read_text().split("\0") if "=" in pair)
            # Functions have the environment of the script: others run here, too.
            if "AWS_LAMBDA_RUNTIME_API" in variables and variables["TRY_PROGRAM"] == program:
                handler = variables["_HANDLER"]
                most[handler] = max(most.get(handler, 0), most_memory(int(entry.name)))
        except (OSError, UnicodeDecodeError, KeyError):
            continue  # gone, or not ours to look at


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
