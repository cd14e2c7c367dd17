"""What we ask soflow, over the socket that is our standard input."""

import json
import queue
import socket
import threading

from soflow_launch import life

# How Jupyter and a kernel speak: over sockets in a folder of this person's, which nobody else can open.
ON_SOCKETS = {"transport": "ipc"}


class Link:
    """A line of JSON for each question and for each answer."""

    def __init__(self, ended):
        """`ended` is called, in a thread, when soflow is gone."""
        self.stream = socket.socket(fileno=life.take_stdin()).makefile("rw", encoding="utf-8")
        self.answers = queue.SimpleQueue()
        self.asked = 0
        threading.Thread(target=self.listen, args=(ended,), name="soflow-link", daemon=True).start()

    def listen(self, ended):
        try:
            for line in self.stream:
                self.answers.put(json.loads(line))
        except OSError:
            pass
        ended()

    def ask(self, question, **more):
        """Returns soflow's answer. Source of the questions: `Question` of src/targets/local/notebook.rs."""
        self.asked += 1
        self.stream.write(json.dumps({"id": self.asked, "ask": question, **more}) + "\n")
        self.stream.flush()
        # That of a question whose asker was interrupted is passed over.
        while (answer := self.answers.get())["id"] != self.asked:
            pass
        return answer
