"""Steps that share an application see nothing of each other, and each is told apart, noted and ended for itself."""

import json
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from launched import Launched, waited

CHAIN = Path(__file__).parent.parent / "chain.py"

GET = """
import os, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("mine").getOrCreate()
"""

# What a step can leave behind.
LEAVES = """
import leaves
leaves.SEEN.append(1)
spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
spark.range(3).createOrReplaceTempView("mine")
spark.range(3).createGlobalTempView("everyones")
spark.range(3).cache().count()
os.environ["LEFT"] = "here"
os.chdir("/")
sys.path.insert(0, "/left")
sys.modules["__main__"].LEFT = "here"
"""

LOOKS = """
import leaves
def fails(statement):
    try:
        spark.sql(statement).collect()
    except Exception:
        return True
print("views", fails("select * from mine"), fails("select * from global_temp.everyones"))
print("zone", spark.conf.get("spark.sql.session.timeZone"))
print("modules", leaves.SEEN)
print("environment", os.environ.get("LEFT"), "/left" in sys.path, os.getcwd() != "/", globals().get("LEFT"))
print("arguments", [os.path.basename(argument) for argument in sys.argv], __name__)
print("sum", spark.range(5).groupBy().sum("id").first()[0])
"""

LOOKS_IN_JVM = """
print("cached", spark.sparkContext._jsc.getPersistentRDDs().size())
spark.sparkContext.stop()
"""


@pytest.fixture
def chain(launcher, engine, tmp_path):
    """Runs scripts as one chain, to its end."""
    with zipfile.ZipFile(tmp_path / "soflow_code.zip", "w") as code:
        code.writestr("leaves.py", "SEEN = []\n")

    def run(**sources):
        commands = []
        for name, source in sources.items():
            script = tmp_path / f"{name}.py"
            if source is not None:
                script.write_text(source)
            commands += [script, "--task", tmp_path / f"tasks/{name}.json"]
        options = ["--code", tmp_path / "soflow_code.zip", "--script", CHAIN, "--", tmp_path / "done"]
        return Launched(waited(launcher("step", "--engine", engine, *options, *commands)))

    return run


def notes(tmp_path):
    """What is noted of the steps that have completed, by step."""
    found = {}
    for file in (tmp_path / "done").glob("*/*.txt"):
        note = json.loads(file.read_text())
        assert file.parent.name == note["step"]
        found[note["step"]] = [datetime.fromisoformat(note[key].replace("Z", "+00:00")) for key in ("started", "ended")]
    return found


def marks(text):
    return [line.removeprefix("@soflow step ") for line in text.splitlines() if line.startswith("@soflow step ")]


def test_a_step_sees_nothing_of_the_one_before(chain, engine, tmp_path):
    looks = GET + LOOKS + (LOOKS_IN_JVM if engine == "spark" else "")
    done = chain(one=GET + LEAVES, two=looks, three=GET + LEAVES + "spark.stop()\n", four=looks)
    assert done.code == 0, done.err
    said = ["views True True", "zone UTC", "modules []", "environment None False True None"]
    cached = ["cached 0"] if engine == "spark" else []
    for step in ("two", "four"):
        of_step = done.out.split(f"@soflow step {step} begins\n")[1].split(f"@soflow step {step} ends\n")[0]
        arguments = f"arguments ['{step}.py', '--task', '{step}.json'] __main__"
        assert of_step.splitlines() == [*said, arguments, "sum 10", *cached]
    names = ["one", "two", "three", "four"]
    assert marks(done.out) == [f"{step} {what}" for step in names for what in ("begins", "ends")]
    assert marks(done.err) == marks(done.out)
    noted = notes(tmp_path)
    times = [time for step in names for time in noted[step]]
    assert times == sorted(times)


def test_a_step_that_fails_ends_the_chain(chain, tmp_path):
    done = chain(one=GET, two="def inner():\n    raise ValueError('no site')\n\ninner()\n", three=GET)
    assert done.code == 1
    assert marks(done.out) == ["one begins", "one ends", "two begins", "two ends"]
    of_step = done.err.split("@soflow step two begins\n")[1].split("@soflow step two ends\n")[0].splitlines()
    assert of_step[0] == "Traceback (most recent call last):" and of_step[-1] == "ValueError: no site"
    assert "two.py" in of_step[1] and not any("runpy" in line or "chain.py" in line for line in of_step)
    assert list(notes(tmp_path)) == ["one"]


@pytest.mark.parametrize(("call", "code", "noted"), [("sys.exit(7)", 7, []), ("sys.exit()", 0, ["one", "two"])])
def test_an_exit_code_is_kept(chain, tmp_path, call, code, noted):
    done = chain(one=f"import sys\n{call}\n", two=GET)
    assert (done.code, sorted(notes(tmp_path))) == (code, noted)


def test_what_cannot_be_read_fails_the_step_it_is_for(chain, tmp_path):
    done = chain(one=GET, two=None, three=GET)
    assert done.code == 1
    assert "Traceback" in done.err.split("@soflow step two begins\n")[1].split("@soflow step two ends\n")[0]
    assert list(notes(tmp_path)) == ["one"]


def test_what_cannot_be_cleared_away_fails_nobody(chain, tmp_path):
    done = chain(one=GET + "type(spark.catalog).listTables = lambda *names: 1 / 0\n", two=GET)
    assert done.code == 0, done.err
    assert "something is left behind for the next step: division by zero" in done.err
    assert sorted(notes(tmp_path)) == ["one", "two"]


def test_what_cannot_be_noted_has_not_completed(chain, tmp_path):
    (tmp_path / "done").write_text("a file where the folder should be")
    done = chain(one=GET, two=GET)
    assert done.code == 1
    assert marks(done.out) == ["one begins", "one ends"]
