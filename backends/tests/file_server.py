"""A web server on this computer that sends one file, and fails in the ways that servers and networks do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is sent, and how; `asked` keeps the Range header of every request ("" for none).

    Attributes
    ----------
    cuts : bytes after which the connection breaks, one a request; whole once they are used up
    ranges : whether Range is understood
    sized : whether Content-Length is sent
    errors : status codes to answer with, one a request, before anything is sent
    endless : send zeros until the client hangs up
    """

    content: bytes
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    sized: bool = True
    errors: list[int] = field(default_factory=list)
    endless: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[FileServer]:
        """Serve at `url` inside the block."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_port}/model.pth"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(shop: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            shop.asked.append(wanted)
            if shop.errors:
                self.send_error(shop.errors.pop(0))
                return
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and shop.ranges else 0
            body = shop.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(shop.content) - 1}/{len(shop.content)}")
            if shop.sized and not shop.endless:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                while shop.endless:
                    self.wfile.write(bytes(1 << 16))
                self.wfile.write(body[: shop.cuts.pop(0)] if shop.cuts else body)
            except OSError:
                pass  # the client hung up
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    return Handler
