"""A session for the tests, on the engine that they run with: `soflow engine python -- -m pytest pyspark/tests`."""

import importlib.util

import pytest
from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark():
    """Sail inside this process where it is installed, else Spark."""
    if importlib.util.find_spec("pysail") is None:
        session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    else:
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer()
        server.start(background=True)
        host, port = server.listening_address
        session = SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate()
    yield session
    session.stop()
