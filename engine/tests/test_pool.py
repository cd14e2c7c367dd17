"""A pool runs many command lines, each as if it had a launcher of its own."""

import os
import signal
import time

import pytest
from launched import BUSY, SOON_SECONDS, alive, all_gone, needs_proc

SAYS = "import os, sys\nprint(sys.argv[1:], os.getcwd() != '/', flush=True)\n"


class Pool:
    """A pool, and how to ask it: `start` a script under a name, `tell` it something, wait for the `end` of a child."""

    def __init__(self, launcher, engine, folder, *options, **environment):
        self.engine, self.folder = engine, folder
        self.process = launcher("pool", "--engine", engine, *options, SOFLOW_TEST_MARK=str(folder), **environment)

    def tell(self, *fields):
        self.process.stdin.write("\0".join([str(len(fields)), *map(str, fields), ""]))
        self.process.stdin.flush()

    def start(self, name, source, *arguments):
        script, (out, err) = self.folder / f"{name}.py", self.files(name)
        for path, text in ((script, source), (out, ""), (err, "")):
            path.write_text(text)
        self.tell("start", name, out, err, "step", "--engine", self.engine, "--script", script, "--", *arguments)

    def files(self, name):
        return self.folder / f"{name}.out", self.folder / f"{name}.err"

    def end(self):
        """Returns the name of a child that has ended and its exit code, or its signal as a negative number."""
        name, status = self.process.stdout.readline().split()
        return name, os.waitstatus_to_exitcode(int(status))

    def busy(self, name):
        """Starts a child and waits until it is in the middle of a Python function."""
        self.start(name, BUSY)
        while "busy" not in self.files(name)[0].read_text():
            time.sleep(0.05)


@pytest.fixture(params=[(), ("--fresh",)], ids=["forked", "fresh"])
def pool(launcher, engine, tmp_path, request):
    if engine == "spark" and request.param:
        pytest.skip("what differs is tested with Sail, which starts sooner")
    pool = Pool(launcher, engine, tmp_path, *request.param)
    yield pool
    pool.process.kill()


def test_children_end_as_their_scripts_do_and_write_to_files_of_their_own(pool):
    pool.start("good", SAYS, "--task", "file:///a task")
    assert pool.end() == ("good", 0)
    pool.start("bad", "raise ValueError('no tags')")
    pool.start("left", "import sys\nprint('out')\nsys.exit(3)")
    pool.start("crashed", "import os\nos.abort()")
    assert sorted(pool.end() for _ in range(3)) == [("bad", 1), ("crashed", -signal.SIGABRT), ("left", 3)]
    read = {name: [file.read_text() for file in pool.files(name)] for name in ("good", "bad", "left")}
    assert read["good"] == ["['--task', 'file:///a task'] True\n", ""]
    assert read["left"] == ["out\n", ""]
    assert read["bad"][0] == "" and read["bad"][1].endswith("ValueError: no tags\n")


def test_what_one_child_changes_no_other_sees(pool):
    change = "import os, pandas\nos.environ['SEEN'] = pandas.seen = 'yes'\n"
    look = "import os, pandas\nassert 'SEEN' not in os.environ and not hasattr(pandas, 'seen')\n"
    for name, source in (("changes", change), ("looks", look)):
        pool.start(name, source)
        assert pool.end() == (name, 0), pool.files(name)[1].read_text()


def test_a_child_is_stopped_or_killed_and_its_sibling_goes_on(pool):
    for name in ("first", "second"):
        pool.busy(name)
    pool.tell("stop", "nobody")
    pool.tell("stop", "first")
    assert pool.end() == ("first", 129)
    pool.tell("kill", "second")
    assert pool.end() == ("second", -signal.SIGKILL)


@needs_proc
@pytest.mark.parametrize("how", ["closed", "killed"])
def test_children_end_with_the_pool(pool, tmp_path, how):
    for name in ("first", "second"):
        pool.busy(name)
    assert alive(tmp_path)
    if how == "closed":
        pool.process.stdin.close()
    else:
        pool.process.kill()
    pool.process.wait(SOON_SECONDS)
    assert all_gone(tmp_path)
    assert os.listdir(tmp_path / "tmp") == []


def test_a_damaged_package_is_told_by_each_child(launcher, engine, tmp_path):
    (tmp_path / "pandas.py").write_text("raise AttributeError('cut off')")
    pool = Pool(launcher, engine, tmp_path, PYTHONPATH=str(tmp_path))
    for name in ("first", "second"):
        pool.start(name, SAYS)
        assert pool.end() == (name, 90)
        assert "AttributeError: cut off" in pool.files(name)[0].read_text()
    pool.process.kill()
