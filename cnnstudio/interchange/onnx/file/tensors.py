"""The constants in an ONNX file, or in files beside it: checked at once, their values read later."""

from __future__ import annotations

import math
import ntpath
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnstudio.core.parameters import shorten
from cnnstudio.interchange.onnx.arrays import MAXIMUM_ELEMENTS, MAXIMUM_RANK, Array
from cnnstudio.interchange.onnx.errors import OnnxError
from cnnstudio.interchange.onnx.file.wire import BYTES, FileBytes, Reader, Span, span_of

_BFLOAT16 = 16
_TYPES: Mapping[int, str] = {
    1: "<f4",
    2: "<u1",
    3: "<i1",
    4: "<u2",
    5: "<i2",
    6: "<i4",
    7: "<i8",
    9: "?",
    10: "<f2",
    11: "<f8",
    12: "<u4",
    13: "<u8",
    _BFLOAT16: "<u2",
}
"""Type in a file -> numpy's."""
TYPE_NAMES: Mapping[int, str] = {
    1: "float",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "double",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
}


class TensorReader:
    """Reads messages of the type TensorProto."""

    def __init__(self, source: FileBytes, reader: Reader) -> None:
        self._source = source
        self._reader = reader
        self.data_files: dict[str, FileBytes] = {}
        """The files beside it that hold values, by their path in the file."""

    def read(self, span: Span) -> tuple[str, Array]:
        name, kind, is_external = "", 0, False
        dims, numbers = list[int](), list[int]()
        entries: dict[str, str] = {}
        raw: list[Span] = []
        floats: list[float] = []
        for number, wire, value in self._reader.fields(span):
            if number == 1:
                dims += self._reader.integers(wire, value)
            elif number == 2 and isinstance(value, int):
                kind = value
            elif number == 8 and wire == BYTES:
                name = self._reader.text(value)
            elif number in (4, 9, 10) and wire == BYTES:
                # A packed list of floats is what raw data are: values in a row, lowest byte first.
                raw.append(span_of(value))
            elif number == 4:
                floats += self._reader.floats(wire, value)
            elif number in (5, 7, 11):
                numbers += self._reader.integers(wire, value)
            elif number == 13 and wire == BYTES:
                key, text = self._entry(span_of(value))
                entries[key] = text
            elif number == 14 and isinstance(value, int):
                is_external = value == 1
        label = f"the constant “{shorten(name)}”" if name else "a constant"
        self._require_dims(label, dims)
        if kind not in _TYPES:
            return name, _unreadable(label, dims, kind)
        dtype = np.dtype(_TYPES[kind])
        if is_external:
            return name, self._external(label, entries, dims, dtype, kind)
        if numbers or floats:
            return name, _listed(label, numbers or floats, dims, dtype, kind)
        if len(raw) > 1:
            raise OnnxError(f"{label} is stored in several parts")
        start, end = raw[0] if raw else (0, 0)
        return name, _stored(label, self._source, start, end - start, dims, dtype, kind)

    def _require_dims(self, label: str, dims: list[int]) -> None:
        if len(dims) > MAXIMUM_RANK or min(dims, default=1) < 0 or math.prod(dims) > MAXIMUM_ELEMENTS:
            sizes = " × ".join(map(str, dims[:MAXIMUM_RANK]))
            raise OnnxError(f"{label} has the impossible shape {shorten(sizes, 80)}")

    def _entry(self, span: Span) -> tuple[str, str]:
        key = text = ""
        for number, wire, value in self._reader.fields(span):
            if number == 1 and wire == BYTES:
                key = self._reader.text(value)
            elif number == 2 and wire == BYTES:
                text = self._reader.text(value)
        return key, text

    def _external(
        self, label: str, entries: Mapping[str, str], dims: list[int], dtype: np.dtype, kind: int
    ) -> Array:
        source = self._data_file(label, entries.get("location", ""))
        needed = math.prod(dims) * dtype.itemsize
        start, length = (_number(label, entries, key) for key in ("offset", "length"))
        start, length = start or 0, needed if length is None else length
        if start + length > source.size:
            raise OnnxError(f"{label} lies outside of {shorten(source.path.name, 60)}, which is too short")
        return _stored(label, source, start, length, dims, dtype, kind)

    def _data_file(self, label: str, location: str) -> FileBytes:
        """The file beside the ONNX file, or in a folder beside it, that a constant names."""
        if location in self.data_files:
            return self.data_files[location]
        shown = shorten(location, 60)
        parts = location.replace("\\", "/").split("/")
        is_absolute = posixpath.isabs(location) or ntpath.isabs(location) or ntpath.splitdrive(location)[0]
        if not location or "\0" in location or is_absolute or ".." in parts or len(self.data_files) > 1_000:
            raise OnnxError(
                f"{label} is stored in “{shown}”, and only files in the folder of the ONNX file are read"
            )
        folder = os.path.realpath(self._source.path.parent)
        path = os.path.realpath(os.path.join(folder, *parts))
        if os.path.commonpath((folder, path)) != folder:
            raise OnnxError(
                f"{label} is stored in “{shown}”, a link that leads out of the folder of the file"
            )
        try:
            found = FileBytes.of(Path(path))
        except OnnxError as error:
            raise OnnxError(f"{label} is stored in another file: {error}") from None
        self.data_files[location] = found
        return found


def _unreadable(label: str, dims: list[int], kind: int) -> Array:
    """An array of texts, or of numbers of a type that numpy does not have: an error only where it is used."""

    def load() -> np.ndarray:
        raise OnnxError(f"{label} has values of the type {TYPE_NAMES.get(kind, kind)}")

    return Array(tuple(dims), np.dtype(object), load)


def _number(label: str, entries: Mapping[str, str], key: str) -> int | None:
    text = entries.get(key)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise OnnxError(f"{label} is stored at an impossible place ({key} {shorten(text)})")
    return int(text)


def _stored(
    label: str, source: FileBytes, start: int, length: int, dims: list[int], dtype: np.dtype, kind: int
) -> Array:
    """An array of which each value is in the file, one after the other."""
    if math.prod(dims) * dtype.itemsize != length:
        sizes = " × ".join(map(str, dims)) or "one value"
        raise OnnxError(f"{label} has the shape {sizes}, but {length:,} bytes of values")

    def load() -> np.ndarray:
        value = np.frombuffer(source.read(start, length), dtype).reshape(dims)
        return _widened(value) if kind == _BFLOAT16 else value

    return Array(tuple(dims), np.dtype(np.float32) if kind == _BFLOAT16 else dtype, load)


def _listed(
    label: str, values: list[int] | list[float], dims: list[int], dtype: np.dtype, kind: int
) -> Array:
    """An array of values that are listed one by one."""
    if math.prod(dims) != len(values):
        raise OnnxError(f"{label} has {len(values):,} values that do not fit its shape")
    if kind in (10, _BFLOAT16):
        # The bits of half precision are listed as integers.
        bits = np.array(values, np.int64).astype(np.uint16)
        value = _widened(bits) if kind == _BFLOAT16 else bits.view(np.float16)
    else:
        value = np.array(values).astype(dtype)
    value = value.reshape(dims)
    return Array(tuple(dims), value.dtype, lambda: value)


def _widened(bits: np.ndarray) -> np.ndarray:
    """bfloat16, given by its bits, as float32: the same bits and 16 zeros."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
