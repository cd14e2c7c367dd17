"""Serves ministack on a free port of 127.0.0.1, tells the port, and ends when standard input closes.

Whoever starts it holds the other end of that pipe, so the server ends with them, however they end; and its functions
with it, since they hear no more of their Runtime API. The first argument says how long a second of a state machine's
waits and retries lasts; the second one, if there is one, where functions find AWS. A line on standard input is a
time, in seconds since 1970: the clock that schedules go by, which stands still in between. An empty line answers it.
"""

import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import types
from datetime import datetime, timezone


def listen():
    """Moves the clock of schedules, and ends with whoever moves it."""
    for line in sys.stdin:
        # What nobody has looked at yet counts from now on.
        scheduler._tick_schedules()
        clock.now = float(line)
        scheduler._tick_schedules()
        print(file=told, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def tell():
    """Tells the port as soon as it is served."""
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
    print(port, file=told, flush=True)


# What it keeps on disk.
folder = tempfile.tempdir = tempfile.mkdtemp(prefix="ministack-")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
# What the server says itself is no answer.
told, sys.stdout = sys.stdout, sys.stderr
os.environ.update(
    BIND_HOST="127.0.0.1",
    GATEWAY_PORT=str(port),
    TMPDIR=folder,
    LAMBDA_EXECUTOR="local",
    SFN_WAIT_SCALE=sys.argv[1],
    MINISTACK_ACCOUNT_ID="123456789012",
    # No servers beside it, and nothing of what is expected to fail.
    SFTP_ENABLED="0",
    IOT_MTLS_ENABLED="0",
    LOG_LEVEL="CRITICAL",
)
if sys.argv[2:]:
    # Functions have the environment of this process, with nothing to run in it.
    os.environ.update(AWS_ENDPOINT_URL=sys.argv[2], PATH="", HOME=folder)
sys.argv[1:] = []

from ministack.app import main  # noqa: E402
from ministack.services import eventbridge, s3, scheduler  # noqa: E402
from ministack.services.cloudformation import provisioners  # noqa: E402

# Of the resources of a stack these are not made there: placeholders stand for them. A type that is neither here nor
# there is refused, as CloudFormation refuses what it does not know.
UNKNOWN_TYPES = ("AWS::CloudTrail::Trail", "AWS::EMR::SecurityConfiguration")


def placeholder(logical_id, *_, **__):
    return logical_id, {"Arn": f"arn:aws:placeholder:us-east-1:123456789012:{logical_id}"}


def kept(physical_id, *_, **__):
    return physical_id, {}


def plain_alarms_only(make):
    """Alarms on expressions of metrics are refused there."""

    def made(logical_id, props, *rest, **named):
        return placeholder(logical_id) if "Metrics" in props else make(logical_id, props, *rest, **named)

    return made


def told_when(invoke):
    """Tells a target when its schedule fired, as EventBridge Scheduler does: that is not done there."""

    def invoked(target, event, *rest, **named):
        if event.get("Source") == "aws.scheduler" and "Input" in target:
            now = datetime.fromtimestamp(clock.now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            target = {**target, "Input": target["Input"].replace("<aws.scheduler.scheduled-time>", now)}
        return invoke(target, event, *rest, **named)

    return invoked


def with_tags(make):
    """The tags that a template gives to a bucket are forgotten there."""

    def made(logical_id, props, *rest, **named):
        name, attributes = make(logical_id, props, *rest, **named)
        if props.get("Tags"):
            s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in props["Tags"]}
        return name, attributes

    return made


handlers = provisioners._RESOURCE_HANDLERS
bucket = handlers["AWS::S3::Bucket"]
bucket["create"] = with_tags(bucket["create"])
for unknown in UNKNOWN_TYPES:
    handlers[unknown] = {"create": placeholder, "update": kept, "delete": lambda *_, **__: None}
alarm = handlers["AWS::CloudWatch::Alarm"]
alarm["create"] = plain_alarms_only(alarm["create"])

clock = types.SimpleNamespace(now=time.time())
scheduler.time = types.SimpleNamespace(time=lambda: clock.now, sleep=time.sleep)
scheduler._SCHEDULE_TICK_INTERVAL = 1_000_000
eventbridge._invoke_target = told_when(eventbridge._invoke_target)

threading.Thread(target=listen, daemon=True).start()
threading.Thread(target=tell, daemon=True).start()
main()
