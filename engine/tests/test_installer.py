"""What pip's settings become for pip and for uv."""

import importlib.util
import os
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "src/machine/installer.py"


@pytest.fixture
def given(monkeypatch, tmp_path):
    """Calls the installer with these variables and this pip.conf; returns the command and the variables it gets."""
    spec = importlib.util.spec_from_file_location("installer", SCRIPT)
    installer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installer)

    def call(program, conf="", **variables):
        seen = {}
        monkeypatch.setattr(installer, "run", lambda command: seen.update(command=command, **os.environ))
        for name in [
            name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_")) or name.endswith("_BUNDLE")
        ]:
            monkeypatch.delenv(name)
        (tmp_path / "pip.conf").write_text(conf)
        # Not the files of this machine.
        monkeypatch.setattr(installer, "files", lambda: [tmp_path / "pip.conf"])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        before = dict(os.environ)
        installer.main(program, "install")
        os.environ.clear()
        os.environ.update(before)
        return seen

    return call


CONF = """[global]
index-url = https://mirror.example/simple
timeout = 7.5
user = true
[install]
extra-index-url =
    https://one.example/simple
    https://two.example/simple
trusted-host = mirror.example one.example:8080
target = /theirs
"""


def test_uv_is_told_in_its_own_words(given, tmp_path):
    links = f"{tmp_path} /nowhere/wheels https://links.example"
    seen = given("/bin/uv", CONF, PIP_FIND_LINKS=links, PIP_PROXY="http://proxy:1", PIP_RETRIES="2", PIP_USER="1")
    assert seen["command"] == ["/bin/uv", "install"]
    assert seen["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert seen["UV_INDEX"] == "https://one.example/simple https://two.example/simple"
    assert seen["UV_INSECURE_HOST"] == "mirror.example one.example:8080"
    assert seen["UV_FIND_LINKS"] == f"{tmp_path},https://links.example"
    assert (seen["UV_HTTP_TIMEOUT"], seen["UV_HTTP_RETRIES"]) == ("7", "2")
    assert seen["HTTPS_PROXY"] == seen["https_proxy"] == "http://proxy:1"
    assert not [name for name in seen if name.startswith("PIP_")]


def test_what_is_set_for_uv_wins_and_only_the_way_to_the_index_is_left(given):
    seen = given("/bin/uv", CONF, UV_DEFAULT_INDEX="https://uv.example", UV_CONSTRAINT="x", UV_PYTHON="/y")
    assert seen["UV_DEFAULT_INDEX"] == "https://uv.example"
    assert "UV_CONSTRAINT" not in seen
    assert "UV_PYTHON" not in seen


def test_an_index_that_is_switched_off_is_for_uv_too(given):
    assert given("/bin/uv", PIP_NO_INDEX="1")["command"] == ["/bin/uv", "install", "--no-index"]


def test_certificates_are_a_file_or_a_folder(given, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("ours")
    assert given("/bin/uv", f"[global]\ncert = {file}\n", AWS_CA_BUNDLE="/other")["SSL_CERT_FILE"] == str(file)
    assert given("/bin/uv", REQUESTS_CA_BUNDLE=str(tmp_path))["SSL_CERT_DIR"] == str(tmp_path)
    together = Path(given("/bin/uv", AWS_CA_BUNDLE=str(file))["SSL_CERT_FILE"])
    assert together.read_text().endswith("ours\n")
    together.unlink()


def test_pip_gets_the_way_and_reads_no_file(given):
    seen = given("pip", CONF, PIP_USER="1", PIP_TARGET="/theirs")
    assert seen["command"][1:] == ["-I", "-m", "pip", "install"]
    assert (seen["PIP_CONFIG_FILE"], seen["PIP_INDEX_URL"]) == (os.devnull, "https://mirror.example/simple")
    assert "PIP_USER" not in seen
    assert "PIP_TARGET" not in seen


def test_settings_that_cannot_be_read_are_told_on_one_line(given):
    with pytest.raises(SystemExit, match="pip's settings cannot be read: .*pip.conf"):
        given("/bin/uv", "no section\n")


def test_the_authorities_of_openssl_count_for_both(given, tmp_path):
    file = str(tmp_path / "own.pem")
    assert given("pip", SSL_CERT_FILE=file)["PIP_CERT"] == file
    assert given("/bin/uv", SSL_CERT_FILE=file)["SSL_CERT_FILE"] == file
    assert given("pip", SSL_CERT_FILE=file, PIP_CERT="/other")["PIP_CERT"] == "/other"
