"""What a frame without rows leaves: engines write nothing of it, and its columns would be unknown."""

import os
from urllib.parse import unquote

# As in `soflow_jobs.lake`, which does the same for steps that write with it on a cluster.
COLUMNS = "_schema"


def keep(frames):
    """Makes `frame.write.parquet(path)` and `.save(path)` leave the columns of an empty frame on this machine."""
    made = frames.write.fget

    def write(frame):
        writer = made(frame)
        for name in ("parquet", "save"):
            setattr(writer, name, keeping(getattr(writer, name), frame))
        return writer

    frames.write = property(write)


def keeping(write, frame):
    def written(path=None, *arguments, **options):
        write(path, *arguments, **options)
        folder = local(path) if isinstance(path, str) else None
        if folder is not None and not has_data(folder):
            named = os.path.basename(folder) == COLUMNS
            leave(frame.schema, folder if named else os.path.join(folder, COLUMNS))

    return written


def local(location):
    """Returns the path of a location, which may be spelled as Hadoop does (as it is) or as a URI; else None."""
    if not location.startswith("file:"):
        return location if location.startswith("/") else None
    path = "/" + location[len("file:") :].lstrip("/")
    return path if os.path.isdir(path) else unquote(path)


def has_data(folder):
    return any(name.endswith(".parquet") for _, _, names in os.walk(folder) for name in names)


def leave(schema, folder):
    """Writes a file of no rows. soflow takes the partition columns out."""
    import pyarrow.parquet as pq
    from pyspark.sql.pandas.types import to_arrow_schema

    os.makedirs(folder, exist_ok=True)
    pq.write_table(to_arrow_schema(schema).empty_table(), os.path.join(folder, "columns.parquet"))
