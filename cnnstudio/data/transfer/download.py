"""Large files over HTTP: resumed where they broke off, cancelled at any moment, checked when whole."""

from __future__ import annotations

import hashlib
import os
import queue
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cnnstudio import __version__
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    check,
    ignore,
    never,
    throttled,
)
from cnnstudio.data.dataset import DataError

if TYPE_CHECKING:
    import http.client

_BLOCK = 1 << 16
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may be better in a moment."""


@dataclass(frozen=True)
class Patience:
    """How long a download waits, in seconds, and how often it starts again before it gives up."""

    stall: float = 30
    attempts: int = 4
    pause: float = 1


DEFAULT_PATIENCE = Patience()


@dataclass(frozen=True)
class Expected:
    """What the whole file has to be. `size` in bytes, None where it is not known."""

    title: str
    md5: str
    size: int | None = None


class _Interrupted(Exception):
    """The transfer broke off. Another attempt at once may fix it, unless it is `final`."""

    def __init__(self, message: str, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class _RangeRefused(Exception):
    """The server has no bytes where the part ends: the part is not of its file."""


def download(
    url: str,
    path: Path,
    expected: Expected,
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
    patience: Patience = DEFAULT_PATIENCE,
) -> None:
    """Bring `url` to `path`.

    What has arrived stands in `<path>.part` until it is whole and its MD5 is right; the next call goes on
    there. Raises DataError (what went wrong, and what to do) or Cancelled.
    """
    if not _is_address(url):
        raise DataError(
            f"{url} is not an address to download from: it has to begin with https:// or http://, and then "
            "name a server."
        )
    part = path.with_name(path.name + ".part")
    tell = throttled(progress)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        resumed = part.exists()
        _fetch_patiently(url, part, expected, tell, cancelled, patience)
        if file_md5(part, cancelled) != expected.md5 and resumed:
            # The old part may have belonged to another file.
            part.unlink()
            _fetch_patiently(url, part, expected, tell, cancelled, patience)
        if file_md5(part, cancelled) != expected.md5:
            part.unlink()
            raise DataError(
                f"What {_host(url)} sent is not {expected.title}, or was damaged on the way: "
                "its checksum is wrong. It was thrown away; download it again."
            )
        os.replace(part, path)
    except OSError as error:
        raise DataError(f"Cannot write {part}: {error.strerror or error}.") from error


def _is_address(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def file_md5(path: Path, cancelled: CancelFunction = never) -> str:
    """MD5 (hex) of the file: what old archives are published with. It finds damage, not malice."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            check(cancelled)
            digest.update(block)
    return digest.hexdigest()


def megabytes(count: int) -> str:
    """`41` for 41,000,000 bytes; with one digit below ten."""
    return f"{count / 1e6:.0f}" if count >= 10_000_000 else f"{count / 1e6:.1f}"


def _fetch_patiently(
    url: str,
    part: Path,
    expected: Expected,
    tell: ProgressFunction,
    cancelled: CancelFunction,
    patience: Patience,
) -> None:
    """Fill `part`, starting again after interruptions until several in a row brought nothing."""
    failures = 0
    while True:
        before = _size(part)
        try:
            _fetch(url, part, expected, tell, cancelled, patience.stall)
            return
        except _Interrupted as error:
            failures = 1 if _size(part) - before > 1_000_000 else failures + 1
            if error.final or failures >= patience.attempts:
                kept = (
                    "What has arrived is kept: try again to go on from there."
                    if _size(part)
                    else "Try again later."
                )
                raise DataError(f"{error}. {kept}") from error
        _wait(patience.pause * 2 ** (failures - 1), cancelled)


def _fetch(
    url: str, part: Path, expected: Expected, tell: ProgressFunction, cancelled: CancelFunction, stall: float
) -> None:
    """One connection: append to `part` what it lacks. Raises _Interrupted, DataError or Cancelled."""
    start = _size(part)
    if expected.size is not None and start >= expected.size:
        if start == expected.size:
            return
        part.unlink()
        start = 0
    stream = _Stream(url, start, stall)
    try:
        start, total = _placed(stream.head(cancelled), url, start, expected)
        with open(part, "ab") as file:
            file.truncate(start)
            _copy(stream, file, start, total, expected.title, tell, cancelled)
    except _RangeRefused:
        part.unlink()
        raise _Interrupted(f"{_host(url)} could not go on with the part that is here") from None
    finally:
        stream.abandon()


