"""A small local web server that misbehaves as requested."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self


@dataclass(frozen=True)
class Behavior:
    """How one request is answered. `drop_after` and `stall_after` are in bytes of the body.

    After `stall_after` bytes, one more is sent every `trickle` seconds, if given.
    """

    status: int = 200
    ranges: bool = True
    range_start: int | None = None
    drop_after: int | None = None
    stall_after: int | None = None
    trickle: float | None = None
    length: bool = True


class Server:
    """A context that serves `data` at `url`. Each request uses the next behavior; the last one is reused."""

    def __init__(
        self,
        data: bytes,
        behaviors: Sequence[Behavior] = (Behavior(),),
        certificate: Path | None = None,
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """`files` are served by their names; every other address is `data`."""
        self.data = data
        self.files = files
        self.behaviors = list(behaviors)
        self.requested_ranges: list[str | None] = []
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.address}/archive.tar.gz"

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

    def next_behavior(self) -> Behavior:
        return self.behaviors.pop(0) if len(self.behaviors) > 1 else self.behaviors[0]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behavior = server.next_behavior()
            requested = self.headers.get("Range")
            server.requested_ranges.append(requested)
            if behavior.status == 302:
                self.send_response(302)
                self.send_header("Location", f"{server.url}?{len(server.requested_ranges)}")
                self.end_headers()
                return
            if behavior.status != 200:
                self.send_error(behavior.status)
                return
            start = (
                int(requested.removeprefix("bytes=").removesuffix("-"))
                if requested and behavior.ranges
                else 0
            )
            data = server.files.get(self.path.rpartition("/")[2], server.data)
            if start >= len(data) > 0:
                self.send_error(416)
                return
            self._send(behavior, data, start)

        def _send(self, behavior: Behavior, data: bytes, start: int) -> None:
            body = data[start:]
            self.send_response(206 if start else 200)
            if start:
                claimed = start if behavior.range_start is None else behavior.range_start
                self.send_header("Content-Range", f"bytes {claimed}-{len(data) - 1}/{len(data)}")
            if behavior.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            end = min(
                (n for n in (behavior.drop_after, behavior.stall_after) if n is not None), default=len(body)
            )
            self.wfile.write(body[:end])
            self.wfile.flush()
            if behavior.trickle is not None:
                for number in range(end, len(body)):
                    if server.closing.wait(behavior.trickle):
                        return
                    self.wfile.write(body[number : number + 1])
            elif behavior.stall_after is not None:
                server.closing.wait(60)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    return Handler
