"""Strategies that damage files of arrays: `.npz` and `.safetensors`."""

from __future__ import annotations

import contextlib
import io
import json
import math
import warnings
import zipfile
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzz.mutations import Draw, damaged_bytes, damaged_document, documents, dump


@st.composite
def archives(draw: Draw, data: bytes) -> bytes:
    """A `.npz` file with arrays of another type, shape or header, or an archive that lies about itself."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    kinds = [zipfile.ZIP_DEFLATED] * 8 + [zipfile.ZIP_STORED, zipfile.ZIP_LZMA]
    compression = draw(st.sampled_from(kinds))
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(members)))
        kind = draw(
            st.sampled_from(["array"] * 4 + ["header"] * 3 + ["bytes", "remove", "bomb", "other", "json"])
        )
        if kind == "array":
            members[name] = draw(_arrays(members[name]))
        elif kind == "header":
            members[name] = draw(_headers(members[name]))
        elif kind == "bytes":
            members[name] = draw(damaged_bytes(members[name]))
        elif kind == "remove" and len(members) > 1:
            del members[name]
        elif kind == "bomb":
            members[name] += bytes(draw(st.sampled_from([2**20] * 9 + [66 * 2**20])))
        elif kind == "other":
            members[name] = members[draw(st.sampled_from(sorted(members)))]
        elif kind == "json" and "about.npy" in members:
            about = _read_npy(members["about.npy"])
            # An earlier change may have left no document.
            with contextlib.suppress(ValueError, RecursionError):
                document = b"" if about is None else about.tobytes()
                members["about.npy"] = _npy(np.frombuffer(draw(documents(document)), np.uint8))
    buffer = io.BytesIO()
    # The same name twice is a warning.
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(draw(st.sampled_from([name] * 30 + ["../x", name.upper(), "x" * 300])), content)
    written = buffer.getvalue()
    if draw(st.integers(0, 4)) == 0:
        written = draw(_directories(written))
    return written


def _read_npy(data: bytes) -> Any:
    """The array; None if an earlier change has damaged it, which numpy reports by many kinds of errors."""
    try:
        return np.load(io.BytesIO(data))
    except Exception:
        return None


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


@st.composite
def _arrays(draw: Draw, data: bytes) -> bytes:
    array = _read_npy(data)
    if array is None:
        return data
    kind = draw(st.sampled_from(["type", "shape", "fill", "cut", "fortran", "object", "huge"]))
    if kind == "type":
        types = ["f4", "f8", "f2", "i1", "u2", "i8", "?", ">f4", "c8", "S3", "U2", "M8[s]", "V4", "u1,i2"]
        return _npy(np.zeros(array.shape, draw(st.sampled_from(types))))
    if kind == "shape":
        shape = list(array.shape)
        changes = [
            shape[::-1],
            [*shape, 1],
            shape[1:],
            [1, *shape],
            [0, *shape[1:]],
            [*shape[:-1], 0],
            [1] * 40,
        ]
        new = draw(st.sampled_from(changes))[:30]
        return _npy(np.zeros(new, array.dtype))
    if kind == "fill":
        value = draw(st.sampled_from([0, 1, 127, 200, -1, math.nan, math.inf, 1e30]))
        with np.errstate(all="ignore"):
            filled = np.full(array.shape, value, np.float64).astype(array.dtype)
        return _npy(filled)
    if kind == "cut":
        return _npy(array[: draw(st.integers(0, 3))] if array.ndim else array)
    if kind == "fortran":
        return _npy(np.asfortranarray(array))
    if kind == "huge":
        shape = draw(
            st.sampled_from([(5, 4096, 64, 64), (1, 1, 1, 2**20), (2**20, 1, 1, 1), (5, 64, 400, 400)])
        )
        return _npy(np.zeros(shape, np.uint8))
    return _npy(np.array([{"a": 1}], dtype=object))


@st.composite
def _headers(draw: Draw, data: bytes) -> bytes:
    """The header of a `.npy` file that speaks of other data than follow."""
    shapes = [
        "()",
        "(5,)",
        "(-1, 4)",
        "(2**40,)",
        f"({2**62}, 4)",
        f"({10**30},)",
        "(1.5, 2)",
        "5",
        "('a',)",
        "(0, 0)",
    ]
    shapes += [f"({10**9}, {10**9}, 0)", "(" + "1, " * 70 + ")", "(True, 5)"]
    types = [
        "'|u1'",
        "'<f4'",
        "'<f99'",
        "'|O'",
        "'<U1000000000'",
        "[('a', '|u1')]",
        "'x'",
        "5",
        "('|u1', (9, 9))",
    ]
    text = (
        f"{{'descr': {draw(st.sampled_from(types))}, 'fortran_order': "
        f"{draw(st.sampled_from(['False', 'True', '3']))}, 'shape': {draw(st.sampled_from(shapes))}, }}\n"
    )
    text = draw(st.sampled_from([text] * 6 + ["(" * 300, "{", "[" * 5000 + "]" * 5000]))
    version = draw(st.sampled_from([1, 1, 1, 2, 3, 9]))
    size = len(text) + draw(st.sampled_from([0, 0, 0, 0, 1, 60000, -1]))
    width = 2 if version == 1 else 4
    length = (size % 256**width).to_bytes(width, "little")
    body = data[128:] if draw(st.booleans()) else b""
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + body


@st.composite
def _directories(draw: Draw, data: bytes) -> bytes:
    """An archive whose directory has other sizes, offsets, methods or flags than its members."""
    start = data.rfind(b"PK\x01\x02")
    offsets = draw(st.sampled_from([[8], [10], [20, 24], [24], [42], [28], [30]]))
    changed = bytearray(data)
    for offset in offsets:
        value = draw(st.sampled_from([0, 1, 99, 2**16, 2**31, 2**32 - 1]))
        width = 2 if offset in (8, 10, 28, 30) else 4
        changed[start + offset : start + offset + width] = (value % 256**width).to_bytes(width, "little")
    return bytes(changed)


@st.composite
def tensors(draw: Draw, data: bytes) -> bytes:
    """A `.safetensors` file with another header: types, shapes, offsets, names, lengths."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = draw(st.sampled_from(["document"] * 3 + ["entry"] * 4 + ["length", "body", "values", "values"]))
    if kind == "document":
        header = draw(damaged_document(header))
    elif kind == "entry":
        entry = draw(st.sampled_from([value for value in header.values() if "shape" in value]))
        types = ["F32", "F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "I8", "U64", "X", ""]
        entry["dtype"] = draw(st.sampled_from([entry["dtype"], *types]))
        shape = entry["shape"]
        entry["shape"] = draw(
            st.sampled_from(
                [shape, shape[::-1], [], [0], [*shape, 1], [2**40, *shape], [-1], [2**63, 2], [1] * 99]
            )
        )
        begin, end = entry["data_offsets"]
        entry["data_offsets"] = draw(
            st.sampled_from(
                [[begin, end]] * 4 + [[0, end], [end, begin], [begin, 2**62], [-1, 4], [0, 0], [begin]]
            )
        )
    elif kind == "body":
        body = draw(damaged_bytes(body))
    elif kind == "values":
        value = draw(st.sampled_from([math.nan, math.inf, -1.0, 3e38, 1e-40, 0.0]))
        body = np.full(len(body) // 4, value, "<f4").tobytes()
    text = dump(header)
    size = len(text)
    if kind == "length":
        size = draw(
            st.sampled_from([0, 1, size - 1, size + 1, size + len(body) + 1, 2**31, 2**62, 2**64 - 1])
        )
    return size.to_bytes(8, "little") + text + body
