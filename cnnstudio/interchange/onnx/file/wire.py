"""Protocol buffers, as far as ONNX files need them (https://protobuf.dev/programming-guides/encoding/).

Only the structure is read, field by field. The bytes of weights are skipped: their place in the file is kept,
and they are read when they are needed. So a file takes little memory, whatever its size, and no program that
parses everything at once can be made to fill it.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cnnstudio.core.files import open_regular
from cnnstudio.interchange.onnx.errors import OnnxError

MAXIMUM_FIELDS = 1_000_000
"""The most fields that are looked at. EfficientNet-B7 has a tenth of that."""
MAXIMUM_TEXT = 64 * 1024
"""Bytes of one text."""
MAXIMUM_TEXTS = 32 * 2**20
"""Bytes of all texts and short lists of numbers."""
MAXIMUM_FILE = 16 * 2**30
_CHUNK = 128 * 1024

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""

Span = tuple[int, int]
"""(start, end) in the file."""
DAMAGED = "this is not an ONNX file, or it is damaged"


@dataclass(frozen=True)
class FileBytes:
    """Any part of a file, which is opened for each part and must not have changed meanwhile."""

    path: Path
    size: int
    changed: int
    """Its modification time, in nanoseconds."""

    @classmethod
    def of(cls, path: Path) -> FileBytes:
        """Raises OnnxError unless it is a regular file that can be read."""
        try:
            with open_regular(path, MAXIMUM_FILE) as file:
                found = os.fstat(file.fileno())
        except FileNotFoundError:
            raise OnnxError(f"there is no file {path.name}") from None
        except OSError as error:
            raise OnnxError(_unreadable(path, error)) from None
        return cls(path, found.st_size, found.st_mtime_ns)

    def read(self, start: int, length: int) -> bytes:
        """Raises OnnxError if they cannot be read, or if the file was written to since."""
        try:
            with open_regular(self.path, MAXIMUM_FILE) as file:
                self.require_unchanged(file)
                file.seek(start)
                data = file.read(length)
        except OSError as error:
            raise OnnxError(_unreadable(self.path, error)) from None
        if len(data) != length:
            raise OnnxError(f"{self.path.name}: {DAMAGED}")
        return data

    def require_unchanged(self, file: BinaryIO) -> None:
        found = os.fstat(file.fileno())
        if (found.st_size, found.st_mtime_ns) != (self.size, self.changed):
            raise OnnxError(f"{self.path.name} has changed while it was read: import it again")


def _unreadable(path: Path, error: OSError) -> str:
    if error.errno == errno.EFBIG:
        return f"{path.name} is larger than {MAXIMUM_FILE // 2**30} GB"
    return f"{path.name} cannot be read ({error.strerror})"


@dataclass
class Reader:
    """Fields of messages in one open file."""

    file: BinaryIO
    size: int
    _fields: int = 0
    _texts: int = 0
    _chunk: bytes = b""
    _chunk_start: int = 0

    def fields(self, span: Span) -> Iterator[tuple[int, int, int | Span]]:
        """(number, wire type, value) of a message's fields; the value is a Span for BYTES, else bits.

        Raises OnnxError if they are damaged, or too many.
        """
        place, end = span
        while place < end:
            self._fields += 1
            if self._fields > MAXIMUM_FIELDS:
                raise OnnxError(f"it has more than {MAXIMUM_FIELDS:,} parts, which no network needs")
            key, place = self.varint(place, end)
            number, wire = key >> 3, key & 7
            value: int | Span
            if wire == VARINT:
                value, place = self.varint(place, end)
            elif wire in (FIXED32, FIXED64):
                width = 4 if wire == FIXED32 else 8
                value = int.from_bytes(self._bytes((place, self._within(place + width, end))), "little")
                place += width
            elif wire == BYTES:
                length, place = self.varint(place, end)
                value = (place, self._within(place + length, end))
                place += length
            else:
                raise OnnxError(DAMAGED)
            if number == 0:
                raise OnnxError(DAMAGED)
            yield number, wire, value

    def _within(self, place: int, end: int) -> int:
        if place > end:
            raise OnnxError(DAMAGED)
        return place

    def varint(self, place: int, end: int) -> tuple[int, int]:
        """(value, place after it)."""
        value = shift = 0
        while True:
            if place >= end or shift > 63:
                raise OnnxError(DAMAGED)
            byte = self._byte(place)
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, place
            shift += 7

    def text(self, span: int | Span) -> str:
        """A text; bytes that are not UTF-8 are escaped, so that different names stay different."""
        return self._bytes(span_of(span)).decode("utf-8", "backslashreplace")

    def integers(self, wire: int, value: int | Span) -> list[int]:
        """One integer, or those of a packed list. Signed, of 64 bits."""
        if wire == VARINT:
            assert isinstance(value, int)
            return [signed(value)]
        place, end = span_of(value)
        self._count_text(end - place)
        found = []
        while place < end:
            each, place = self.varint(place, end)
            found.append(signed(each))
        return found

    def floats(self, wire: int, value: int | Span) -> list[float]:
        """One float32, or those of a packed list."""
        if wire == FIXED32:
            assert isinstance(value, int)
            return [float_of(value)]
        data = self._bytes(span_of(value))
        if len(data) % 4:
            raise OnnxError(DAMAGED)
        return list(struct.unpack(f"<{len(data) // 4}f", data))

    def _count_text(self, length: int) -> None:
        self._texts += length
        if length > MAXIMUM_TEXT or self._texts > MAXIMUM_TEXTS:
            raise OnnxError("its names and settings are longer than those of any network")

    def _bytes(self, span: Span) -> bytes:
        start, end = span
        self._count_text(end - start)
        if start < self._chunk_start or end > self._chunk_start + len(self._chunk):
            self._load(start)
        return self._chunk[start - self._chunk_start : end - self._chunk_start]

    def _byte(self, place: int) -> int:
        index = place - self._chunk_start
        if not 0 <= index < len(self._chunk):
            self._load(place)
            index = 0
        return self._chunk[index]

    def _load(self, place: int) -> None:
        self.file.seek(place)
        # Longer than any text, so that a text is always within one chunk.
        self._chunk, self._chunk_start = self.file.read(_CHUNK), place
        if not self._chunk:
            raise OnnxError(DAMAGED)


def span_of(value: int | Span) -> Span:
    if isinstance(value, int):
        raise OnnxError(DAMAGED)
    return value


def signed(value: int) -> int:
    """The 64 bits as a signed integer."""
    return value - 2**64 if value >= 2**63 else value


def float_of(bits: int) -> float:
    """The float32 of 32 bits."""
    return float(struct.unpack("<f", struct.pack("<I", bits & 0xFFFF_FFFF))[0])
