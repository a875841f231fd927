"""Reads an HTTP response in a way that can be cancelled, and says what its errors mean.

A blocking read of a socket cannot be interrupted, so that each connection is read by a thread of its own,
which hands blocks to the caller through a queue. The caller polls `cancelled` while it waits.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnstudio import __version__
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError

if TYPE_CHECKING:
    import http.client
    import ssl

# At most: on a slow connection, read1 returns less. The queue holds 16 of them.
_BLOCK_SIZE = 1 << 16
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Other programs' names for a file or folder of trusted certificates; Python itself reads SSL_CERT_FILE."""
_RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes of errors that are likely to be temporary."""


@dataclass(frozen=True)
class RetryPolicy:
    """When a download gives up. Times are in seconds."""

    stall_timeout: float = 30
    """Longest time without data that is worth waiting for."""
    min_bytes: int = 3_000
    """Fewer bytes than this within `stall_timeout` are not: CIFAR-10 would take weeks."""
    max_attempts: int = 4
    """Attempts in a row without progress."""
    delay: float = 1
    """Before the second attempt; doubled for each further one."""


DEFAULT_RETRY_POLICY = RetryPolicy()


class ServerError(DataError):
    """A download that failed for a reason of the server or the network; another address may work."""


class Interrupted(Exception):
    """The transfer was interrupted. Another attempt may succeed, unless `final`."""

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class RangeRefused(Exception):
    """The server cannot continue at the end of the part file, which is therefore of another file."""


class ResponseReader:
    """Reads one HTTP response on a thread: a slow DNS lookup or a silent server cannot delay a cancel.

    The thread writes to no file, and the queue is bounded, so that an abandoned thread does no harm: it ends
    at the next block, or when the socket times out.
    """

    def __init__(self, url: str, start: int, retry: RetryPolicy) -> None:
        self._url = url
        self._start = start
        self._retry = retry
        self._waited = 0.0
        """Seconds spent waiting since the last `min_bytes`. Writing to a slow disk does not count."""
        self._received = 0
        self._queue: queue.Queue[http.client.HTTPResponse | bytes | Exception] = queue.Queue(16)
        self._closed = threading.Event()
        threading.Thread(target=self._read, name="download", daemon=True).start()

    def response(self, cancelled: CancelFunction) -> http.client.HTTPResponse:
        """The response with its status and headers. Call this once, first."""
        response = self._next(cancelled)
        assert not isinstance(response, bytes)
        self._waited = 0.0
        return response

    def read_block(self, cancelled: CancelFunction, on_wait: Callable[[float], None]) -> bytes:
        """The next bytes of the body; empty at its end. `on_wait` gets the seconds without any."""
        block = self._next(cancelled, on_wait)
        assert isinstance(block, bytes)
        self._received += len(block)
        if self._received >= self._retry.min_bytes:
            self._waited, self._received = 0.0, 0
        return block

    def close(self) -> None:
        """Tells the thread to end."""
        self._closed.set()

    def _next(
        self, cancelled: CancelFunction, on_wait: Callable[[float], None] = lambda seconds: None
    ) -> http.client.HTTPResponse | bytes:
        while True:
            raise_if_cancelled(cancelled)
            # Besides the socket's timeout, which does not cover the DNS lookup, nor a server that sends a
            # byte now and then.
            if self._waited > self._retry.stall_timeout:
                raise self._stalled()
            start = time.monotonic()
            try:
                item = self._queue.get(timeout=0.05)
            except queue.Empty:
                item = None
            self._waited += time.monotonic() - start
            if item is None:
                on_wait(self._waited)
                continue
            if isinstance(item, Exception):
                raise self._explained(item) from item
            return item

    def _read(self) -> None:
        # Imported here because it is slow, and the window imports this module to list the data sets.
        import urllib.request

        # "identity": a compressed response would have other offsets than the file.
        headers = {"User-Agent": f"cnnstudio/{__version__}", "Accept-Encoding": "identity"}
        if self._start:
            headers["Range"] = f"bytes={self._start}-"
        try:
            request = urllib.request.Request(self._url, headers=headers)
            with urllib.request.urlopen(
                request, timeout=self._retry.stall_timeout, context=_trusted_certificates(self._url)
            ) as response:
                self._put(response)
                block = b"-"  # anything but empty, which means the end
                while block and not self._closed.is_set():
                    # read1 returns what has arrived; `read` would wait until the whole block is there.
                    block = response.read1(_BLOCK_SIZE)
                    self._put(block)
        except Exception as error:  # whatever it is, it is raised on the caller's thread
            self._put(error)

    def _put(self, item: http.client.HTTPResponse | bytes | Exception) -> None:
        # With a timeout, because nobody may be reading any more when the queue is full.
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def _stalled(self) -> Interrupted:
        # Final: three more attempts would mean another 90 seconds of silence.
        amount = "almost nothing" if self._received else "nothing"
        return Interrupted(
            f"{host_of(self._url)} sent {amount} for {self._retry.stall_timeout:g} seconds", final=True
        )

    def _explained(self, error: Exception) -> Exception:
        """The exception to raise for an error of the connection: retry, resume, or a message for the user."""
        import http.client
        import ssl
        import urllib.error

        host = host_of(self._url)
        # An HTTPError is a response as well, with a socket that is still open.
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            status = f"{host} answered {error.code} ({error.reason or 'no reason given'}) for {self._url}"
            if error.code == 416:  # Range Not Satisfiable
                return RangeRefused()
            if error.code in _RETRYABLE_STATUSES:
                return Interrupted(status)
            if 300 <= error.code < 400:
                return ServerError(
                    f"{host} redirects {self._url} without end: the file is currently unavailable."
                )
            return ServerError(f"{status}: the file is currently unavailable.")
        if isinstance(error, DataError):
            return error
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return ServerError(
                f"The certificate of {host} is not trusted ({reason.verify_message}): if a school or company "
                "checks the traffic, set SSL_CERT_FILE to the file with its certificate, or download "
                f"{self._url} with a browser and import the archive."
            )
        if isinstance(reason, TimeoutError):
            return self._stalled()
        if isinstance(
            reason, http.client.IncompleteRead | ConnectionResetError | http.client.RemoteDisconnected
        ):
            return Interrupted(f"The connection to {host} was lost")
        detail = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return Interrupted(f"Cannot reach {host} ({detail}): check the network connection", final=True)


def _trusted_certificates(url: str) -> ssl.SSLContext | None:
    """Python's own certificates and those of the environment; None for an address that needs none.

    Raises DataError if they cannot be read.
    """
    if not url.startswith("https:"):
        return None
    import ssl

    context = ssl.create_default_context()
    for variable in _CERTIFICATE_VARIABLES:
        if path := os.environ.get(variable):
            try:
                is_folder = os.path.isdir(path)
                context.load_verify_locations(None if is_folder else path, path if is_folder else None)
            except OSError as error:
                raise DataError(
                    f"{variable} is {path}, which cannot be read as certificates: set it to a PEM file."
                ) from error
    return context


def host_of(url: str) -> str:
    """The host of an address, for messages."""
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or url
