"""The driver's JVM as a child process, without bin/spark-submit, whose launcher is one more JVM to wait for."""

import os
import struct
import subprocess
import time

from soflow_launch import life
from soflow_launch.trouble import EngineError

START_WITHIN_SECONDS = 90

# Source: org.apache.spark.launcher.JavaModuleOptions of Spark 3.5, which bin/spark-submit adds by itself.
OPEN = """java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util java.util.concurrent
java.util.concurrent.atomic jdk.internal.ref sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar""".split()

# Spark prints a failed task's Java stack up to three times before Python prints it once more, with the cause.
LOGGING = """status = off
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.console.type = Console
appender.console.name = stderr
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n%ex
# Without a level of its own, Spark takes the gateway for a shell, says so and goes back to WARN.
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
logger.executor.name = org.apache.spark.executor
logger.executor.level = off
logger.scheduler.name = org.apache.spark.scheduler
logger.scheduler.level = off
logger.sql.name = org.apache.spark.sql.execution.datasources
logger.sql.level = off
"""


def spawn(home, jars, archive, settings, heap):
    """Starts the JVM, which writes its port and secret to a file. Its stdin is a pipe: it ends when that closes."""
    directory = life.scratch("jvm")
    write_private(f"{directory}/spark.conf", "".join(property_line(*pair) for pair in settings.items()))
    write_private(f"{directory}/log4j2.properties", LOGGING)
    command = [f"{home}/bin/java", *options(directory, heap), *archive.options()]
    command += ["-cp", os.pathsep.join(jars), "org.apache.spark.deploy.SparkSubmit"]
    # In a file and not as --conf: a command line is everybody's to read, and a setting may be a secret.
    command += ["--properties-file", f"{directory}/spark.conf", "pyspark-shell"]
    environment = {**os.environ, "_PYSPARK_DRIVER_CONN_INFO_PATH": connection_file()}
    try:
        # A session of its own, so that Ctrl-C reaches only us and all of it can be killed at once.
        with open(output_file(), "wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, env=environment, start_new_session=True
            )
    except OSError as error:
        raise EngineError("java", f"cannot run {home}/bin/java: {error}") from error
    life.adopt(process)
    return process


def options(directory, heap):
    """Returns the JVM's flags. C1 and SerialGC halve the CPU time of a short job; at 200 MB of input they still won."""
    return [
        f"-Xmx{heap}",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Djava.net.preferIPv4Stack=true",
        f"-Djava.io.tmpdir={life.scratch('tmp')}",
        f"-Dderby.system.home={directory}",
        f"-Dlog4j2.configurationFile={directory}/log4j2.properties",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPEN),
        "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    ]


def property_line(key, value):
    """Returns one line of a Java properties file, in which a backslash and an end of line need escaping."""
    value = value.replace("\\", "\\\\").replace("\n", "\\n")
    return f"{key} {value}\n"


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def connection_file():
    return life.scratch("jvm") + "/connection"


def output_file():
    """The JVM's stdout: of use only when it does not start. Ours is for the script and for soflow's lines."""
    return life.scratch("jvm") + "/stdout"


def handshake(process):
    """Returns (port, secret). The JVM renames the file into place: it is there whole or not at all."""
    deadline = time.monotonic() + START_WITHIN_SECONDS
    while not os.path.exists(connection_file()):
        if process.poll() is not None:
            with open(output_file(), errors="replace") as output:
                said = output.read()[:1000]
            raise EngineError("start", f"Spark's JVM ended with code {process.returncode} while starting: {said}")
        if time.monotonic() > deadline:
            raise EngineError("start", f"Spark's JVM was not ready after {START_WITHIN_SECONDS} s")
        time.sleep(0.02)
    with open(connection_file(), "rb") as file:
        data = file.read()
    os.remove(connection_file())
    port, length = struct.unpack(">ii", data[:8])
    return port, data[8 : 8 + length].decode()
