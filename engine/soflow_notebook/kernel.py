"""The kernel: IPython in one process with the engine.

python -m soflow_notebook.kernel --engine sail|spark --code DIR --connection FILE
"""

import argparse
import importlib
import os
import signal

from soflow_launch import life, script, trouble

from soflow_notebook import shell
from soflow_notebook.link import Link

# Sail forgets a session, and the views in it, after 15 minutes without a question. A notebook stays open for days.
IDLE_SECONDS = 30 * 24 * 3600


def arguments():
    """Returns the parsed command line, with what starting an engine asks for besides."""
    parser = argparse.ArgumentParser(prog="soflow_notebook.kernel", allow_abbrev=False)
    parser.add_argument("--engine", choices=["sail", "spark"], required=True)
    parser.add_argument("--code", metavar="DIR", required=True, help="whose modules can be imported")
    parser.add_argument("--connection", metavar="FILE", required=True)
    parser.set_defaults(conf={}, jre=None, memory=None, archive=False)
    return parser.parse_args()


def main():
    wanted = arguments()
    home = os.getcwd()
    link = Link(lambda: life.leave(life.ORPHANED))
    # Ctrl-C is for the cell that runs: IPython makes an exception of it.
    del life.STOPPED[signal.SIGINT]
    life.begin(stdin=False)
    script.importable(wanted.code)
    os.environ["SAIL_SPARK__SESSION_TIMEOUT_SECS"] = str(IDLE_SECONDS)
    try:
        # What it returns keeps the engine's server alive.
        running = importlib.import_module(f"soflow_launch.{wanted.engine}").start(wanted)
    except trouble.EngineError as error:
        life.leave(trouble.report(error))
    # Engines leave files where they are started. Notebooks name files from where they are.
    os.chdir(home)
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(["-f", wanted.connection])
    shell.prepare(app.shell, link)
    app.start()
    running.stop(succeeded=True)
    life.end(0)


if __name__ == "__main__":
    main()
