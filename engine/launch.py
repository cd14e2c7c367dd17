"""Starts the engine inside this process's environment and runs one script, or a list of queries, on it.

    launch.py step    --engine sail|spark [--jre DIR] [--conf k=v ...] [--code DIR] [--network none]
                      [--memory BYTES] [--archive] --script PATH -- --task URI
    launch.py query   --engine spark [--jre DIR] [--conf k=v ...] [--code DIR] [--network none] [--memory BYTES]
                      --request FILE
    launch.py serve   --engine sail [--network none] [--memory BYTES]
    launch.py pool    --engine sail|spark [--fresh]
    launch.py java    [--jre DIR]
    launch.py network

With `--network none` the engine and the script are alone with loopback, where the kernel allows that and nothing that
they are told to read is elsewhere; `network` tells whether it does: `@soflow {"network": null}`, or why not.
`serve` passes what comes in on stdin, a socket, to the embedded engine's server, and back: see `serve.py`.
`pool` runs such command lines, many at once: see `pool.py`.

Exit codes: 0 done; 1 the script raised, or a query failed; 90 the engine itself could not start, which one line
`@soflow {"engine_error": ..., "kind": "damaged" | "java" | "start"}` on stdout explains, or took more memory than it
may, `"kind": "memory"`; 130 and 143 stopped by SIGINT
and SIGTERM; whatever a script passes to `sys.exit` is kept.
"""

import argparse
import importlib
import os
import sys

from soflow_launch import java, life, memory, network, pool, script, trouble


def arguments(argv):
    """Returns the parsed command line; `script_arguments` is what follows `--`."""
    own, _, rest = partition(argv, "--")
    parser = argparse.ArgumentParser(prog="launch.py", allow_abbrev=False)
    parser.add_argument("command", choices=["step", "query", "serve", "pool", "java", "network"])
    parser.add_argument("--engine", choices=["sail", "spark"], default="sail")
    parser.add_argument("--jre", metavar="DIR", help="a Java home to use whatever its version is")
    parser.add_argument("--conf", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--code", metavar="PATH", action="append", default=[], help="whose modules can be imported")
    parser.add_argument("--network", choices=["host", "none"], default="host")
    parser.add_argument("--memory", metavar="BYTES", type=int, help="at most so much is taken")
    parser.add_argument("--archive", action="store_true", help="leave what this run loads for later ones")
    parser.add_argument("--fresh", action="store_true", help="imports nothing beforehand: where forking is not safe")
    parser.add_argument("--script", metavar="PATH")
    parser.add_argument("--request", metavar="FILE")
    parsed = parser.parse_args(own)
    needed = {"step": "script", "query": "request"}.get(parsed.command)
    if needed and not getattr(parsed, needed):
        parser.error(f"`{parsed.command}` needs --{needed}")
    if any("=" not in pair for pair in parsed.conf):
        parser.error("--conf wants key=value")
    parsed.conf = dict(pair.split("=", 1) for pair in parsed.conf)
    parsed.script_arguments = rest
    return parsed


def partition(items, separator):
    """Returns what stands before the first `separator`, the separator if it is there, and what stands after it."""
    if separator not in items:
        return items, None, []
    at = items.index(separator)
    return items[:at], separator, items[at + 1 :]


def run(wanted):
    """Returns the exit code of one command. Raises `EngineError` when the engine is what failed."""
    if wanted.command == "java":
        home = java.find(wanted.jre)
        trouble.tell({"java_home": str(home)})
        return 0
    if wanted.command == "network":
        trouble.tell({"network": network.leave()})
        return 0
    if wanted.command == "pool":
        if not wanted.fresh:
            preload(wanted.engine)
        pool.Pool(main, wanted.fresh).serve()
        return 0
    # soflow starts Python without compiled files. Those of the engine's packages save two thirds of its start-up.
    sys.dont_write_bytecode = not wanted.archive
    # Before anything starts a thread. Where it cannot be done, soflow has warned whoever has neighbours.
    if wanted.network == "none" and not network.is_needed(wanted):
        network.leave()
    # Paths are made absolute first: `life.begin` leaves the caller's directory, because both engines create
    # `spark-warehouse` and other litter in the directory they are started in.
    wanted.script = wanted.script and os.path.abspath(wanted.script)
    wanted.request = wanted.request and os.path.abspath(wanted.request)
    wanted.jre = wanted.jre and os.path.abspath(wanted.jre)
    wanted.code = [os.path.abspath(path) for path in wanted.code]
    life.begin(stdin=wanted.command != "serve")
    if wanted.memory:
        memory.bound(wanted.memory)
    if wanted.command == "serve":
        from soflow_launch import serve

        serve.run()
        return 0
    for path in reversed(wanted.code):
        script.importable(path)
    running = engine(wanted.engine).start(wanted)
    if wanted.command == "step":
        from soflow_launch import columns

        columns.keep(running.frames())
        code = script.run(wanted.script, wanted.script_arguments)
    else:
        from soflow_launch import query

        code = query.run(wanted.request)
    running.stop(succeeded=code == 0)
    return code


def engine(name):
    return importlib.import_module(f"soflow_launch.{name}")


def preload(name):
    """Imports an engine's packages. One that is damaged is told by the first command that needs it."""
    try:
        engine(name).load()
    except trouble.EngineError:
        pass


def main(argv):
    wanted = arguments(argv)
    try:
        code = run(wanted)
    except trouble.EngineError as error:
        code = trouble.report(error)
    life.end(code)


if __name__ == "__main__":
    main(sys.argv[1:])
