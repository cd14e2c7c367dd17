"""Fixtures: a session on the engine that SOFLOW_TEST_ENGINE names (sail or spark), and a lake in a temporary folder."""

import os
import sys
import time

import pytest
from builders import TestLake

ENGINE = os.environ.get("SOFLOW_TEST_ENGINE", "sail")
SERVERS = []

# Collected timestamps come in the driver's time zone.
os.environ["TZ"] = "UTC"
time.tzset()


def sail_session():
    """A session on an engine inside this process."""
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    # The server stops when nothing refers to it any more.
    SERVERS.append(SparkConnectServer())
    SERVERS[0].start(background=True)
    host, port = SERVERS[0].listening_address
    return SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate()


def spark_session():
    """A session in a JVM of its own, small."""
    # Workers would take `python3` from PATH otherwise.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "1").config("spark.driver.host", "127.0.0.1")
    options = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    return builder.config("spark.driver.extraJavaOptions", options).getOrCreate()


@pytest.fixture(scope="session")
def spark():
    """The session, with the settings every step runs under."""
    from soflow_jobs.entry import configure

    session = configure({"sail": sail_session, "spark": spark_session}[ENGINE]())
    yield session
    session.stop()


@pytest.fixture
def task_lake(tmp_path):
    """An empty lake that writes raw pages, builds tasks and reads tables back."""
    return TestLake(tmp_path)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real pages and labelled texts; the test is skipped where there is none."""
    folder = os.environ.get("SOFLOW_REAL_DATA")
    if not folder or not os.path.isdir(folder):
        pytest.skip("SOFLOW_REAL_DATA does not name a folder of real pages")
    return folder