def _placed(
    head: http.client.HTTPResponse, url: str, asked: int, expected: Expected
) -> tuple[int, int | None]:
    """(where the answer's first byte belongs, size of the whole file if the server says it)."""
    start, total = 0, None
    length = head.headers.get("Content-Length")
    if head.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", head.headers.get("Content-Range", "").strip())
        if not found or int(found[1]) != asked:
            raise _RangeRefused
        start, total = asked, None if found[2] == "*" else int(found[2])
    elif length is not None and length.isdecimal():
        total = int(length)
    if total is not None and expected.size is not None and total != expected.size:
        raise DataError(
            f"{_host(url)} offers {megabytes(total)} MB, "
            f"but {expected.title} has {megabytes(expected.size)} MB: "
            "it is another file, or a page that asks you to log in."
        )
    return start, total if total is not None else expected.size


def _copy(
    stream: _Stream,
    file: BinaryIO,
    done: int,
    total: int | None,
    title: str,
    tell: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    of = f" of {megabytes(total)}" if total is not None else ""
    tell(Progress(done, total, f"Downloading {title}: {megabytes(done)}{of} MB"))
    while block := stream.block(cancelled):
        file.write(block)
        done += len(block)
        if total is not None and done > total:
            raise DataError(
                f"The server sends more than the {megabytes(total)} MB of {title}: it is another file."
            )
        tell(Progress(done, total, f"Downloading {title}: {megabytes(done)}{of} MB"))
    file.flush()
    os.fsync(file.fileno())
    if total is not None and done < total:
        raise _Interrupted(f"The connection broke off after {megabytes(done)}{of} MB")


class _Stream:
    """An answer, read by a thread of its own, so that a slow look-up or silent server delays no cancel.

    The thread touches no file. Left alone in the middle of a wait, it ends when the socket's time is up.
    """

    def __init__(self, url: str, start: int, stall: float) -> None:
        self._url = url
        self._start = start
        self._stall = stall
        self._queue: queue.Queue[http.client.HTTPResponse | bytes | Exception] = queue.Queue(16)
        self._abandoned = threading.Event()
        threading.Thread(target=self._read, name="download", daemon=True).start()

    def head(self, cancelled: CancelFunction) -> http.client.HTTPResponse:
        """The answer's status and headers."""
        head = self._next(cancelled)
        assert not isinstance(head, bytes)
        return head

    def block(self, cancelled: CancelFunction) -> bytes:
        """The next bytes; none at the end."""
        block = self._next(cancelled)
        assert isinstance(block, bytes)
        return block

    def abandon(self) -> None:
        """Nobody will ask any more."""
        self._abandoned.set()

    def _next(self, cancelled: CancelFunction) -> http.client.HTTPResponse | bytes:
        deadline = time.monotonic() + self._stall
        while True:
            check(cancelled)
            try:
                item = self._queue.get(timeout=0.05)
            except queue.Empty:
                if time.monotonic() > deadline:
                    raise self._silence() from None
                continue
            if isinstance(item, Exception):
                raise self._translated(item) from item
            return item

    def _read(self) -> None:
        # Loaded when something is downloaded: the window, which lists the data sets, must not wait for it.
        import urllib.request

        headers = {"User-Agent": f"cnnstudio/{__version__}", "Accept-Encoding": "identity"}
        if self._start:
            headers["Range"] = f"bytes={self._start}-"
        try:
            request = urllib.request.Request(self._url, headers=headers)
            with urllib.request.urlopen(request, timeout=self._stall) as response:
                self._put(response)
                block = b"-"
                while block and not self._abandoned.is_set():
                    block = response.read1(_BLOCK)
                    self._put(block)
        except Exception as error:  # whatever it is, the one who asked has to hear of it
            self._put(error)

    def _put(self, item: http.client.HTTPResponse | bytes | Exception) -> None:
        while not self._abandoned.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def _silence(self) -> _Interrupted:
        return _Interrupted(f"{_host(self._url)} sent nothing for {self._stall:g} seconds", final=True)

    def _translated(self, error: Exception) -> Exception:
        import http.client
        import urllib.error

        host = _host(self._url)
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            answer = f"{host} answers {error.code} ({error.reason or 'no reason given'}) for {self._url}"
            if error.code == 416:
                return _RangeRefused()
            if error.code in _AGAIN:
                return _Interrupted(answer)
            return DataError(f"{answer}: the file is not to be had there now.")
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return self._silence()
        if isinstance(
            reason, http.client.IncompleteRead | ConnectionResetError | http.client.RemoteDisconnected
        ):
            return _Interrupted(f"The connection to {host} broke off")
        words = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return _Interrupted(f"Cannot reach {host} ({words}): check the network connection", final=True)


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or url


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait(seconds: float, cancelled: CancelFunction) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(cancelled)
        time.sleep(0.05)
