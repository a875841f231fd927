"""A small web server on this machine that behaves as badly as it is told to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Manner:
    """How one request is answered. `drop_after` and `stall_after` count the bytes that are sent before."""

    status: int = 200
    ranges: bool = True
    range_start: int | None = None
    drop_after: int | None = None
    stall_after: int | None = None
    length: bool = True


class Server:
    """Serves `data` at `url`; each request takes the next manner, the last one stays. Use with `with`."""

    def __init__(self, data: bytes, manners: Sequence[Manner] = (Manner(),)) -> None:
        self.data = data
        self.manners = list(manners)
        self.asked_ranges: list[str | None] = []
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_port}/archive.tar.gz"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_manner(self) -> Manner:
        return self.manners.pop(0) if len(self.manners) > 1 else self.manners[0]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            manner = server.next_manner()
            asked = self.headers.get("Range")
            server.asked_ranges.append(asked)
            if manner.status != 200:
                self.send_error(manner.status)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and manner.ranges else 0
            if start >= len(server.data) > 0:
                self.send_error(416)
                return
            self._send(manner, start)

        def _send(self, manner: Manner, start: int) -> None:
            body = server.data[start:]
            self.send_response(206 if start else 200)
            if start:
                claimed = start if manner.range_start is None else manner.range_start
                self.send_header(
                    "Content-Range", f"bytes {claimed}-{len(server.data) - 1}/{len(server.data)}"
                )
            if manner.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            until = min(
                (n for n in (manner.drop_after, manner.stall_after) if n is not None), default=len(body)
            )
            self.wfile.write(body[:until])
            self.wfile.flush()
            if manner.stall_after is not None:
                server.closing.wait(20)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    return Handler
