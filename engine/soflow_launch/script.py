"""Runs a script as `spark-submit` would."""

import os
import runpy
import sys
import traceback

from soflow_launch import life


def importable(folder):
    """Makes the modules in a folder importable, here and in the Python processes that an engine starts."""
    # Behind the script's own folder, where PYTHONPATH would be.
    sys.path.insert(1, folder)
    if os.pathsep in folder:
        # They get it as PYTHONPATH, which a name with a colon would end.
        link = os.path.join(life.scratch("code"), "code")
        os.symlink(folder, link)
        folder = link
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))


def run(path, arguments):
    """Returns the exit code of the script at `path`: 0, 1 after an exception, or what it passed to `sys.exit`."""
    sys.argv = [path, *arguments]
    # As spark-submit does: the script's own directory comes first, ours is of no use to it.
    sys.path[0] = os.path.dirname(path)
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as leaving:
        return exit_code(leaving)
    except BaseException as error:
        print_trimmed(error, path)
        return 1
    return 0


def exit_code(leaving):
    """Returns the code that Python itself would have made of a SystemExit, after printing a message given as code."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


def print_trimmed(error, path):
    """Prints the traceback from the script's first frame on. soflow shows the last traceback as the probable cause."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != path:
        frames = frames.tb_next
    # Without a frame of the script (a syntax error in it, say) none of the frames is worth showing.
    traceback.print_exception(type(error), error.with_traceback(frames), frames, file=sys.stderr)
