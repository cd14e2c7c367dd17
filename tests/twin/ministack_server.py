"""Serves ministack on a free port of 127.0.0.1, tells the port, and ends when standard input closes.

Whoever starts it holds the other end of that pipe, so the server ends with them, however they end; and its functions with
it, since they hear no more of their Runtime API. The first argument says how long a second of a state machine's waits and
retries lasts.
"""

import os
import shutil
import socket
import sys
import tempfile
import threading
import time


def end_with_parent():
    while os.read(0, 4096):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def tell():
    """Tells the port as soon as it is served."""
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
    print(port, file=told, flush=True)
    told.close()


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
sys.argv[1:] = []
threading.Thread(target=end_with_parent, daemon=True).start()
threading.Thread(target=tell, daemon=True).start()

from ministack.app import main  # noqa: E402

main()
