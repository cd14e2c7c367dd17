"""PySpark 3.5: the driver's JVM started directly, with what a short job on one machine needs."""

import os
import sys
from pathlib import Path

from soflow_launch import archive, java, jvm, life
from soflow_launch.trouble import EngineError, loading


def load():
    """Imports what takes long. Starts no thread, so that a process may fork after it."""
    with loading("Spark"):
        import pandas  # noqa: F401
        import pyspark.sql  # noqa: F401


def start(wanted):
    """Starts the JVM and hands its port and secret to pyspark; the script makes its own classic SparkSession."""
    home = java.find(wanted.jre)
    with loading("Spark"):
        import pyspark

        root = Path(pyspark.__file__).parent
        # Sorted and spelled out: an AppCDS archive is only accepted with the exact class path it was made with.
        jars = sorted(str(jar) for jar in (root / "jars").glob("*.jar"))
        if not any("/spark-core_" in jar for jar in jars):
            raise EngineError("damaged", f"Spark's jars are missing in {root}")
    environment(root)
    stored = archive.Archive(home, jars, wanted.archive)
    process = jvm.spawn(home, jars, stored, settings(wanted.conf), heap(wanted.conf, wanted.memory))
    # While the JVM boots: both take about a second.
    load()
    port, secret = jvm.handshake(process)
    os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
    os.environ["PYSPARK_GATEWAY_SECRET"] = secret
    return Running(stored)


class Running:
    def __init__(self, stored):
        self.stored = stored

    def frames(self):
        from pyspark.sql.dataframe import DataFrame

        return DataFrame

    def stop(self, succeeded):
        """Stops the session if the script has not; the JVM is killed with everything else."""
        from pyspark import SparkContext

        if succeeded and self.stored.wanted and SparkContext._gateway is not None:
            self.stored.make(SparkContext._gateway)
        try:
            if SparkContext._active_spark_context is not None:
                SparkContext._active_spark_context.stop()
        except Exception:
            # Everything is written by now; a JVM that is already gone is no failure of the step.
            pass


def environment(root):
    """Sets what pyspark and its workers read from the environment."""
    # Without it the workers take `python3` from PATH, which lacks pandas.
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    os.environ["SPARK_HOME"] = str(root)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["SPARK_LOCAL_DIRS"] = life.scratch("spark")
    # An installed Spark's or Hadoop's own settings would reach in through these.
    for name in ("SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS"):
        os.environ.pop(name, None)


def settings(conf):
    """Returns Spark's settings; those of the caller win."""
    return {
        "spark.master": "local[*]",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.local.dir": life.scratch("spark"),
        "spark.sql.warehouse.dir": life.scratch("warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        # As Sail writes them. A cluster keeps Spark's INT96, the only form that Hive 3 reads (HIVE-21215).
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # 200 is meant for a cluster and doubles the CPU time here. Adaptive execution stays on as on EMR.
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.sources.partitionOverwriteMode": "dynamic",
        "spark.ui.showConsoleProgress": "false",
        **conf,
    }


def heap(conf, share):
    """Returns the heap as a JVM spells it: `spark.driver.memory` if it is set, else half of the share of memory, or
    without one 40 % of all memory, 4 GiB at most. Spark starts with no less than 450 MiB."""
    if "spark.driver.memory" in conf:
        return conf["spark.driver.memory"]
    if share:
        return f"{max(512, share // 2 // 2**20)}m"
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        # A container's limit, which the machine's size does not show.
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        pass
    return f"{max(512, min(4096, total * 2 // 5 // 2**20))}m"
