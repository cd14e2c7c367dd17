"""A script runs as spark-submit would run it, and its troubles are told apart from the engine's."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

COUNT = """
import os, sys
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.appName("count").getOrCreate()
print("sum", spark.range(5).select(F.sum("id")).first()[0])
print("zone", spark.conf.get("spark.sql.session.timeZone"))
print("argv", sys.argv[1:], sys.path[0] == os.path.dirname(__file__), __name__)
"""


def test_a_step_reads_its_arguments_and_leaves_nothing_behind(step, tmp_path):
    done = step(COUNT)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:3] == ["sum 10", "zone UTC", "argv ['--task', 'file:///task.json'] True __main__"]
    assert os.listdir(tmp_path / "cwd") == []
    assert os.listdir(tmp_path / "tmp") == []


def test_a_traceback_starts_in_the_script(step, tmp_path):
    done = step("def inner():\n    raise ValueError('no site called so')\n\ninner()\n")
    assert done.code == 1
    assert done.err == (
        "Traceback (most recent call last):\n"
        f'  File "{tmp_path}/my_step.py", line 4, in <module>\n    inner()\n'
        + ("    ~~~~~^^\n" if "~~~~~^^" in done.err else "")
        + f"  File \"{tmp_path}/my_step.py\", line 2, in inner\n    raise ValueError('no site called so')\n"
        "ValueError: no site called so\n"
    )
    assert done.facts == []


def test_a_syntax_error_shows_the_line_and_no_frames(step, tmp_path):
    done = step("x = = 1\n")
    assert done.code == 1
    assert "my_step.py" in done.err and "SyntaxError" in done.err
    assert "launch" not in done.err and "runpy" not in done.err


def test_an_error_inside_a_python_function_names_its_cause(step):
    done = step(
        "from pyspark.sql import SparkSession, functions as F\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "def broken(x):\n    raise ValueError('bad row')\n"
        "spark.range(1).select(F.udf(broken, 'int')('id')).collect()\n"
    )
    assert done.code == 1
    assert "ValueError: bad row" in done.err
    assert "soflow_launch" not in done.err


@pytest.mark.parametrize(
    ("call", "code"), [("sys.exit(7)", 7), ("sys.exit()", 0), ("sys.exit('no pages')", 1), ("raise SystemExit(0)", 0)]
)
def test_an_exit_code_is_kept(step, call, code):
    done = step(f"import sys\n{call}\n")
    assert done.code == code
    assert done.err == ("no pages\n" if "no pages" in call else "")


def test_settings_reach_the_session(step):
    done = step(
        "from pyspark.sql import SparkSession\n"
        "print(SparkSession.builder.getOrCreate().conf.get('spark.sql.shuffle.partitions'))\n",
        *("--conf", "spark.sql.shuffle.partitions=3", "--conf", "spark.driver.memory=600m"),
    )
    assert (done.code, done.out.split()[0]) == (0, "3")


def test_python_modules_come_from_the_code_folder_even_in_workers(step, tmp_path):
    # A name that PYTHONPATH cannot hold.
    (tmp_path / "cwd" / "v1:2").mkdir()
    (tmp_path / "cwd" / "v1:2" / "mine.py").write_text("def twice(x):\n    return x * 2\n")
    done = step(
        "import mine\nfrom pyspark.sql import SparkSession, functions as F\n"
        "spark = SparkSession.builder.getOrCreate()\n"
        "twice = F.udf(lambda x: __import__('mine').twice(x), 'long')\n"
        "print(spark.range(2, 3).select(twice('id')).first()[0])\n",
        *("--code", "v1:2"),
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.split()[0] == "4"
    assert os.listdir(tmp_path / "cwd" / "v1:2") == ["mine.py"]


@pytest.mark.parametrize("contents", ["raise ImportError('cut short')", "import no_such_module", "1 / 0"])
def test_a_damaged_environment_is_not_the_jobs_fault(step, tmp_path, contents):
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text(contents)
    done = step(COUNT, PYTHONPATH=str(tmp_path))
    assert done.code == 90
    assert [fact["kind"] for fact in done.facts] == ["damaged"]
    assert "Traceback" in done.err


def test_a_missing_java_is_told_as_such(step, engine, tmp_path):
    if engine != "spark":
        pytest.skip("Sail needs no Java")
    done = step(COUNT, "--jre", str(tmp_path))
    assert done.code == 90
    assert [fact["kind"] for fact in done.facts] == ["java"]


def test_a_jvm_that_cannot_start_is_the_engines_trouble(step, engine):
    if engine != "spark":
        pytest.skip("Sail has no JVM")
    done = step(COUNT, "--conf", "spark.driver.memory=nonsense")
    assert done.code == 90
    assert [fact["kind"] for fact in done.facts] == ["start"]


EMPTY = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
frame = spark.createDataFrame([], "id bigint, at timestamp, tags array<string>, tag string")
frame.write.partitionBy("tag").parquet("file://{0}/none")
frame.write.format("parquet").save("file://{0}/saved")
frame.union(spark.sql("select 1L, current_timestamp(), array('a'), 'x'")).write.partitionBy("tag").parquet("file://{0}/one")
"""


def test_a_frame_without_rows_leaves_its_columns(step, tmp_path):
    done = step(EMPTY.format(tmp_path))
    assert (done.code, done.err) == (0, "")
    types = {"id": pa.int64(), "at": pa.timestamp("us", "UTC"), "tags": pa.list_(pa.string()), "tag": pa.string()}
    for name in ("none", "saved"):
        (file,) = (tmp_path / name).rglob("*.parquet")
        left = pq.read_table(file)
        assert (left.num_rows, dict(zip(left.schema.names, left.schema.types, strict=True))) == (0, types), name
    assert not (tmp_path / "one/_schema").exists()
