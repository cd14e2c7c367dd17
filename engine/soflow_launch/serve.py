"""Lets soflow speak to the embedded engine's server over the socket that is our stdin.

The server listens in a network that soflow may not see, and asks nobody who they are; the other end of the socket is
soflow's alone. Nothing of pyspark is loaded: this starts in a tenth of the time of a step.
"""

import os
import socket
import threading

from soflow_launch import life, sail, trouble


def run():
    """Returns when the server ends the connection; ends this process when soflow does."""
    client = socket.socket(fileno=os.dup(0))
    server = sail.listen()
    try:
        connection = socket.create_connection(server.listening_address)
    except OSError as error:
        raise trouble.EngineError("start", f"the embedded engine did not start: {error}") from error
    threading.Thread(target=asked, args=(client, connection), daemon=True).start()
    copy(connection, client)


def asked(client, connection):
    copy(client, connection)
    life.leave(life.ORPHANED)


def copy(source, sink):
    """Returns at the end of either."""
    try:
        while data := source.recv(1 << 18):
            sink.sendall(data)
    except OSError:
        pass
