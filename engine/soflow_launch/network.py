"""A network of this process's own, in which there is nothing but loopback.

Both engines listen on loopback and ask nobody who they are: whoever reaches them can run code as the person whose step
it is. In a network namespace of its own nobody else on the machine reaches them. Linux only. Sources: unshare(2),
user_namespaces(7), network_namespaces(7), netdevice(7).
"""

import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import sys
from urllib.parse import unquote

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

# `file:` and `file://` are on this machine; every other scheme is asked for over the network.
ELSEWHERE = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def leave():
    """Moves this process, which must have a single thread, out of the machine's network.

    Returns None, or why that cannot be done; then nothing has changed.
    """
    if not sys.platform.startswith("linux"):
        return f"{sys.platform} has no network namespaces"
    reason = tried()
    if reason is None:
        move()
    return reason


def tried():
    """Returns why `move` fails, or None. In a child: a process that has moved halfway cannot go back."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        reason = b""
        try:
            move()
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()
        except BaseException as error:
            reason = str(error).encode() or b"it failed"
        os.write(writer, reason)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as said:
        reason = said.read().decode(errors="replace")
    os.waitpid(child, 0)
    return reason or None


def move():
    """Makes the namespaces and brings loopback up. The person stays who they are, so that files are theirs."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        # In a user namespace of one user root would lose its hold on the files of others.
        unshare(CLONE_NEWNET)
    else:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        interface = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack_from("16sH", fcntl.ioctl(any_socket, SIOCGIFFLAGS, interface))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))


def unshare(flags):
    # `os.unshare` came with Python 3.12.
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def is_needed(wanted):
    """Returns whether the command reads or writes anything that is not on this machine."""
    arguments = wanted.script_arguments
    task = arguments[arguments.index("--task") + 1] if "--task" in arguments[:-1] else ""
    if ELSEWHERE.match(task):
        return True
    path = re.sub("^file:(?://)?", "", task)
    return any(names_elsewhere(document(path)) for path in (path, unquote(path), wanted.request) if path)


def document(path):
    """Returns a task or a request; what cannot be read is for whoever needs it to tell."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def names_elsewhere(value):
    if isinstance(value, dict):
        return any(names_elsewhere(inner) for inner in value.values())
    if isinstance(value, list):
        return any(names_elsewhere(inner) for inner in value)
    return isinstance(value, str) and bool(ELSEWHERE.match(value))
