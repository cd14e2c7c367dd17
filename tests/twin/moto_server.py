"""Serves moto on a free port of 127.0.0.1, tells the port, and ends when standard input closes.

Whoever starts it holds the other end of that pipe, so the server ends with them, however they end.
"""

import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # head and body are two writes: without this each answer may wait 40 ms

    def log_request(self, code="-", size="-"):
        """Says nothing: the twin in front of this server writes the log."""


def end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(0)


def with_s3s_list_of_parts(serve):
    """moto calls the root of its answer to ListParts otherwise than S3 does, and strict clients refuse that."""

    def answer(environ, start):
        if environ["REQUEST_METHOD"] != "GET" or "uploadId=" not in environ["QUERY_STRING"]:
            return serve(environ, start)
        head = []
        body = b"".join(serve(environ, lambda *said: head.extend(said)))
        body = body.replace(b"ListPartsResponse", b"ListPartsResult")
        headers = [(name, value) for name, value in head[1] if name.lower() != "content-length"]
        start(head[0], [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return answer


application = with_s3s_list_of_parts(DomainDispatcherApplication(create_backend_app))
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
threading.Thread(target=end_with_parent, daemon=True).start()
print(server.port, flush=True)
sys.stdout.close()
server.serve_forever()
