"""A query sees the live partitions and nothing else, on either engine."""

from datetime import date, datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = [
    {"name": "question_id", "type": "bigint"},
    {"name": "title", "type": "string"},
    {"name": "asked_at", "type": "timestamp"},
    {"name": "created_month", "type": "string"},
]
NOON = datetime(2026, 10, 5, 12, tzinfo=timezone.utc)


def write(directory, rows):
    """Writes rows of (question_id, title) to one file of a partition."""
    directory.mkdir(parents=True)
    columns = {
        "question_id": pa.array([row[0] for row in rows], pa.int64()),
        "title": pa.array([row[1] for row in rows], pa.string()),
        "asked_at": pa.array([NOON] * len(rows), pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(columns), directory / "part-00000.parquet")


def part(prefix, *months):
    return parts(prefix, *({"created_month": month} for month in months))


def parts(prefix, *partitions, spelled=None):
    """Describes partitions whose directories are spelled as their values are, but for those in `spelled`."""

    def place(values):
        names = [f"{key}={(spelled or {}).get(value, value)}" for key, value in values.items()]
        return "/".join([f"file://{prefix}", *names])

    live = [{"values": values, "place": place(values)} for values in partitions]
    return {"prefix": f"file://{prefix}", "partitions": live}


def table(*parts, schema=SCHEMA, partition_by=("created_month",)):
    return {"partition_by": list(partition_by), "schema": schema, "parts": list(parts)}


def test_only_live_partitions_of_each_run_are_read(query, tmp_path):
    first, second = tmp_path / "run=daily.2026-11-21.1", tmp_path / "run=daily.2026-11-22.1"
    write(first / "created_month=2026-09", [(1, "kept")])
    write(first / "created_month=2026-10", [(2, "replaced")])
    write(second / "created_month=2026-10", [(2, "new"), (3, "newer")])
    questions = table(part(first, "2026-09"), part(second, "2026-10"))
    done, answer = query(
        {"questions": questions},
        "select question_id, title, created_month from questions order by 1",
        "select count(*) from questions where created_month = '2026-10';",
        {"sql": "select question_id from questions order by 1", "limit": 1},
        "select asked_at from questions where question_id = 1",
        "with q as (select max(question_id) as m from questions) select m from q",
        "describe questions",
    )
    assert (done.code, done.err) == (0, "")
    assert answer("q1") == [(1, "kept", "2026-09"), (2, "new", "2026-10"), (3, "newer", "2026-10")]
    assert answer("q2") == [(2,)]
    assert answer("q3") == [(1,), (2,)]
    assert answer("q4") == [(NOON,)]
    assert answer("q5") == [(3,)]
    assert [row[:2] for row in answer("q6")][:2] == [("question_id", "bigint"), ("title", "string")]


def test_odd_values_are_read_whichever_engine_spelled_them(query, tmp_path):
    # As Hive and Spark spell them, then as Sail does.
    names = {
        "a b": "a b",
        "x=y": "x%3Dy",
        "50%": "50%25",
        "é/ü": "é%2Fü",
        "it's": "it%27s",
        "c#": "c%23",
        "a\\b": "a%5Cb",
        "10:00": "10:00",
        "São": "S%C3%A3o",
        "Sa\u0303o": "Sa\u0303o",
        "~|<>": "%7E%7C%3C%3E",
        "a=b": "a=b",
    }
    prefix = tmp_path / "my lake" / "run=1"
    for number, directory in enumerate(names.values()):
        write(prefix / f"created_month={directory}", [(number, "t")])
    write(prefix / "created_month=__HIVE_DEFAULT_PARTITION__", [(99, "t")])
    values = [{"created_month": value} for value in [*names, "__HIVE_DEFAULT_PARTITION__"]]
    done, answer = query(
        {"questions": table(parts(prefix, *values, spelled=names))},
        "select question_id, created_month from questions order by 1",
        "select question_id from questions where created_month = 'x=y'",
        "select question_id from questions where created_month is null",
    )
    assert done.code == 0, done.err
    assert answer("q1") == [*enumerate(names), (99, None)]
    assert answer("q2") == [(1,)]
    assert answer("q3") == [(99,)]


def test_two_levels_and_typed_partition_values(query, tmp_path):
    schema = [
        {"name": "question_id", "type": "bigint"},
        {"name": "title", "type": "string"},
        {"name": "endpoint", "type": "string"},
        {"name": "dt", "type": "date"},
    ]
    live = [("questions", "2026-11-21"), ("answers", "2026-11-22")]
    for number, (endpoint, day) in enumerate([*live, ("answers", "2026-11-21"), ("questions", "2026-11-22")]):
        write(tmp_path / "run=1" / f"endpoint={endpoint}" / f"dt={day}", [(number, "t")])
    pages = parts(f"{tmp_path}/run=1", *({"endpoint": e, "dt": d} for e, d in live))
    done, answer = query(
        {"pages": table(pages, schema=schema, partition_by=("endpoint", "dt"))},
        "select question_id, endpoint, dt from pages order by 1",
        "select question_id from pages where dt = date'2026-11-22'",
    )
    assert done.code == 0, done.err
    assert answer("q1") == [(0, "questions", date(2026, 11, 21)), (1, "answers", date(2026, 11, 22))]
    assert answer("q2") == [(1,)]


def test_a_table_without_rows_has_its_columns(query):
    done, answer = query({"questions": table()}, "select * from questions", "select count(*) from questions")
    assert done.code == 0, done.err
    assert (answer("q1"), answer("q2")) == ([], [(0,)])


def test_a_column_that_older_files_lack_is_null(query, tmp_path):
    write(tmp_path / "run=1" / "created_month=2026-10", [(1, "t")])
    schema = [*SCHEMA[:3], {"name": "score", "type": "int"}, SCHEMA[3]]
    done, answer = query(
        {"questions": table(part(tmp_path / "run=1", "2026-10"), schema=schema)},
        "select question_id, score, created_month from questions",
    )
    assert (done.code, answer("q1")) == (0, [(1, None, "2026-10")])


def test_statements_that_write_are_refused(query, tmp_path):
    refused = [
        "insert into questions values (1)",
        "drop table questions",
        "/* x */ create table t as select 1",
        "with a as (select 1) insert into questions select * from a",
        "select 1; drop table questions",
        "explain analyze insert into questions values (1)",
        "with a as (select 1 as x), b (y) as (select 2) from a insert into questions select *",
        "set spark.sql.ansi.enabled=true",
        " -- nothing\n",
    ]
    done, answer = query({"questions": table()}, *refused)
    assert done.code == 1
    errors = [answer(f"q{number}") for number in range(1, len(refused) + 1)]
    assert "not `insert`" in errors[0] and "not `drop`" in errors[1] and "not `create`" in errors[2]
    assert "not `insert`" in errors[3] and "one statement" in errors[4] and "not `insert`" in errors[5]
    assert "not `from`" in errors[6] and "not `set`" in errors[7] and "no statement" in errors[8]


def test_statements_that_read_are_not_refused(query):
    read = [
        "(select 1) union (select 2)",
        "values (1), (2)",
        "show tables",
        "explain select 1",
        "select ';' as x -- a;b",
        "with a (x) as (select 1), b as (select x from a) select x from b",
        "WITH a AS (SELECT 1) (SELECT * FROM a)",
    ]
    done, answer = query({"questions": table()}, *read)
    assert [answer(f"q{n}") for n in range(1, 8) if isinstance(answer(f"q{n}"), str)] == []
    assert done.code == 0


def test_errors_are_the_engines_own_and_short(query, tmp_path):
    done, answer = query(
        {"questions": table(), "answers": table(part(tmp_path / "run=1", "2026-10"))},
        "select * from no_such_table",
        "select from where",
        "select nothing_here from questions",
        "select count(*) from answers",
        "select 1 as one",
    )
    assert done.code == 1
    assert "no_such_table" in answer("q1")
    assert "nothing_here" in answer("q3")
    assert answer("q4") == f"partition created_month=2026-10 of `answers` is missing in file://{tmp_path}/run=1"
    assert answer("q5") == [(1,)]
    for name in ("q1", "q2", "q3"):
        assert len(answer(name)) < 600 and "Exception" not in answer(name) and "\tat " not in answer(name)
