"""A small step that touches what real steps touch. Run once after an installation: it proves that the engine works, and
the compiled Python and the JVM's classes that it leaves serve every later step.

    launch.py step --engine spark --archive --script soflow_launch/warm.py
"""

import gzip
import os
import tempfile

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

PAGE = '{"items": [{"id": 1, "at": 1790000000, "tags": ["a", "b"], "text": "good"}, {"id": 2, "at": 1790000001}]}'


def main():
    spark = SparkSession.builder.appName("warm").getOrCreate()
    directory = tempfile.mkdtemp()
    with gzip.open(f"{directory}/page.json.gz", "wt") as page:
        page.write(PAGE)
    pages = spark.read.text(f"{directory}/page.json.gz", wholetext=True)
    shape = "items array<struct<id:bigint, at:bigint, tags:array<string>, text:string>>"
    rows = pages.select(F.explode(F.from_json("value", shape)["items"]).alias("item")).select("item.*")
    latest = F.row_number().over(Window.partitionBy("id").orderBy(F.col("at").desc()))
    rows = rows.withColumn("latest", latest).where("latest = 1").drop("latest")
    rows = rows.withColumn("month", F.date_format(F.timestamp_seconds("at"), "yyyy-MM"))
    rows.write.partitionBy("month").parquet(f"{directory}/rows")
    spark.read.parquet(f"{directory}/rows").createOrReplaceTempView("written")
    read(spark)
    assert os.listdir(f"{directory}/rows")


def read(spark):
    written = spark.table("written")
    length = F.pandas_udf(lambda texts: texts.fillna("").str.len(), "long")
    tags = written.select("id", F.explode_outer("tags").alias("tag"), length("text").alias("length"))
    tags = tags.groupBy("tag").agg(F.countDistinct("id").alias("n"), F.avg("length"), F.max("length"))
    tags.join(written.select(F.explode("tags").alias("tag"), "text"), "tag", "left").orderBy("tag").collect()
    spark.sql("select month, count(*), percentile(id, 0.5), sum(id) from written group by month").toPandas()
    written.unionByName(written.where("id > 1")).dropDuplicates(["id"]).count()


if __name__ == "__main__":
    main()
