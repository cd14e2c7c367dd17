"""SQL files and notebooks as steps: their tables, their cells, and failures told as their author's own."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from launched import Launched, waited

DRIVER = (Path(__file__).parent.parent / "run_source.py").read_text()

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@pytest.fixture
def lake(tmp_path):
    """Partitions that two runs have written, one of which knows no `note` yet, and a table without partitions."""

    def write(columns, place):
        (tmp_path / place).mkdir(parents=True)
        pq.write_table(pa.table(columns), tmp_path / place / "part-0.parquet")

    for number, month in [(1, "2026-09"), (2, "2026-10"), (3, HIVE_NULL)]:
        write({"id": [number]}, f"t/run=a.2026-01-01.1/month={month}")
    write({"id": [20], "note": ["x"]}, "t/run-a.2026-01-02.1/month=2026-10")
    write({"key": [7], "name": ["seven"]}, "names/run-a.2026-01-01.1")
    return tmp_path


@pytest.fixture
def run(launcher, engine, tmp_path):
    """Runs cells as a step, to its end."""

    def run(*cells, inputs=None, outputs=None, language="python", parameters=None):
        task = {"inputs": inputs or {}, "outputs": outputs or {}, "parameters": parameters or {}}
        (tmp_path / "task.json").write_text(json.dumps(task))
        given = json.dumps({"path": "steps/x.sql", "language": language, "cells": list(cells)}, ensure_ascii=False)
        tail = f'SOURCE = {json.dumps(given)}\n\nif __name__ == "__main__":\n    main(json.loads(SOURCE))\n'
        (tmp_path / "step.py").write_text(f"{DRIVER}\n\n{tail}")
        options = ["--script", tmp_path / "step.py", "--", "--task", f"file://{tmp_path}/task.json"]
        return Launched(waited(launcher("step", "--engine", engine, *options)))

    return run


def python(source, number=1):
    return {"name": f"cell {number}", "python": source}


def sql(source, into=None, number=1):
    return {"name": f"cell {number}", "sql": source, "into": into}


def output(lake, table="out", by=(), only=None):
    return {table: {"prefix": f"file://{lake}/{table}", "partition_by": list(by), "only": only or {}}}


def table(lake, months, upstream=None):
    prefix = f"file://{lake}/t/run=a.2026-01-01.1"
    published = [{"prefix": prefix, "partitions": [{"month": month} for month in months]}]
    upstream = upstream and f"file://{lake}/t/{upstream}"
    return {"t": {"partition_by": ["month"], "published": published, "upstream": upstream}}


def rows(folder):
    """What a folder holds, by a reader that knows nothing of us."""
    script = "import sys, json, pandas; print(pandas.read_parquet(sys.argv[1]).to_json(orient='records'))"
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    return sorted(json.loads(done.stdout), key=str)


def test_a_query_is_the_table_that_it_writes(run, lake):
    found = run(
        {"name": "", "sql": "select month, sum(id) as total from t where id < :most group by month", "into": None},
        inputs=table(lake, ["2026-09", "2026-10"]),
        outputs=output(lake, by=["month"]),
        language="sql",
        parameters={"most": 10},
    )
    assert found.code == 0, found.err
    expected = [{"month": "2026-09", "total": 1}, {"month": "2026-10", "total": 2}]
    assert [{"month": r["month"], "total": r["total"]} for r in rows(lake / "out")] == expected


def test_a_table_has_its_live_partitions_and_what_this_run_has_written(run, lake):
    shown = "for row in spark.table('t').orderBy('id').collect(): print(row.id, row.month)"
    only_two = run(python(shown), inputs=table(lake, ["2026-09", HIVE_NULL]))
    assert only_two.code == 0, only_two.err
    assert only_two.out.splitlines()[-2:] == ["1 2026-09", "3 None"]
    more = run(
        python("for row in spark.table('t').orderBy('id').collect(): print(row.id, row.month, row.note)"),
        inputs=table(lake, ["2026-09", "2026-10"], upstream="run-a.2026-01-02.1"),
    )
    assert more.code == 0, more.err
    assert more.out.splitlines()[-2:] == ["1 2026-09 None", "20 2026-10 x"]
    nothing = run(python(shown), inputs=table(lake, ["2026-09"], upstream="run-never"))
    assert (nothing.code, nothing.out.splitlines()[-1]) == (0, "1 2026-09"), nothing.err


def test_cells_share_their_names_and_tables_of_sql_are_frames(run, lake):
    names = {"names": {"partition_by": [], "published": [], "upstream": f"file://{lake}/names/run-a.2026-01-01.1"}}
    found = run(
        python("most = 1\nimport pandas"),
        sql("select key, 'ü\"' as text from names", into="best", number=2),
        python("assert spark.sql('select * from best').count() == most\nsave('out', best)", number=3),
        python("save('frame', pandas.DataFrame({'a': [1, 2]}))\ndisplay(parameters['p'])", number=4),
        inputs=names,
        outputs=output(lake) | output(lake, "frame"),
        parameters={"p": "shown"},
    )
    assert found.code == 0, found.err
    assert "shown" in found.out
    assert rows(lake / "out") == [{"key": 7, "text": 'ü"'}]
    assert rows(lake / "frame") == [{"a": 1}, {"a": 2}]


def test_a_failure_is_told_with_its_cell_and_line(run, lake):
    found = run(python("x = 1"), python("y = 2\ndef f():\n    raise KeyError('score')\nf()", number=4))
    assert found.code == 1
    expected = [
        "Traceback (most recent call last):",
        '  File "steps/x.sql cell 4", line 4, in <module>',
        "    f()",
        '  File "steps/x.sql cell 4", line 3, in f',
        "    raise KeyError('score')",
        "KeyError: 'score'",
    ]
    assert [line for line in found.err.splitlines() if "^" not in line][-6:] == expected
    wrong = run(sql("select nothing from names"), language="sql", outputs=output(lake))
    lines = wrong.err.splitlines()
    at = lines.index("Traceback (most recent call last):")
    assert wrong.code == 1 and lines[at + 1] == '  File "steps/x.sql cell 1"', wrong.err
    assert "names" in "".join(lines[at + 2 :]), wrong.err


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("x = 1", "the notebook did not save out: `save(table, frame)` does"),
        (
            "save('other', spark.range(1))",
            "ValueError: the step does not write `other`: in the job file its `writes` are out",
        ),
        (
            "save('out', spark.range(1))",
            "ValueError: `out` is partitioned by `month`, which is no column of what is saved",
        ),
        (
            "f = spark.sql(\"select 1 as a, 'm' as month\")\nsave('out', f)\nsave('out', f)",
            "ValueError: `out` has been saved before",
        ),
    ],
)
def test_what_is_saved_must_be_what_the_job_file_says(run, lake, engine, cell, told):
    if engine != "sail":
        pytest.skip("no engine has a say in it")
    found = run(python(cell), outputs=output(lake, by=["month"]))
    assert (found.code, found.err.splitlines()[-1]) == (1, told)


def test_a_table_without_rows_keeps_its_columns(run, lake):
    frame = "save('out', spark.sql(\"select 1 as a, 'm' as month\").where('false'))"
    assert run(python(frame), outputs=output(lake, by=["month"])).code == 0
    assert [path.name for path in (lake / "out").iterdir() if path.is_dir()] == ["_schema"]
    inputs = {"out": {"partition_by": ["month"], "published": [], "upstream": f"file://{lake}/out"}}
    found = run(python("print(spark.table('out').dtypes, spark.table('out').count())"), inputs=inputs)
    assert found.out.splitlines()[-1] == "[('a', 'int'), ('month', 'string')] 0", found.err


def test_a_fixed_partition_is_written_as_the_leaf(run, lake):
    frame = "save('out', spark.sql(\"select 1 as a, 'y' as kind\"))"
    found = run(python(frame), outputs=output(lake, by=["kind", "dt"], only={"dt": "2026-11-22", "kind": "y"}))
    assert found.code == 0, found.err
    assert rows(lake / "out/dt=2026-11-22/kind=y") == [{"a": 1}]
