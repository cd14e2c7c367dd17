#!/bin/sh
# Regenerates the seven locks and downloads.json from the .in files. Needs uv and python3.11 on the PATH.
set -eu
cd "$(dirname "$0")"
for name in installer build sail spark jre; do
  uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --no-emit-index-url \
    --no-annotate --no-header --upgrade "$name.in" --output-file "$name.lock"
done
# What steps import on a cluster: the same versions that the engines have here.
uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --no-emit-index-url \
  --no-annotate --no-header --upgrade --constraints sail.lock ../pyspark/requirements.in --output-file ../pyspark/requirements.lock
# What the sentiment model is trained with; another version may learn other weights from the same texts.
uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
  --no-annotate --no-header --upgrade ../training/requirements.in --output-file ../training/requirements.lock
# Both engines must hand the same pandas and Arrow to a step's Python functions, which must score alike.
for package in pandas pyarrow numpy vadersentiment py3langid; do
  [ "$(grep "^$package==" sail.lock)" = "$(grep "^$package==" spark.lock)" ] || { echo "$package differs between the locks" >&2; exit 1; }
done
# JupyterLab sees the engine's packages, so what both engines have is left out.
uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --no-emit-index-url \
  --no-annotate --no-header --upgrade --constraints sail.lock notebook.in --output-file notebook.lock
grep -Fx "$(grep == sail.lock)" spark.lock |
  awk 'NR == FNR { there[$0]; next } /^[a-z]/ { wanted = !($0 in there) } wanted' - notebook.lock >notebook.new
mv notebook.new notebook.lock
python3.11 downloads.py >downloads.json
