"""Keeps this process within its share of memory: the engine spills what it counts to disk, and all of it is watched."""

import os
import threading
import time

from soflow_launch import life, trouble

# Between two looks a step takes at most a few hundred megabytes.
LOOK_SECONDS = 0.02


def bound(share):
    """Lets this process take at most `share` bytes. Call it before the engine starts."""
    # The other half is for what the engine does not count: Python, rows on their way, its own code.
    os.environ["SAIL_RUNTIME__MEMORY_POOL__TYPE"] = "fair"
    os.environ["SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE"] = str(share // 2)
    if taken() is not None:
        threading.Thread(target=watch, args=(share,), name="soflow-memory", daemon=True).start()


def watch(share):
    """Ends this process when it has taken more."""
    while taken() <= share:
        time.sleep(LOOK_SECONDS)
    trouble.tell({"engine_error": f"it needs more than {share >> 20} MB of memory, its share", "kind": "memory"})
    life.leave(trouble.ENGINE_FAILED)


def taken():
    """Returns the bytes of memory that are this process's own, or None where the system does not tell.

    What it shares with the process that it was forked from counts too. Source: proc_pid_statm(5).
    """
    try:
        with open("/proc/self/statm") as pages:
            _, resident, shared, *_ = pages.read().split()
    except OSError:
        return None
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
