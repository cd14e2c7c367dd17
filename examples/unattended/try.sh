#!/usr/bin/env bash
# A day in the life of a stack, without an account: deployed, started by its schedules, failed, mended, deleted. It ends with 0
# when all of that was seen. Needs Linux, cargo and python3 (3.10 or newer). Everything it makes is in a temporary folder, and
# gone when it ends.
#
#   examples/unattended/try.sh
#   TRY_PROGRAM=<file> examples/unattended/try.sh     functions run this, as `just lambda` builds it, and not the debug build
#   TRY_JOB=<file> TRY_TABLES=<number> examples/unattended/try.sh    another job with a step `tag_trends`, and its tables
set -euo pipefail
job=$(realpath "${TRY_JOB:-$(dirname "$0")/../../jobs/daily.yaml}")
tables=${TRY_TABLES:-9}
function=${TRY_PROGRAM:+$(realpath "$TRY_PROGRAM")}
cd "$(dirname "$0")/../.."
root=$PWD
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
key=the-key-of-the-api
export SOFLOW_ENGINE_DIR=${SOFLOW_ENGINE_DIR:-$root/.soflow/engine}
# Nothing may reach the AWS that this shell is set up for.
for name in $(compgen -e AWS_ || true) $(compgen -e SOFLOW_ || true); do
    [ "$name" = SOFLOW_ENGINE_DIR ] || unset "$name"
done
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null

