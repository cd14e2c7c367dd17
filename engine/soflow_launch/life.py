"""How this process ends: on its own, by a signal, or because soflow is gone. Nothing that it started outlives it."""

import atexit
import os
import select
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time

STOPPED = {signal.SIGTERM: 143, signal.SIGINT: 130}
# soflow is gone, so nobody reads this code; it is the shell's for SIGHUP, which says the same thing.
ORPHANED = 129

# How often the removal of a folder is tried, a hundredth of a second apart: an engine that starts makes files in it.
REMOVALS = 100

_scratch = None
_children = []
_ending = threading.Lock()


def begin(stdin=True):
    """Makes the scratch directory, moves into it, and starts to watch for signals and, if asked, the end of stdin."""
    global _scratch
    # Children, `spark.local.dir`, the warehouse and `tempfile` users in a script all land in here.
    _scratch = tempfile.mkdtemp(prefix="soflow-")
    os.environ["PYTHONPATH"] = absolute(os.environ.get("PYTHONPATH", ""))
    sys.path[:] = [os.path.abspath(entry) for entry in sys.path]
    os.chdir(_scratch)
    tempfile.tempdir = os.environ["TMPDIR"] = scratch("tmp")
    signals = wakeup_pipe()
    for number in STOPPED:
        signal.signal(number, lambda *_: None)
    sources = (signals, take_stdin() if stdin else None)
    threading.Thread(target=watch, args=sources, name="soflow-watch", daemon=True).start()


def absolute(path_list):
    """Returns a PYTHONPATH whose entries still mean the same after the directory has changed."""
    return os.pathsep.join(os.path.abspath(entry) for entry in path_list.split(os.pathsep) if entry)


def scratch(name):
    """Returns a directory of that name that is removed when this process ends."""
    path = os.path.join(_scratch, name)
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path


def adopt(process):
    """Notes a child that leads its own session: all of that session is killed when this process ends."""
    _children.append(process)


def wakeup_pipe():
    """Returns a descriptor that becomes readable, with the signal's number, as soon as a signal arrives.

    A Python signal handler waits for the main thread, which may sit in native code for minutes; this does not.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def take_stdin():
    """Returns our own descriptor of stdin if soflow holds its other end, else None.

    Only a pipe counts: a terminal or /dev/null says nothing about the parent. Descriptor 0 becomes /dev/null, so that
    a child cannot inherit the pipe. PR_SET_PDEATHSIG is not used: it fires when the *thread* that spawned us ends,
    and it does not exist on macOS.
    """
    try:
        if not stat.S_ISFIFO(os.fstat(0).st_mode) and not stat.S_ISSOCK(os.fstat(0).st_mode):
            return None
        mine = os.dup(0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        return mine
    except OSError:
        return None


def watch(signals, stdin):
    """Ends this process at the first signal or at the end of stdin. Runs in a thread of its own."""
    sources = [signals] if stdin is None else [signals, stdin]
    while True:
        for source in select.select(sources, [], [])[0]:
            data = os.read(source, 4096)
            if source == stdin and not data:
                leave(ORPHANED)
            for number in data if source == signals else b"":
                if number in STOPPED:
                    leave(STOPPED[number])


def end(code):
    """Ends this process after a command: exit hooks of the script run, its threads are not waited for.

    A plain return would wait for threads of gRPC, py4j or the engine's server that have no reason to end.
    """
    try:
        atexit._run_exitfuncs()
    finally:
        leave(code)


def leave(code):
    """Kills what was started, removes the scratch directory and exits. The first caller decides the code."""
    if not _ending.acquire(blocking=False):
        # Another thread is at it already; returning would let the main thread go on with a dead engine.
        time.sleep(60)
    for process in _children:
        kill_session(process)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    if _scratch:
        os.chdir("/")
        remove(_scratch)
    os._exit(code)


def remove(folder):
    """Removes a folder in which threads of the engine may still be making files."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            break
        time.sleep(0.01)


def kill_session(process):
    """SIGKILL, not SIGTERM: a JVM's shutdown hooks may go on writing to the lake."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
