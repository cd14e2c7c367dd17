"""An S3 that takes uploads and keeps nothing, on a free port of 127.0.0.1 that it prints: so that what is measured is
who sends, not who stores. Ends when its standard input closes.
"""

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 20
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(
            f"<ListMultipartUploadsResult {NAMESPACE}><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
        )

    def do_PUT(self) -> None:
        self.swallow()
        self.answer("")

    def do_POST(self) -> None:
        self.swallow()
        name = "InitiateMultipartUploadResult" if "uploads" in self.path else "CompleteMultipartUploadResult"
        self.answer(f"<{name} {NAMESPACE}><UploadId>1</UploadId><ETag>1</ETag></{name}>")

    def swallow(self) -> None:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.skip(size + 2)
            while self.rfile.readline().strip():
                pass
        else:
            self.skip(int(self.headers.get("content-length", 0)))

    def skip(self, left: int) -> None:
        piece = memoryview(bytearray(PIECE))
        while left > 0:
            left -= self.rfile.readinto(piece[: min(left, PIECE)]) or left

    def answer(self, body: str) -> None:
        self.send_response(200)
        self.send_header("etag", '"1"')
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
