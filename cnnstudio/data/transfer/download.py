"""Downloads large files over HTTP, with resume, cancellation and a checksum.

**Resuming.** Data is appended to `<name>.part`. The next attempt, in this call or in a later run of the
program, asks the server for the rest with a Range header. A server may ignore the header and send everything
(status 200), answer with another range, or refuse (416); each case is detected from the answer's headers, and
the part file is truncated or deleted accordingly.

**Verifying.** The final name appears only when the MD5 of the complete file is right, so that code that finds
the file can trust it. This matters for CIFAR-10 in particular, whose files are pickles: no byte of a file
with a wrong checksum is ever unpickled.

**Cancelling.** A blocking read of a socket cannot be interrupted, so that each connection is read by a thread
of its own, which hands blocks to the caller through a queue. The caller polls `cancelled` while it waits.
"""

from __future__ import annotations

import hashlib
import os
import queue
import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cnnstudio import __version__
from cnnstudio.core.files import open_regular
from cnnstudio.core.formatting import format_bytes, format_duration
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.data.dataset import DataError

if TYPE_CHECKING:
    import http.client
    import ssl

# At most: on a slow connection, read1 returns less. The queue holds 16 of them.
_BLOCK_SIZE = 1 << 16
_MAX_UNKNOWN_SIZE = 10_000_000_000
"""Bytes after which a download ends of which neither the server nor we know the size."""
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Other programs' names for a file or folder of trusted certificates; Python itself reads SSL_CERT_FILE."""
_SPEED_SECONDS = 10
"""The speed that is said is that of so many seconds."""
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


@dataclass(frozen=True)
class ExpectedFile:
    """What the complete file must be: its name for people, its MD5 (hex) and its size in bytes, if known."""

    title: str
    md5: str
    size: int | None = None


class ServerError(DataError):
    """A download that failed for a reason of the server or the network; another address may work."""


class _Interrupted(Exception):
    """The transfer was interrupted. Another attempt may succeed, unless `final`."""

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class _RangeRefused(Exception):
    """The server cannot continue at the end of the part file, which is therefore of another file."""


def download(
    url: str,
    path: Path,
    expected: ExpectedFile,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
    retry: RetryPolicy = DEFAULT_RETRY_POLICY,
) -> None:
    """Downloads `url` to `path`.

    The data is collected in `<path>.part` until it is complete and its MD5 is right; a later call resumes
    from there. Raises ServerError, DataError if the file cannot be written, or Cancelled.
    """
    if not _is_address(url):
        raise ServerError(
            f"{url} is not a download address: it must start with https:// or http:// and a host."
        )
    part = part_file(path)
    report = throttled(progress)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Before the transfer, which creates the file.
        resumed = part.exists()
        _fetch_with_retries(url, part, expected, report, cancelled, retry)
        if file_md5(part, cancelled) != expected.md5 and resumed:
            # The old part may have been of another file. Start over once before blaming the server.
            part.unlink()
            _fetch_with_retries(url, part, expected, report, cancelled, retry)
        if file_md5(part, cancelled) != expected.md5:
            part.unlink()
            raise ServerError(
                f"The file from {_host(url)} is not {expected.title}, or was damaged in transit "
                "(wrong checksum). It was deleted: download it again."
            )
        # After the checksum: a file of this name is always complete and verified.
        os.replace(part, path)
    except OSError as error:
        raise DataError(f"Cannot write {part}: {error.strerror or error}.") from error


def part_file(path: Path) -> Path:
    """Where a download of `path` is collected until it is complete."""
    return path.with_name(path.name + ".part")


