#!/usr/bin/env bash
# A day in the life of a stack, without an account: deployed, started by its schedules, failed, mended, deleted. It ends with 0
# when all of that was seen. Needs Linux, cargo and python3 (3.10 or newer). Everything it makes is in a temporary folder, and
# gone when it ends.
#
#   examples/unattended/try.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
port=${PORT:-5610}
target=${CARGO_TARGET_DIR:-target}
key=the-key-of-the-api
# Nothing may reach the AWS that this shell is set up for.
for name in $(compgen -e AWS_ || true) $(compgen -e SOFLOW_ || true); do
    case $name in SOFLOW_ENGINE_DIR) ;; *) unset "$name" ;; esac
done
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
export SOFLOW_ENGINE_DIR=${SOFLOW_ENGINE_DIR:-$root/.soflow/engine}

tell() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$@"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
# Shows a command, then runs it in the project.
soflow() { printf '\n$ soflow %s\n' "$*"; "$program" --events plain -C "$home" "$@"; }
aws() { "$python" "$root/examples/unattended/aws.py" "$@"; }
# Lets the time come that schedules wait for.
clock() { tell "it is $1, says the clock of the schedules"; printf '%s\n' "$1" >&"$clock"; }

tell "building soflow and what stands in for AWS (some minutes the first time)"
cargo build --quiet --bins --example twin --example stackexchange
program=$target/debug/soflow
"$program" --events plain engine install

home=$(mktemp -d)
started=()
finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; done
    rm -rf "$home"
}
trap finish EXIT

# What functions read is filed under yesterday, by the clock of this machine.
while [ "$(date -u +%H%M)" -ge 2345 ]; do note "midnight, UTC, is near: waiting for it to pass"; sleep 60; done
today=$(date -u +%F)
before() { date -u -d "$today - $1 days" +%F; }

tell "what stands in for what"
note "EMR                      the twin of the tests: clusters that move, steps that really run, on the embedded engine" \
    "all else of AWS          ministack: CloudFormation, Scheduler, Step Functions, Lambda, EventBridge, S3, Glue, SNS, …" \
    "                         It enforces no permissions, and makes no trail, no security configuration, no composite alarm." \
    "Stack Exchange           the double of the tests, with questions, answers and comments that are made up" \
    "people                   a queue that is subscribed to the topic, in place of a mail address" \
    "time                     schedules go by a clock that this script moves; a second that a state machine waits is short" \
    "the functions            are not stood in for: this program, as it was just built, from the archive that deploy uploads"

mkfifo "$home/clock"
exec {clock}<>"$home/clock"
"$target/debug/examples/twin" --exec --deployable --security-configuration soflow-prod --port "$port" \
    <"$home/clock" >"$home/twin.out" 2>"$home/twin.log" &
started+=($!)
"$target/debug/examples/stackexchange" --port $((port + 1)) --key "$key" --opened "$(before 4)T00:00:00Z" --items 700 --arrive 3 \
    </dev/null >"$home/api.out" 2>"$home/api.log" &
started+=($!)
until grep -q '^# buckets' "$home/twin.out" && [ -s "$home/api.out" ]; do
    kill -0 "${started[@]}" 2>/dev/null || { cat "$home/twin.log" "$home/api.log"; exit 1; }
    sleep 0.2
done
while read -r word assignment; do
    if [ "$word" = export ]; then export "${assignment?}"; fi
done <"$home/twin.out"
export AWS_DEFAULT_REGION=$AWS_REGION # botocore knows this name only
for python in "$SOFLOW_ENGINE_DIR"/ministack-*/bin/python; do :; done

tell "a project: the jobs and the code of this repository, and a target with a stack"
mkdir "$home/config" && cp -r jobs pyspark "$home"
case "$(uname -m)" in x86_64) architecture=x86_64 ;; *) architecture=arm64 ;; esac
cat >"$home/config/soflow.yaml" <<YAML
default-target: prod
ingest: { api: "$(cat "$home/api.out")" }
clusters:
  nightly: { service-role: soflow-prod-emr, instance-profile: soflow-prod-nodes, security-configuration: soflow-prod }
targets:
  prod:
    kind: emr
    lake: { raw: s3://acme-raw, curated: s3://acme-curated, artifacts: s3://acme-work/artifacts, logs: s3://acme-work/logs }
    database: stackoverflow
    cluster: nightly
    workgroup: soflow-prod
    # The engine that stands in for Spark has its packages already.
    dependencies: none
    # The twin has no quotas, and its steps take seconds.
    api-quota: 1000
    poll-fastest: 100ms
    poll-slowest: 1s
    stack:
      architecture: $architecture
      schedules: { daily: cron(15 2 * * ? *) }
YAML
cat "$home/config/soflow.yaml"
# Without its debug information it is uploaded and unpacked sooner.
strip -o "$home/program" "$program"

printf '%s\n' "$(before 1)T01:29:00Z" >&"$clock"
soflow deploy --program "$home/program" --yes
output() { "$program" --output json -C "$home" status | "$python" -c "import json, sys; print(json.load(sys.stdin)['stack']['outputs']['$1'])"; }
aws secret "$(output ApiKey)" "$key"
queue=$(aws mailbox "$(output Alerts)")
machine=$(output DailyMachine)

tell "what was written before there was a stack is read from here, once"
SOFLOW_API_KEY=$key soflow ingest api --since "$(before 3)" --until "$(before 1)"

clock "$(before 1)T02:00:00Z"
aws pages acme-raw "$(before 1)"
clock "$(before 1)T02:15:00Z"
aws execution "$machine" 1
soflow runs
