"""Runs pip or uv with the way to the index that the person has set, and with nothing else that they have set for
installs of their own. Kills it when standard input closes: soflow is gone then, however that happened.

usage: installer.py PROGRAM ARGUMENT...    where PROGRAM is `pip` or the path of uv
"""

import configparser
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading

# pip's options that say where packages come from and how they are reached, and uv's variable for each, if it has one.
# Sources: `pip install --help`, "General Options" and "Package Index Options"; uv's documentation, "Environment
# variables".
WAY = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": None,
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": None,
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "resume-retries": None,
    "cache-dir": None,
    "no-cache-dir": None,
    "keyring-provider": "UV_KEYRING_PROVIDER",
}
# Of pip's features those that decide which certificates are trusted.
FEATURES = {"use-feature": "truststore", "use-deprecated": "legacy-certs"}
# The same of uv's own variables.
OF_UV = """UV_DEFAULT_INDEX UV_INDEX UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_INSECURE_HOST UV_HTTP_ UV_KEYRING_PROVIDER
UV_OFFLINE"""
# Where systems keep the authorities they trust: OpenSSL's place, macOS and Alpine, Debian, Red Hat.
AUTHORITIES = [
    ssl.get_default_verify_paths().cafile,
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
]


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


def trusted(bundle):
    """Returns a file with the authorities of this machine and those in the file `bundle`."""
    usual = next((path for path in AUTHORITIES if path and os.path.exists(path)), None)
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as together:
        for path in filter(None, [usual, bundle]):
            with open(path, "rb") as file:
                together.write(file.read() + b"\n")
    # In the folder of unfinished work, and gone with it.
    return together.name


def to_pip(way):
    """Gives pip its settings. It reads no file at all then."""
    os.environ.update({"PIP_" + name.upper().replace("-", "_"): value for name, value in way.items()})
    os.environ["PIP_CONFIG_FILE"] = os.devnull
    return [sys.executable, "-I", "-m", "pip"], []


def to_uv(program, way):
    """Gives uv the same settings in its own words; what is set for uv itself wins."""
    for name in [name for name in os.environ if name.startswith("UV_") and not name.startswith(tuple(OF_UV.split()))]:
        del os.environ[name]
    # Of no use to Python, and different from one machine to the next.
    os.environ["UV_NO_INSTALLER_METADATA"] = "1"
    # Where the system has no authorities, uv has its own.
    if sys.platform == "darwin" or any(path and os.path.exists(path) for path in AUTHORITIES):
        os.environ["UV_SYSTEM_CERTS"] = "1"
    links = way.get("find-links", "").split()
    words = {
        **{name: " ".join(value.split()) for name, value in way.items()},
        # pip passes by a folder that is not there.
        "find-links": ",".join(link for link in links if "://" in link or os.path.exists(link)),
        "keyring-provider": "subprocess" if way.get("keyring-provider") == "subprocess" else "",
        **{name: way[name].split(".")[0] for name in ("default-timeout", "timeout") if name in way},
    }
    for name, variable in WAY.items():
        # pip's own words win over the usual ones for certificates and proxies, as they do in pip.
        if variable and words.get(name) and (variable not in os.environ or not variable.startswith("UV_")):
            os.environ[variable] = words[name]
    if os.path.isdir(way.get("cert", "")):
        os.environ["SSL_CERT_DIR"] = os.environ.pop("SSL_CERT_FILE")
    if "proxy" in way:
        os.environ.update(dict.fromkeys(["https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"], way["proxy"]))
    no_index = way.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t")
    return [program], ["--no-index"] if no_index else []


def run(command):
    """Runs a command until it ends or standard input closes, and returns its exit code."""
    # Ctrl-C and the like reach soflow too; by its end ours is decided. A handler, unlike SIG_IGN, is not inherited.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    # A group of its own: what uv builds is built by a process of its own. pip says why it reached no index on standard
    # output.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True)

    def watch():
        os.read(0, 1)
        os.killpg(child.pid, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


def main(program, *arguments):
    try:
        way = {name: kept(name, value) for name, value in settings().items() if kept(name, value) is not None}
    except (configparser.Error, UnicodeDecodeError) as error:
        # On one line, since that is what people are shown.
        sys.exit(f"ERROR: pip's settings cannot be read: {' '.join(str(error).split())}")
    # What pip reads besides its settings, and then the person's way out, described once for all of soflow:
    # docs/network.md.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            way.setdefault("cert", os.environ[name])
    bundle = os.environ.get("AWS_CA_BUNDLE", "").strip()
    if bundle and "cert" not in way:
        try:
            way["cert"] = trusted(bundle)
        except OSError as error:
            sys.exit(f"ERROR: the certificates that AWS_CA_BUNDLE names cannot be read: {error}")
    elif os.environ.get("SSL_CERT_FILE"):
        # uv reads it by itself, pip does not.
        way.setdefault("cert", os.environ["SSL_CERT_FILE"])
    command, options = to_pip(way) if program == "pip" else to_uv(program, way)
    return run([*command, *arguments, *options])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