def _is_address(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def file_md5(path: Path, cancelled: CancelFunction = never_cancelled) -> str:
    """The MD5 of a file (hex), with which older archives are published. It detects damage, not attacks."""
    digest = hashlib.md5(usedforsecurity=False)
    with open_regular(path, None) as file:
        while block := file.read(1 << 20):
            raise_if_cancelled(cancelled)
            digest.update(block)
    return digest.hexdigest()


def format_megabytes(count: int) -> str:
    """`41` for 41,000,000 bytes; with one decimal below ten."""
    return f"{count / 1e6:.0f}" if count >= 10_000_000 else f"{count / 1e6:.1f}"


def _fetch_with_retries(
    url: str,
    part: Path,
    expected: ExpectedFile,
    progress: ProgressFunction,
    cancelled: CancelFunction,
    retry: RetryPolicy,
) -> None:
    """Completes `part`. Retries with growing delays; an attempt that got much further resets the count.

    Further than any attempt before: a server may send the beginning again and again.
    """
    failures, furthest = 0, _size(part)
    while True:
        try:
            _fetch(url, part, expected, progress, cancelled, retry)
            return
        except _Interrupted as error:
            # On a bad connection that still brings a megabyte at a time, a large file takes any number of
            # attempts.
            failures = 1 if _size(part) - furthest > 1_000_000 else failures + 1
            furthest = max(furthest, _size(part))
            if error.final or failures >= retry.max_attempts:
                advice = "Download again to resume from there." if _size(part) else "Try again later."
                raise ServerError(f"{error}. {advice}") from error
        _wait(retry.delay * 2 ** (failures - 1), cancelled)


def _fetch(
    url: str,
    part: Path,
    expected: ExpectedFile,
    progress: ProgressFunction,
    cancelled: CancelFunction,
    retry: RetryPolicy,
) -> None:
    """One connection: appends the missing data to `part`. Raises _Interrupted, DataError or Cancelled."""
    start = _size(part)
    # Complete already, if the program ended between the last byte and the checksum. A part that is too long
    # cannot be of this file. Asking for a range behind the end would only give a 416.
    if expected.size is not None and start >= expected.size:
        if start == expected.size:
            return
        part.unlink()
        start = 0
    reader = _ResponseReader(url, start, retry)
    try:
        start, total = _offset_and_size(reader.response(cancelled), url, start, expected)
        with open(part, "ab") as file:
            # To 0 if the server sends everything. In mode "a", each write goes to the end of the file,
            # wherever that is by then.
            file.truncate(start)
            _copy(reader, file, start, total, expected.title, progress, cancelled)
    except _RangeRefused:
        part.unlink()
        raise _Interrupted(f"{_host(url)} could not resume the download") from None
    finally:
        reader.close()


def _offset_and_size(
    response: http.client.HTTPResponse, url: str, requested: int, expected: ExpectedFile
) -> tuple[int, int | None]:
    """(offset of the response's first byte in the file, size of the whole file if known).

    Raises _RangeRefused if the server continues at another offset than `requested`, and DataError if it
    announces a size other than the expected one. The latter catches login pages before they replace a partial
    download.
    """
    start, total = 0, None
    length = response.headers.get("Content-Length")
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if not found or int(found[1]) != requested:
            raise _RangeRefused
        start, total = requested, None if found[2] == "*" else int(found[2])
    elif length is not None and length.isdecimal():
        # 200: the server ignored the Range header and sends the file from the beginning.
        total = int(length)
    if total is not None and expected.size is not None and total != expected.size:
        raise ServerError(
            f"{_host(url)} offers {format_megabytes(total)} MB, "
            f"but {expected.title} has {format_megabytes(expected.size)} MB: "
            "it is a different file, or a login page."
        )
    return start, total if total is not None else expected.size


def _copy(
    reader: _ResponseReader,
    file: BinaryIO,
    done: int,
    total: int | None,
    title: str,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    of_total = f" of {format_megabytes(total)}" if total is not None else ""
    limit = _MAX_UNKNOWN_SIZE if total is None else total
    speed = _Speed(done, total)
    progress(Progress(done, total, f"Downloading {title}: {format_megabytes(done)}{of_total} MB"))
    while block := reader.read_block(cancelled):
        file.write(block)
        done += len(block)
        if done > limit:
            raise ServerError(
                f"The server sent more than {format_megabytes(limit)} MB for {title}: it is a different file."
            )
        text = f"Downloading {title}: {format_megabytes(done)}{of_total} MB{speed.text(done)}"
        progress(Progress(done, total, text))
    # Onto the disk, because the rename that follows may otherwise survive a power failure that the data does
    # not.
    file.flush()
    os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Interrupted(f"The connection was lost after {format_megabytes(done)}{of_total} MB")


class _Speed:
    """How fast the last seconds were, and how long the rest will take."""

    def __init__(self, done: int, total: int | None) -> None:
        self._total = total
        self._marks = deque([(time.monotonic(), done)])

    def text(self, done: int) -> str:
        """`, 3.2 MB/s, 40 s left`; empty in the first second."""
        now = time.monotonic()
        if now - self._marks[-1][0] >= 1:
            self._marks.append((now, done))
            while len(self._marks) > 2 and now - self._marks[1][0] > _SPEED_SECONDS:
                self._marks.popleft()
        since, before = self._marks[0]
        if now - since < 1 or done <= before:
            return ""
        rate = (done - before) / (now - since)
        left = "" if self._total is None else f", {format_duration((self._total - done) / rate)} left"
        return f", {format_bytes(round(rate))}/s{left}"


class _ResponseReader:
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

    def read_block(self, cancelled: CancelFunction) -> bytes:
        """The next bytes of the body; empty at its end."""
        block = self._next(cancelled)
        assert isinstance(block, bytes)
        self._received += len(block)
        if self._received >= self._retry.min_bytes:
            self._waited, self._received = 0.0, 0
        return block

    def close(self) -> None:
        """Tells the thread to end."""
        self._closed.set()

    def _next(self, cancelled: CancelFunction) -> http.client.HTTPResponse | bytes:
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
                continue
            finally:
                self._waited += time.monotonic() - start
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

    def _stalled(self) -> _Interrupted:
        # Final: three more attempts would mean another 90 seconds of silence.
        amount = "almost nothing" if self._received else "nothing"
        return _Interrupted(
            f"{_host(self._url)} sent {amount} for {self._retry.stall_timeout:g} seconds", final=True
        )

    def _explained(self, error: Exception) -> Exception:
        """The exception to raise for an error of the connection: retry, resume, or a message for the user."""
        import http.client
        import ssl
        import urllib.error

        host = _host(self._url)
        # An HTTPError is a response as well, with a socket that is still open.
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            status = f"{host} answered {error.code} ({error.reason or 'no reason given'}) for {self._url}"
            if error.code == 416:  # Range Not Satisfiable
                return _RangeRefused()
            if error.code in _RETRYABLE_STATUSES:
                return _Interrupted(status)
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
            return _Interrupted(f"The connection to {host} was lost")
        detail = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return _Interrupted(f"Cannot reach {host} ({detail}): check the network connection", final=True)


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


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or url


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait(seconds: float, cancelled: CancelFunction) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        raise_if_cancelled(cancelled)
        time.sleep(0.05)