tell() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$@"; }
# Shows a command, then runs it in the project.
soflow() { printf '\n$ soflow %s\n' "$*"; "$program" --events plain -C "$home" "$@"; }
deploy() { soflow deploy --program "$home/program" --yes; }
aws() { "$python" "$root/examples/unattended/aws.py" "$@"; }
output() { "$program" --output json -C "$home" status | "$python" -c "import json, sys; print(json.load(sys.stdin)['stack']['outputs']['$1'])"; }
# Reads a table as another program does: where it is from Glue, its rows with pyarrow, which the engine has.
rows() {
    printf '\n%s: ' "$1"
    PYTHONPATH=$(echo "${python%/bin/python}"/lib/python3*/site-packages) "$engine" "$root/examples/unattended/aws.py" rows stackoverflow "$1"
}
# Shows what a run has left, in EMR, S3 and Glue.
look() { "$python" examples/emr/witness.py s3://acme-curated stackoverflow "$1" "$tables"; }
# Moves the clock that schedules go by, and starts what is due by then.
clock() {
    tell "it is $1, says the clock of the schedules"
    printf '%s\n' "$1" >&"$clock"
    until grep -q "^# it is $1" "$home/twin.out"; do kill -0 "${started[0]}"; sleep 0.1; done
}

tell "building soflow and what stands in for AWS (some minutes the first time)"
# That variable is set where a test runs this, and would have crates built anew.
env -u CARGO_MANIFEST_DIR cargo build --quiet --bins --example twin --example stackexchange
program=$target/debug/soflow
"$program" --events plain engine install

home=$(mktemp -d)
started=()
finish() {
    status=$?
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; done
    [ "$status" = 0 ] || { printf 'error: not all was seen; the last calls:\n'; tail -n 20 "$home"/*.log; } >&2
    rm -rf "$home"
}
trap finish EXIT

# What a function reads is filed under today, by the clock of this machine, and the run of today is due tomorrow.
while [ "$(date -u +%H%M)" -ge 2350 ]; do note "midnight, UTC, is near: waiting for it to pass"; sleep 60; done
tomorrow=$(date -u -d "$(date -u +%F) + 1 day" +%F)
before() { date -u -d "$tomorrow - $1 days" +%F; }

tell "what stands in for what"
note "EMR               the twin of the tests: clusters that move, steps that really run, on the embedded engine" \
    "the rest of AWS   ministack: CloudFormation, Scheduler, Step Functions, Lambda, EventBridge, SNS, SQS, S3, Glue." \
    "                  It enforces no permissions, and makes neither the trail, the security configuration nor all alarms" \
    "Stack Exchange    the double of the tests, with questions, answers and comments that are made up" \
    "people            a queue that is subscribed to the topic, in place of a mail address" \
    "time              schedules go by a clock that this script moves; what a state machine waits for passes sooner" \
    "the functions     nothing stands in for them: they are the program, from the archive that deploy uploads"

mkfifo "$home/clock"
exec {clock}<>"$home/clock"
"$target/debug/examples/twin" --port 0 --exec --deployable --security-configuration soflow-prod \
    <"$home/clock" >"$home/twin.out" 2>"$home/twin.log" &
started+=($!)
"$target/debug/examples/stackexchange" --port 0 --key "$key" --opened "$(before 4)T00:00:00Z" --items 700 --arrive 3 \
    </dev/null >"$home/api.out" 2>"$home/api.log" &
started+=($!)
until grep -qs '^# buckets' "$home/twin.out" && [ -s "$home/api.out" ]; do
    for process in "${started[@]}"; do kill -0 "$process"; done
    sleep 0.2
done
while read -r word assignment; do
    if [ "$word" = export ]; then export "${assignment?}"; fi
done <"$home/twin.out"
export AWS_DEFAULT_REGION=$AWS_REGION # botocore knows this name only
for python in "$SOFLOW_ENGINE_DIR"/ministack-*/bin/python; do :; done
for engine in "$SOFLOW_ENGINE_DIR"/sail-*/venv/bin/python; do :; done

tell "a project: a job and the code of this repository, and a target with a stack"
mkdir "$home/config" "$home/jobs" && cp -r pyspark "$home" && cp "$job" "$home/jobs/daily.yaml"
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
strip -o "$home/program" "${function:-$program}"

clock "$(before 1)T01:29:00Z"
deploy
aws secret "$(output ApiKey)" "$key"
queue=$(aws mailbox "$(output Alerts)")
machine=$(output DailyMachine)

tell "what was written before there was a stack is read from here, once"
SOFLOW_API_KEY=$key soflow ingest api --since "$(before 3)" --until "$(before 1)"

clock "$(before 1)T02:00:00Z"
note "the function \`ingest\` reads on from there, and files what it reads under today:"
aws pages acme-raw "$(before 1)"
clock "$(before 1)T02:15:00Z"
aws execution "$machine" 1
soflow runs
tell "the tables of $(before 2), as others than soflow see them"
look "daily.$(before 2).1"
rows tag_trends_weekly

tell "someone deploys a mistake"
step=$home/pyspark/steps/tag_trends.py
cp "$step" "$home/tag_trends.py"
printf '%s\n' 'raise ValueError("the weeks of tag trends are not done yet")' >>"$step"
note "steps/tag_trends.py ends with: $(tail -n 1 "$step")"
deploy >/dev/null
clock "${tomorrow}T02:00:00Z"
clock "${tomorrow}T02:15:00Z"
aws execution "$machine" 2
tell "what people are told"
aws mail "$queue" 1
soflow runs

tell "the mistake is mended and deployed, and what is left of the run is done from here"
cp "$home/tag_trends.py" "$step"
deploy >/dev/null
soflow retry "daily.$(before 1).1"
clock "${tomorrow}T02:45:00Z"
tell "what people are told, by the function \`reap\`"
aws mail "$queue" 1
soflow runs
tell "the tables of $(before 1), as others than soflow see them"
look "daily.$(before 1).2"

tell "leaving, in the middle of a run: all goes but what holds data"
SOFLOW_API_KEY=$key soflow ingest api --since "$(before 4)" --until "$(before 3)"
soflow submit daily --date "$(before 4)" --via sfn --wait 0s || [ $? = 4 ] # it goes on without us
soflow status
soflow destroy --yes
soflow destroy --yes
soflow runs
rows tag_trends_weekly
tell "all was seen"
