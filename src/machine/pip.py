"""Runs pip with the way to the index that the person has set, and with nothing else that they have set for installs of
their own. Ends it when standard input closes: soflow is gone then, however that happened.
"""

import atexit
import configparser
import os
import runpy
import ssl
import sys
import tempfile
import threading

# Options that say where packages come from and how they are reached. Source: `pip install --help`, "General Options"
# and "Package Index Options".
WAY = """index-url extra-index-url find-links no-index trusted-host proxy cert client-cert timeout default-timeout retries
resume-retries cache-dir no-cache-dir keyring-provider""".split()
# Of pip's features those that decide which certificates are trusted.
FEATURES = {"use-feature": "truststore", "use-deprecated": "legacy-certs"}


def watch():
    os.read(0, 1)
    os._exit(1)


def files():
    """Returns pip's files, each before those that win over it. Source: pip's documentation, "Configuration Files".

    `pip config list` cannot be asked: what the files say, `user = true` for one, changes what it reads and prints.
    """
    named = os.environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return []
    system = [*os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"), "/etc", "/Library/Application Support"]
    found = [f"{folder}/pip/pip.conf" for folder in system] + ["/etc/pip.conf"]
    own = ["~/.pip", (os.environ.get("XDG_CONFIG_HOME") or "~/.config") + "/pip", "~/Library/Application Support/pip"]
    return [*found, *(os.path.expanduser(folder) + "/pip.conf" for folder in own), named]


def settings():
    """Returns option -> value, that of a variable before that of a file. Raises what configparser raises."""
    found = {"global": {}, "install": {}}
    for file in files():
        parser = configparser.RawConfigParser()
        parser.read(file, encoding="utf-8")
        for section in found:
            for name, value in parser.items(section) if parser.has_section(section) else []:
                found[section][plain(name)] = value
    variables = [name for name in os.environ if name.startswith("PIP_")]
    given = {plain(name[4:]): os.environ.pop(name) for name in variables}
    # An empty variable is one that is not set.
    given = {name: value for name, value in given.items() if value}
    return {**found["global"], **found["install"], **given}


def plain(name):
    return name.lower().replace("_", "-")


def kept(name, value):
    """Returns what is left of an option's value, or None."""
    if name in WAY:
        return value
    wanted = FEATURES.get(name)
    return wanted if wanted and wanted in value.split() else None


def trusted(named):
    """Returns a file with the authorities that pip brings, those of the machine, and those in the file `named`."""
    from pip._vendor import certifi

    usual = [certifi.where(), ssl.get_default_verify_paths().cafile]
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as together:
        for path in [*filter(None, usual), named]:
            with open(path, "rb") as file:
                together.write(file.read() + b"\n")
    atexit.register(os.unlink, together.name)
    return together.name


threading.Thread(target=watch, daemon=True).start()
try:
    known = settings()
except (configparser.Error, UnicodeDecodeError) as error:
    # On one line, since that is what people are shown.
    sys.exit(f"ERROR: pip's settings cannot be read: {' '.join(str(error).split())}")
for name, value in known.items():
    if kept(name, value) is not None:
        os.environ["PIP_" + name.upper().replace("-", "_")] = kept(name, value)
# The person's way out is described once, for all of soflow: docs/network.md.
bundle = os.environ.get("AWS_CA_BUNDLE", "").strip()
if bundle and not {"PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}.intersection(os.environ):
    try:
        os.environ["PIP_CERT"] = trusted(bundle)
    except OSError as error:
        sys.exit(f"ERROR: the certificates that AWS_CA_BUNDLE names cannot be read: {error}")
# pip reads no file at all then.
os.environ["PIP_CONFIG_FILE"] = os.devnull
runpy.run_module("pip", run_name="__main__", alter_sys=True)
