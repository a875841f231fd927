"""Writes weights as safetensors, one tensor after the other (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from cnnstudio.core.files import atomic_writer
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.errors import OnnxError

_PART = 2**20
"""Values."""
_TYPES = {"float32": ("F32", "<f4"), "int64": ("I64", "<i8")}


def check_weights(
    weights: Mapping[str, Array], progress: ProgressFunction, cancelled: CancelFunction
) -> None:
    """Reads each of the weights once. Raises OnnxError if one cannot be read, is NaN or infinite.

    What is computed from them when they are written is checked then.
    """
    leaves = dict.fromkeys((name, leaf) for name, array in weights.items() for leaf in _leaves(array))
    total, done = sum(leaf.size for _, leaf in leaves), 0
    for name, leaf in leaves:
        raise_if_cancelled(cancelled)
        progress(Progress(done, total, "Reading the weights…"))
        _require_finite(name, leaf.load())
        done += leaf.size
    progress(Progress(total, total, "Reading the weights…"))


def _leaves(array: Array) -> Iterator[Array]:
    """What an array is computed from, as it is in the file."""
    pending = [array]
    while pending:
        each = pending.pop()
        pending += each.sources
        if not each.sources:
            yield each


def _require_finite(name: str, value: np.ndarray) -> None:
    if value.dtype.kind != "f":
        return
    # In parts, because a sign for each value of a very large array takes memory as well.
    flat = value.reshape(-1)
    for start in range(0, flat.size, _PART):
        if not np.isfinite(flat[start : start + _PART]).all():
            raise OnnxError(f"its weights hold values that are NaN or infinite (those of {name})")


def values_of(name: str, array: Array) -> np.ndarray:
    """The values of one of the weights. Raises OnnxError, as `check_weights` does."""
    value = np.ascontiguousarray(array.load()).reshape(array.dims)
    _require_finite(name, value)
    return value


def write_weights(
    path: Path,
    weights: Mapping[str, Array],
    metadata: Mapping[str, str],
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    """Writes a safetensors file. Raises OnnxError and FileError, and then leaves no file; Cancelled."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    place = 0
    for name, array in weights.items():
        code, stored = _TYPES["int64" if array.dtype.kind in "iu" else "float32"]
        length = array.size * np.dtype(stored).itemsize
        header[name] = {"dtype": code, "shape": list(array.dims), "data_offsets": [place, place + length]}
        place += length
    text = json.dumps(header, separators=(",", ":")).encode()
    # The data start at a multiple of eight bytes.
    text += b" " * (-len(text) % 8)
    done = 0
    with atomic_writer(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, array in weights.items():
            raise_if_cancelled(cancelled)
            progress(Progress(done, place, "Writing the weights…"))
            stored = _TYPES["int64" if array.dtype.kind in "iu" else "float32"][1]
            data = values_of(name, array).astype(stored, copy=False)
            file.write(data.data if data.flags.c_contiguous and data.ndim else data.tobytes())
            done += data.nbytes
