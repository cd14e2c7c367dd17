"""Serves ministack on a free port of 127.0.0.1, tells the port, and ends when standard input closes.

It makes 64 of the 66 resources of a stack. Placeholders stand for the others, which are named here: a type that is missing from this
list, and from ministack, is refused as CloudFormation refuses what it does not know.
"""

import os
import socket
import sys
import threading
import urllib.request

UNKNOWN_TYPES = ("AWS::CloudTrail::Trail", "AWS::EMR::SecurityConfiguration")

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
os.environ.update(BIND_HOST="127.0.0.1", GATEWAY_PORT=str(port), LAMBDA_EXECUTOR="local", SFTP_ENABLED="0", IOT_MTLS_ENABLED="0")
told = os.dup(1)
os.dup2(2, 1)  # what it prints is no port

from ministack.services.cloudformation import provisioners  # noqa: E402


def placeholder(logical_id, *_, **__):
    return logical_id, {"Arn": f"arn:aws:placeholder:us-east-1:000000000000:{logical_id}"}


def kept(physical_id, *_, **__):
    return physical_id, {}


def plain_alarms_only(make):
    """Alarms on expressions of metrics are refused there."""

    def made(logical_id, props, *rest, **named):
        return placeholder(logical_id) if "Metrics" in props else make(logical_id, props, *rest, **named)

    return made


handlers = provisioners._RESOURCE_HANDLERS
for unknown in UNKNOWN_TYPES:
    handlers[unknown] = {"create": placeholder, "update": kept, "delete": lambda *_, **__: None}
alarm = handlers["AWS::CloudWatch::Alarm"]
alarm["create"] = plain_alarms_only(alarm["create"])


def end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(0)


def tell_when_ready():
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).close()
        except OSError as error:
            if getattr(error, "code", None) is None:
                continue
        os.write(told, f"{port}\n".encode())
        os.close(told)
        return


threading.Thread(target=end_with_parent, daemon=True).start()
threading.Thread(target=tell_when_ready, daemon=True).start()
sys.argv = ["ministack"]
silence = os.open(os.devnull, os.O_WRONLY)
os.dup2(silence, 1)  # a banner, and a line a request
os.dup2(silence, 2)
from ministack.app import main  # noqa: E402

main()
