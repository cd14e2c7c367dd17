"""What cells find: `spark`, `tables`, `parameters`, `save` and `%%sql`, as in a step that runs the notebook.

Source of what a step has: `run_source.py`.
"""

import difflib
import logging

from soflow_launch import query

# Most rows of a result that are fetched to be looked at.
SHOWN = 1000
# Longest line about a failure, in characters: some hold the whole plan.
LONGEST = 500


class Refused(Exception):
    """Why something cannot be done, told in one line instead of a traceback."""

    def _render_traceback_(self):
        """Returns the lines that IPython shows."""
        return [str(self)]


class Tables(dict):
    """The published tables, by name; shows what there is."""

    def __init__(self):
        super().__init__()
        self.versions = {}

    def __missing__(self, name):
        close = difflib.get_close_matches(name, self, 1)
        raise Refused(f"there is no table `{name}`" + "".join(f"; did you mean `{near}`?" for near in close))

    def __repr__(self):
        if not self:
            return "nothing is published yet; %tables looks again"
        width = max(map(len, self))
        lines = (f"{name:{width}}  {about['rows']:>12,} rows  {about['version']}" for name, about in self.about())
        return "\n".join(lines)

    def about(self):
        return sorted(self.versions.items())


def prepare(shell, link):
    """Gives an IPython shell its names and magics."""
    from pyspark.sql import SparkSession

    # What a statement is refused for it would log, too, with the frames of its own code.
    logging.getLogger("pyspark.sql.connect.logging").setLevel(logging.CRITICAL)
    notebook = Notebook(shell, SparkSession.builder.getOrCreate(), link)
    shell.register_magic_function(notebook.sql, "cell", "sql")
    shell.register_magic_function(notebook.reload, "line", "tables")
    names = {"spark": notebook.spark, "tables": notebook.tables, "save": notebook.save, "parameters": {}}
    # Hidden from `%who`, which lists what the person has made.
    shell.push(names, interactive=False)
    notebook.look()


class Notebook:
    def __init__(self, shell, spark, link):
        self.shell = shell
        self.spark = spark
        self.link = link
        self.tables = Tables()
        self.frames = type(spark.range(0))
        # A frame at the end of a cell shows its first rows.
        spark.conf.set("spark.sql.repl.eagerEval.enabled", "true")

    def look(self):
        """Makes a view of each table as published now; returns lines about what is new, and what cannot be read."""
        found = self.link.ask("tables")
        if "error" in found:
            return [found["error"]]
        lines = []
        for name in set(self.tables) - set(found["tables"]):
            del self.tables[name], self.tables.versions[name]
            self.spark.catalog.dropTempView(name)
            lines.append(f"{name} is gone")
        for name, table in found["tables"].items():
            if "error" in table:
                lines.append(table["error"])
                continue
            if self.tables.versions.get(name, {}).get("version") != table["version"]:
                lines.append(f"{name} is of {table['version']}: {table['rows']:,} rows")
            query.rows(self.spark, table["view"]).createOrReplaceTempView(name)
            self.tables[name] = self.spark.table(name)
            self.tables.versions[name] = table
        return lines

    def reload(self, _line):
        """Looks at what is published now: `%tables` after a run."""
        print("\n".join(self.look()) or "nothing new is published")

    def sql(self, line, cell):
        """Runs a statement and shows its rows; `%%sql NAME` names the result, for Python and for SQL."""
        name = line.strip()
        if name and not name.isidentifier():
            raise Refused(f"`{name}` is no name for a result: `%%sql NAME`, and the statement on the next line")
        text = cell.strip().rstrip(";")
        try:
            frame = self.run(text)
            rows = frame.limit(SHOWN + 1).toPandas()
        except Exception as error:
            raise self.refused(error, text) from None
        if name:
            self.shell.push({name: frame})
            frame.createOrReplaceTempView(name)
        if len(rows) > SHOWN:
            print(f"the first {SHOWN:,} rows")
        return rows.head(SHOWN)

    def run(self, text):
        parameters = self.shell.user_ns.get("parameters")
        return self.spark.sql(text, args=parameters) if parameters and ":" in text else self.spark.sql(text)

    def save(self, table, frame):
        """Shows what a step would write. A notebook that is open writes nothing."""
        if not isinstance(frame, self.frames):
            frame = self.spark.createDataFrame(frame)
        columns = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in frame.schema.fields)
        try:
            print(f"{table}: {frame.count():,} rows of {columns}. Nothing is written here: a step of a job does that.")
        except Exception as error:
            raise self.refused(error, "") from None

    def refused(self, error, sql):
        """Returns what the engine says of a statement, in the words that `soflow query` has for it."""
        return Refused(self.link.ask("refused", message=query.trimmed(error), sql=sql)["error"][:LONGEST])
