"""Adds up the orders of each day."""

from lake import read, start, write
from pyspark.sql import functions as F

spark, task = start()

orders = read(spark, task, "orders")
sales = orders.groupBy("day").agg(F.count("*").alias("n_orders"), F.sum("amount").alias("total"))

write(sales, task, "sales")
