"""Prints downloads.json: the size in bytes of what each lock downloads on Linux x86_64 with Python 3.11.

soflow shows the sum before an installation and moves its bar by these sizes. On other machines they are a few per cent
off. pip's own report has no sizes, so all files are downloaded, 550 MB; needs pip, setuptools and a network.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# These two are published as source only; pip needs setuptools to read their metadata.
SOURCE_ONLY = "pyspark,pyspark-client"


def python():
    """Returns the interpreter of a new environment that has what `build.lock` pins."""
    directory = tempfile.mkdtemp()
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    pip(f"{directory}/bin/python", "install", HERE / "build.lock")
    return f"{directory}/bin/python"


def pip(interpreter, verb, lock, *options):
    common = ["--quiet", "--require-hashes", "--no-deps", "--disable-pip-version-check", "--only-binary", ":all:"]
    subprocess.run([interpreter, "-m", "pip", verb, *common, *options, "-r", lock], check=True)


def sizes(interpreter, name):
    """Returns package -> bytes, names as pip prints them behind `Collecting`."""
    lock = HERE / f"{name}.lock"
    names = re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE)
    with tempfile.TemporaryDirectory() as directory:
        # --no-cache-dir: a wheel that pip built earlier would be counted instead of the source it was built from.
        source = ["--no-binary", SOURCE_ONLY, "--no-build-isolation", "--no-cache-dir", "--dest", directory]
        pip(interpreter, "download", lock, *source)
        found = {package_of(path.name, names): path.stat().st_size for path in Path(directory).iterdir()}
    return dict(sorted(found.items()))


def package_of(file, names):
    """Returns the package a file belongs to: the longest name that it begins with, `_` and `-` being the same."""
    plain = file.lower().replace("_", "-")
    return max((name for name in names if plain.startswith(f"{name}-")), key=len)


if __name__ == "__main__":
    interpreter = python()
    report = {name: sizes(interpreter, name) for name in ("build", "sail", "spark", "jre", "notebook")}
    print(json.dumps(report, indent=2))
