"""The run after an installation leaves what later runs start from: compiled Python, an archive of the JVM's classes."""

import importlib.util
import sys
from pathlib import Path

import pytest
from launched import Launched, waited

WARM = Path(__file__).parent.parent / "soflow_launch" / "warm.py"


def test_the_first_run_makes_the_archive_and_later_ones_use_it(launcher, engine):
    done = Launched(waited(launcher("step", "--engine", engine, "--archive", "--script", WARM)))
    assert (done.code, done.out, done.err) == (0, "", "")
    if engine == "sail":
        return
    assert len(list(Path(sys.prefix).glob("spark-*.jsa"))) == 1
    assert list(Path(sys.prefix).glob("spark-*.jsa.*")) == []


def test_the_first_run_alone_leaves_compiled_python(launcher, engine, tmp_path):
    compiled = Path(importlib.util.cache_from_source(importlib.util.find_spec("pandas").origin))
    script = tmp_path / "step.py"
    script.touch()
    for options, left in (([], False), (["--archive"], True)):
        compiled.unlink(missing_ok=True)
        done = Launched(waited(launcher("step", "--engine", engine, *options, "--script", script)))
        assert (done.code, compiled.exists()) == (0, left), done.err


def test_java_tells_where_it_is(launcher, engine, tmp_path):
    (tmp_path / "jre" / "bin").mkdir(parents=True)
    (tmp_path / "jre" / "bin" / "java").touch()
    done = Launched(waited(launcher("java", "--jre", tmp_path / "jre")))
    assert (done.code, done.facts) == (0, [{"java_home": str(tmp_path / "jre")}])


@pytest.mark.parametrize(("release", "code"), [("17.0.9", 0), ("1.8.0_402", 90), ("21.0.1", 90)])
def test_only_java_17_will_do(launcher, tmp_path, release, code):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch(mode=0o755)
    (tmp_path / "release").write_text(f'IMPLEMENTOR="Temurin"\nJAVA_VERSION="{release}"\n')
    done = Launched(waited(launcher("java", JAVA_HOME=str(tmp_path), PATH=str(tmp_path / "bin"))))
    assert done.code == code
    assert [fact.get("kind") for fact in done.facts] == ["java" if code else None]
