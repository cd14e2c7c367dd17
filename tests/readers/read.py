"""Prints what readers that know nothing of soflow count in a table, as JSON: `read.py CURATED TABLE [PATHS]`.

CURATED is a folder, or a place in an S3 whose endpoint and keys are in the environment; PATHS a file with the paths of
`soflow tables paths`. With DATABASE in the environment Glue is asked, too.
"""

import json
import os
import sys

import duckdb
import polars
import pyarrow.dataset
from deltalake import DeltaTable

curated, table = sys.argv[1:3]
place, in_s3 = f"{curated}/{table}", curated.startswith("s3://")
options = {"AWS_ALLOW_HTTP": "true", "AWS_CONDITIONAL_PUT": "etag"} if in_s3 else {}
delta = DeltaTable(place, storage_options=options)

counts = {
    "deltalake": delta.to_pyarrow_table().num_rows,
    "deltalake, then pandas": len(delta.to_pandas()),
    "polars": polars.scan_delta(place, storage_options=options).select(polars.len()).collect().item(),
    "first version": DeltaTable(place, version=0, storage_options=options).to_pyarrow_table().num_rows,
}
schema = {field.name: str(field.type) for field in delta.to_pyarrow_table().schema}

if in_s3:
    import awswrangler

    os.environ["AWS_DEFAULT_REGION"] = os.environ["AWS_REGION"]

    counts["awswrangler, Delta"] = len(
        awswrangler.s3.read_deltalake(place, s3_additional_kwargs=options | {"PROFILE_NAME": ""})
    )
    glue = {"database": os.environ["DATABASE"], "table": table}
    by_partition = awswrangler.s3.read_parquet_table(**glue, partition_filter=lambda partition: True)
    counts["awswrangler, Glue's partitions"] = len(by_partition)
else:
    connection = duckdb.connect()
    with open(f"{curated}/_catalog/tables.sql", encoding="utf-8") as file:
        connection.execute(file.read())
    counts["duckdb"] = connection.execute(f'select count(*) from "{table}"').fetchone()[0]
    schema["duckdb"] = [f"{row[0]} {row[1]}" for row in connection.execute(f'describe "{table}"').fetchall()]
    with open(sys.argv[3], encoding="utf-8") as file:
        paths = file.read().split("\n")[:-1]
    counts["pyarrow, paths"] = pyarrow.dataset.dataset(paths).count_rows()
    counts["polars, paths"] = polars.scan_parquet(paths).select(polars.len()).collect().item()

print(json.dumps({"counts": counts, "schema": schema}))
