"""Runs command lines of the launcher in children of one process, which has imported what all of them need.

Importing pandas, Arrow and pyspark takes ten times as long as starting the embedded engine. A child is a process of its
own in every way that counts: its output, its engine, its memory, its end.

A request on stdin is fields, each ended by a zero byte, with their number in front: `start`, a name, the files for
stdout and stderr, the command line; or `stop`, which looks to the child as if soflow were gone, or `kill`, and a name.
An answer on stdout is a line `NAME STATUS`, the status as waitpid(2) gives it. The end of stdin ends everything.
"""

import gc
import os
import select
import signal
import sys
import traceback

from soflow_launch import life


class Pool:
    """`main` runs a command line and ends its process; `fresh`: in an interpreter of its own."""

    def __init__(self, main, fresh):
        self.main, self.fresh = main, fresh
        self.requests, self.answers = kept(0, os.O_RDONLY), kept(1, os.O_WRONLY)
        self.ends = life.wakeup_pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ctrl-C reaches the children too, and soflow, which decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Of each child its number, and the pipe that ends it when it closes.
        self.numbers, self.lifelines = {}, {}

    def serve(self):
        """Returns at the end of stdin. The children end once this process has: their lifelines close."""
        # A collection in a child would touch, and so copy, all that it shares with the others.
        gc.freeze()
        rest = b""
        while True:
            for source in select.select([self.requests, self.ends], [], [])[0]:
                data = os.read(source, 65536)
                if source == self.ends:
                    self.reap()
                elif not data:
                    return
                else:
                    found, rest = requests(rest + data)
                    for request in found:
                        self.take(*request)

    def take(self, verb, name, *more):
        if verb == "start":
            self.start(name, *more)
        elif verb == "stop":
            self.let_go(name)
        elif name in self.numbers:
            # It has not been waited for, so the number is still its own.
            os.kill(self.numbers[name], signal.SIGKILL)

    def start(self, name, stdout, stderr, *command):
        stdin, self.lifelines[name] = os.pipe()
        number = os.fork()
        if number == 0:
            try:
                self.become(stdin, stdout, stderr)
                self.run(list(command))
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(70)
        os.close(stdin)
        self.numbers[name] = number

    def become(self, stdin, stdout, stderr):
        """Makes this child what a process is that soflow has started."""
        os.close(signal.set_wakeup_fd(-1))
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # A lifeline that a sibling holds open does not close.
        for number in (self.requests, self.answers, self.ends, *self.lifelines.values()):
            os.close(number)
        files = [os.open(path, os.O_WRONLY | os.O_APPEND) for path in (stdout, stderr)]
        for number, file in enumerate([stdin, *files]):
            os.dup2(file, number)
            os.close(file)

    def run(self, command):
        if self.fresh:
            os.execv(sys.executable, [sys.executable, "-u", os.path.abspath(sys.argv[0]), *command])
        self.main(command)

    def reap(self):
        for name, number in list(self.numbers.items()):
            ended, status = os.waitpid(number, os.WNOHANG)
            if ended:
                del self.numbers[name]
                self.let_go(name)
                os.write(self.answers, f"{name} {status}\n".encode())

    def let_go(self, name):
        lifeline = self.lifelines.pop(name, None)
        if lifeline is not None:
            os.close(lifeline)


def kept(number, flags):
    """Returns a descriptor of our own for a standard stream, which becomes /dev/null."""
    mine, null = os.dup(number), os.open(os.devnull, flags)
    os.dup2(null, number)
    os.close(null)
    return mine


def requests(data):
    """Returns the requests that are whole, each a list of texts, and the bytes behind them."""
    found = []
    while True:
        count, _, behind = data.partition(b"\0")
        fields = behind.split(b"\0", int(count)) if behind else []
        if not fields or len(fields) <= int(count):
            return found, data
        found.append([os.fsdecode(field) for field in fields[:-1]])
        data = fields[-1]
