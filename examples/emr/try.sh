#!/usr/bin/env bash
# The daily job on Amazon EMR, without an account: against the twin, an AWS on this machine whose clusters and steps move.
# Needs cargo and python3 (3.10 or newer). Everything it makes is in a temporary folder, and gone when it ends.
#
#   examples/emr/try.sh                              made-up pages
#   SOFLOW_REAL_DATA=<folder> examples/emr/try.sh    the pages in <folder>/stackoverflow-pages
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
port=${PORT:-5600}
date=2026-10-31 # the date of the made-up pages
data=
if [ -n "${SOFLOW_REAL_DATA:-}" ]; then data=$(cd "$SOFLOW_REAL_DATA/stackoverflow-pages" && pwd) && date=2026-11-22; fi
# Nothing may reach the AWS that this shell is set up for.
for name in $(compgen -e AWS_ || true); do unset "$name"; done
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export SOFLOW_ENGINE_DIR=${SOFLOW_ENGINE_DIR:-$root/.soflow/engine}

tell() { printf '\n== %s\n' "$1"; }
# Shows a command, then runs it in the project.
soflow() { printf '\n$ soflow %s\n' "$*"; "$root/target/debug/soflow" --events plain -C "$home" "$@"; }

tell "building soflow and the twin (some minutes the first time)"
cargo build --quiet --bins --example twin
target/debug/soflow --events plain engine install

home=$(mktemp -d)
twin=
finish() {
    [ -z "$twin" ] || kill "$twin" 2>/dev/null || true
    [ -z "$twin" ] || wait "$twin" 2>/dev/null || true
    rm -rf "$home"
}
trap finish EXIT

tell "starting the twin on port $port: EMR moves, steps run on the embedded engine, all else is moto"
target/debug/examples/twin --exec --port "$port" >"$home/twin.out" 2>"$home/twin.log" &
twin=$!
until grep -q '^# buckets' "$home/twin.out"; do
    kill -0 "$twin" 2>/dev/null || { cat "$home/twin.log"; exit 1; }
    sleep 0.2
done
while read -r word assignment; do
    if [ "$word" = export ]; then
        printf 'export %s\n' "$assignment"
        export "${assignment?}"
    fi
done <"$home/twin.out"
export AWS_DEFAULT_REGION=$AWS_REGION # botocore knows this name only

tell "a project: the jobs and the code of this repository, and a target"
mkdir "$home/config"
cat >"$home/config/soflow.yaml" <<YAML
default-target: twin
jobs: $root/jobs
code: $root/pyspark
targets:
  twin:
    kind: emr
    lake: s3://soflow-lake/lake
    database: stackoverflow
    # The engine that stands in for Spark has its packages already.
    dependencies: none
    # The twin has no quotas, and its steps take a second.
    api-quota: 1000
    poll-fastest: 100ms
    poll-slowest: 1s
YAML
cat "$home/config/soflow.yaml"

soflow cluster up --target twin
if [ -n "$data" ]; then
    soflow ingest pages "$data" --date "$date" --target twin
else
    soflow ingest sample --target twin
fi
soflow submit daily --date "$date" --target twin
tell "the same again: nothing is done twice"
soflow submit daily --date "$date" --target twin
soflow cluster list --target twin

tell "what AWS says, asked with botocore instead of soflow"
for python in "$SOFLOW_ENGINE_DIR"/moto-*/bin/python; do :; done
"$python" examples/emr/witness.py s3://soflow-lake/lake stackoverflow "daily.$date.1"

tell "ending the cluster"
soflow cluster down --target twin
