"""Makes up some orders. Put your own source here."""

from lake import start, write
from pyspark.sql import functions as F

spark, task = start()

order = F.col("id")
day = F.date_add(F.lit("2026-01-01").cast("date"), (order % 7).cast("int"))
orders = spark.range(1000).select(order.alias("order_id"), day.alias("day"), (order % 97 + 3).alias("amount"))

write(orders, task, "orders")
