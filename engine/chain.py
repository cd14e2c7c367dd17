"""Runs steps of a job one after another in one Spark application, each as `spark-submit` would run it alone.

    soflow_chain.py DONE SCRIPT --task URI [SCRIPT --task URI ...]

A step gets a session of its own, which `SparkSession.builder.getOrCreate()` returns: settings, temporary views and
cached data of the one before are not in it. Its `spark.stop()` leaves the application to the next one. What it imports
from the project's code is loaded anew, and environment, folder and Python's path are as they were.

In front of and behind each step's output, on stdout and stderr, stands a line `@soflow step NAME begins` or `... ends`.
A step that has completed, after all that it has written, is noted below DONE: one small JSON text in the folder NAME.
The first that fails ends all: its traceback is printed, its exit code is kept.

soflow carries this file and ships it beside the code. It needs Python 3.9, PySpark from 3.4 on and nothing else.
"""

import json
import os
import runpy
import sys
import tempfile
import traceback
from collections import namedtuple
from datetime import datetime, timezone

from pyspark.sql import SparkSession

# The project's code as soflow ships it.
CODE = "soflow_code.zip"

Step = namedtuple("Step", "name script task")


class Classic:
    """The application where the driver has a JVM: one SparkContext, on which every step has a session."""

    def __init__(self, first):
        from pyspark import SparkContext

        self.first = first
        self.context = first.sparkContext
        self.stop_context = SparkContext.stop
        # Sessions stop it, and scripts do.
        SparkContext.stop = lambda context: None

    def begin(self, step):
        self.context.setJobGroup(step, f"step {step}")
        # Where there is none, a new session makes itself the one that is got.
        SparkSession._instantiatedSession = None
        self.first.newSession()

    def end(self):
        # What sessions on one context share.
        self.first.catalog.clearCache()
        for persisted in self.context._jsc.getPersistentRDDs().values():
            persisted.unpersist()
        forget_views(self.first)

    def announce(self, line):
        print(line, flush=True)
        # On YARN what Python prints there goes to stdout too, and stderr is the JVM's.
        sys.stderr.flush()
        self.context._jvm.System.err.println(line)

    def close(self):
        self.stop_context(self.context)


class Connect:
    """The application where the driver is a client of Spark Connect: every step has a session on its server."""

    def __init__(self, first):
        self.first = first
        # `SparkSession` of `pyspark.sql` is another class.
        self.sessions = type(first)
        self.settings = dict(getattr(first.conf, "getAll", {}))
        # All are kept: one that is collected closes what the others use, in whatever thread that happens.
        self.made = []

    def begin(self, step):
        # A new session is the one that is got where there is none.
        self.sessions._default_session = None
        self.sessions._active_session.session = None
        self.made.append(SparkSession.builder.create())
        for key, value in self.settings.items():
            self.made[-1].conf.set(key, value)

    def end(self):
        self.made[-1].stop()
        forget_views(self.first)

    def announce(self, line):
        for stream in (sys.stdout, sys.stderr):
            print(line, file=stream, flush=True)

    def close(self):
        self.first.stop()


def forget_views(session):
    """Drops the temporary views that all sessions see."""
    for view in session.catalog.listTables("global_temp"):
        session.catalog.dropGlobalTempView(view.name)


def application():
    first = SparkSession.builder.getOrCreate()
    return (Connect if type(first).__module__.startswith("pyspark.sql.connect") else Classic)(first)


def main(arguments):
    """Returns the exit code: 0 when all steps have completed, 1 when one has failed. Lets its `SystemExit` out."""
    done, *commands = arguments
    spark = application()
    for step in steps(commands):
        spark.announce(f"@soflow step {step.name} begins")
        try:
            completed = run(spark, step, done)
        finally:
            spark.announce(f"@soflow step {step.name} ends")
        if not completed:
            return 1
    spark.close()
    return 0


def steps(commands):
    for script, _, task in zip(commands[::3], commands[1::3], commands[2::3]):  # noqa: B905, new in Python 3.10
        yield Step(os.path.splitext(task.rsplit("/", 1)[-1])[0], script, task)


def run(spark, step, done):
    """Returns whether a step has completed, after noting that below `done`."""
    started = now()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, step.script.rsplit("/", 1)[-1])
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(spark.first.read.text(step.script, wholetext=True).collect()[0][0])
            completed = run_script(spark, step, path)
        if completed:
            note = json.dumps({"step": step.name, "started": started, "ended": now()})
            rows = spark.first.createDataFrame([(note,)], "value string").coalesce(1)
            rows.write.mode("overwrite").text(f"{done}/{step.name}")
        return completed
    except Exception:
        traceback.print_exc()
        return False


def now():
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def run_script(spark, step, path):
    environment, folder, places = dict(os.environ), os.getcwd(), list(sys.path)
    spark.begin(step.name)
    sys.argv = [path, "--task", step.task]
    # Where Python has the folder of the script that it is started with.
    sys.path[0] = os.path.dirname(path)
    try:
        runpy.run_path(path, run_name="__main__")
        return True
    except SystemExit as leaving:
        if leaving.code not in (None, 0):
            raise
        return True
    except BaseException as error:
        print_trimmed(error, path)
        return False
    finally:
        sys.path[:] = places
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for name, module in list(sys.modules.items()):
            if f"{os.sep}{CODE}{os.sep}" in (getattr(module, "__file__", None) or ""):
                del sys.modules[name]
        try:
            spark.end()
        except Exception as error:
            # The step has done what it does.
            print(f"something is left behind for the next step: {error}", file=sys.stderr)


def print_trimmed(error, path):
    """Prints the traceback from the script's first frame on: those before it are ours."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != path:
        frames = frames.tb_next
    traceback.print_exception(type(error), error.with_traceback(frames), frames)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
