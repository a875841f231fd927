"""Downloads large files over HTTP, with resume, cancellation and a checksum.

**Resuming.** Data is appended to `<name>.part`. The next attempt, in this call or in a later run of the
program, asks the server for the rest with a Range header. A server may ignore the header and send everything
(status 200), answer with another range, or refuse (416); each case is detected from the answer's headers, and
the part file is truncated or deleted accordingly.

**Verifying.** The final name appears only when the MD5 of the complete file is right, so that code that finds
the file can trust it. This matters for CIFAR-10 in particular, whose files are pickles: no byte of a file
with a wrong checksum is ever unpickled.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cnnstudio.core.files import open_regular
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
from cnnstudio.data.transfer.response import (
    DEFAULT_RETRY_POLICY,
    Interrupted,
    RangeRefused,
    ResponseReader,
    RetryPolicy,
    ServerError,
    host_of,
)
from cnnstudio.data.transfer.speed import DownloadSpeed

if TYPE_CHECKING:
    import http.client

_SILENT_SECONDS = 3
"""After which a server is said to send nothing."""
_MAX_UNKNOWN_SIZE = 10_000_000_000
"""Bytes after which a download ends of which neither the server nor we know the size."""


@dataclass(frozen=True)
class ExpectedFile:
    """What the complete file must be: its name for people, its MD5 (hex) and its size in bytes, if known."""

    title: str
    md5: str
    size: int | None = None


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
                f"The file from {host_of(url)} is not {expected.title}, or was damaged in transit "
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
        except Interrupted as error:
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
    """One connection: appends the missing data to `part`. Raises Interrupted, DataError or Cancelled."""
    start = _size(part)
    # Complete already, if the program ended between the last byte and the checksum. A part that is too long
    # cannot be of this file. Asking for a range behind the end would only give a 416.
    if expected.size is not None and start >= expected.size:
        if start == expected.size:
            return
        part.unlink()
        start = 0
    reader = ResponseReader(url, start, retry)
    try:
        start, total = _offset_and_size(reader.response(cancelled), url, start, expected)
        with open(part, "ab") as file:
            # To 0 if the server sends everything. In mode "a", each write goes to the end of the file,
            # wherever that is by then.
            file.truncate(start)
            _copy(reader, file, start, total, expected.title, progress, cancelled)
    except RangeRefused:
        part.unlink()
        raise Interrupted(f"{host_of(url)} could not resume the download") from None
    finally:
        reader.close()


def _offset_and_size(
    response: http.client.HTTPResponse, url: str, requested: int, expected: ExpectedFile
) -> tuple[int, int | None]:
    """(offset of the response's first byte in the file, size of the whole file if known).

    Raises RangeRefused if the server continues at another offset than `requested`, and DataError if it
    announces a size other than the expected one. The latter catches login pages before they replace a partial
    download.
    """
    start, total = 0, None
    length = response.headers.get("Content-Length")
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if not found or int(found[1]) != requested:
            raise RangeRefused
        start, total = requested, None if found[2] == "*" else int(found[2])
    elif length is not None and length.isdecimal():
        # 200: the server ignored the Range header and sends the file from the beginning.
        total = int(length)
    if total is not None and expected.size is not None and total != expected.size:
        raise ServerError(
            f"{host_of(url)} offers {format_megabytes(total)} MB, "
            f"but {expected.title} has {format_megabytes(expected.size)} MB: "
            "it is a different file, or a login page."
        )
    return start, total if total is not None else expected.size


def _copy(
    reader: ResponseReader,
    file: BinaryIO,
    done: int,
    total: int | None,
    title: str,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    of_total = f" of {format_megabytes(total)}" if total is not None else ""
    limit = _MAX_UNKNOWN_SIZE if total is None else total
    speed = DownloadSpeed(done, total)
    said = 0

    def report(state: str) -> None:
        progress(Progress(done, total, f"Downloading {title}: {format_megabytes(done)}{of_total} MB{state}"))

    def on_wait(seconds: float) -> None:
        nonlocal said
        # Once a second. What came before may have been too soon after the last report to be shown.
        if int(seconds) != said:
            said = int(seconds)
            report(f", nothing received for {said} s" if said >= _SILENT_SECONDS else "")

    report("")
    while block := reader.read_block(cancelled, on_wait):
        file.write(block)
        done += len(block)
        if done > limit:
            raise ServerError(
                f"The server sent more than {format_megabytes(limit)} MB for {title}: it is a different file."
            )
        report(speed.text(done))
    # Onto the disk, because the rename that follows may otherwise survive a power failure that the data does
    # not.
    file.flush()
    os.fsync(file.fileno())
    if total is not None and done < total:
        raise Interrupted(f"The connection was lost after {format_megabytes(done)}{of_total} MB")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait(seconds: float, cancelled: CancelFunction) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        raise_if_cancelled(cancelled)
        time.sleep(0.05)
