"""Turns a data frame into an Arrow file that means the same whichever engine made it."""

import os


def table(frame):
    """Returns all rows as an Arrow table; timestamps are microseconds, in UTC where they have a zone."""
    import pyarrow as pa

    if hasattr(frame, "toArrow"):
        rows = frame.toArrow()
    else:
        # PySpark 3.5 has no public way to Arrow; toPandas is built on this one.
        from pyspark.sql.pandas.types import to_arrow_schema

        rows = pa.Table.from_batches(frame._collect_as_arrow(), to_arrow_schema(frame.schema))
    return rows.cast(pa.schema([field.with_type(plain(field.type)) for field in rows.schema]))


def plain(kind):
    """Returns the type in the one spelling that both engines are held to: Sail also uses views and large offsets."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return kind


def write(rows, path):
    """Writes an Arrow IPC file, whole or not at all."""
    import pyarrow as pa

    with pa.OSFile(f"{path}.part", "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)
    os.replace(f"{path}.part", path)
