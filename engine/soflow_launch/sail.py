"""The embedded engine: pysail's Spark Connect server inside this process."""

import importlib
import os

from soflow_launch.trouble import EngineError, loading

# What a step may rely on with either engine. The task has no other clock than UTC. A cast that fails and a division by
# zero are null in Spark 3.5, here and on EMR; Sail takes them for errors, as Spark 4 does.
CONF = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "false"}

# pandas, as the first Python function would be late to find it missing.
PACKAGES = ["pandas", "pysail.spark", "pyspark.sql.connect.functions", "pyspark.sql.connect.session"]


class Running:
    def __init__(self, server):
        self.server = server

    def frames(self):
        from pyspark.sql.connect.dataframe import DataFrame

        return DataFrame

    def stop(self, succeeded):
        """Nothing to do: the server is a thread of this process, which ends without waiting for it."""


def load():
    """Imports what takes long. Starts no thread of Python or of the server, so that a process may fork after it."""
    with loading("the embedded engine"):
        for name in PACKAGES:
            importlib.import_module(name)


def listen():
    """Returns the server, which listens on a free port of loopback."""
    # It logs every query at INFO otherwise, between the lines that the script prints.
    os.environ.setdefault("RUST_LOG", "off")
    with loading("the embedded engine"):
        from pysail.spark import SparkConnectServer
    try:
        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
    except Exception as error:
        raise EngineError("start", f"the embedded engine did not start: {error}") from error
    return server


def start(wanted):
    """Starts the server on a free port and a first session, which `SparkSession.builder.getOrCreate()` returns."""
    load()
    from pyspark.sql import SparkSession

    server = listen()
    try:
        os.environ["SPARK_REMOTE"] = "sc://{}:{}".format(*server.listening_address)
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
        builder = SparkSession.builder
        for key, value in {**CONF, **known(wanted.conf)}.items():
            builder = builder.config(key, value)
        # Made here and not left to the script, so that an engine that does not answer is not blamed on the job.
        builder.getOrCreate()
    except Exception as error:
        raise EngineError("start", f"the embedded engine did not start: {error}") from error
    return Running(server)


def known(conf):
    """Returns the settings that mean something without a JVM; heap sizes and executor counts do not."""
    return {key: value for key, value in conf.items() if key.startswith("spark.sql.")}
