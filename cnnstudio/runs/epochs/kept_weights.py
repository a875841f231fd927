"""The weights that a run keeps of its epochs, to be looked at later; one file each. Needs no torch.

`weights/epoch-007.safetensors` has the weights that were evaluated at that epoch's end, in half precision
where that is precise enough. Training does not need these files: whoever deletes them loses only views of
the past. Which are deleted when there are too many, is decided here as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from safetensors import SafetensorError

from cnnstudio.core.files import read_regular, write_atomically
from cnnstudio.runs.errors import RunError

Weights = dict[str, npt.NDArray[Any]]
"""Name -> array, names and shapes as in the model's state dict; floats are float16 or float32."""

RUN_BYTES = 256 * 2**20
"""The most that a run keeps."""
HOME_BYTES = 5 * 10**9
"""The most that all runs in the user's runs folder keep together."""

_FORMAT, _VERSION = "cnnstudio.weights", "1"
_FOLDER = "weights"
_NAME = re.compile(r"epoch-(\d{3,9})\.safetensors")


def weights_path(folder: Path, epoch: int) -> Path:
    return folder / _FOLDER / f"epoch-{epoch:03d}.safetensors"


def kept_epochs(folder: Path) -> list[int]:
    """The epochs of a run whose weights are kept, ascending; 0 is before training."""
    return sorted(kept_sizes(folder))


def kept_sizes(folder: Path) -> dict[int, int]:
    """The bytes of each of these files, by epoch. Links do not count, because none is written."""
    found: dict[int, int] = {}
    with contextlib.suppress(OSError), os.scandir(folder / _FOLDER) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if match is not None and stat.S_ISREG(status.st_mode):
                    found[int(match[1])] = status.st_size
    return found


def write_weights(folder: Path, epoch: int, weights: Mapping[str, npt.NDArray[Any]], owner: str) -> None:
    """Writes the weights of an epoch; `owner` tells the run from others of the same design.

    Not synced to the disk: after a power cut the file may be damaged, which its hash shows. Raises FileError.
    """
    about = {
        "format": _FORMAT,
        "version": _VERSION,
        "epoch": str(epoch),
        "run": owner,
        "sha256": _digest(weights),
    }
    data = safetensors.numpy.save(dict(weights), about)
    write_atomically(weights_path(folder, epoch), data, durable=False)


def read_weights(folder: Path, epoch: int, owner: str) -> Weights:
    """The weights of an epoch. Raises RunError if they are not kept, damaged, or those of another run."""
    path = weights_path(folder, epoch)
    try:
        data = read_regular(path, RUN_BYTES)
    except FileNotFoundError:
        raise RunError(f"The weights of epoch {epoch:,} were not kept.") from None
    except OSError as error:
        raise RunError(f"The weights of epoch {epoch:,} cannot be read: {error.strerror}.") from None
    try:
        weights = safetensors.numpy.load(data)
        about = _metadata(data)
    # Whoever wrote the file could put anything into its header.
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(path) from None
    if about.get("format") != _FORMAT:
        raise _damaged(path)
    if about.get("version") != _VERSION:
        raise RunError(
            f"The weights of epoch {epoch:,} were written by a newer version of CNN Studio: update the "
            "program to use them."
        )
    if about.get("epoch") != str(epoch) or about.get("run") != owner:
        raise RunError(f"The file {path.name} has the weights of another run or epoch.")
    is_sound = all(each.dtype.kind in "fiub" and np.isfinite(each).all() for each in weights.values())
    if not is_sound or about.get("sha256") != _digest(weights):
        raise _damaged(path)
    return weights


def _metadata(data: bytes) -> dict[str, Any]:
    """What the header of a file that could be loaded says besides its tensors."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = header.get("__metadata__", {})
    if not isinstance(about, dict):
        raise ValueError("the metadata is not an object")
    return about


def _digest(weights: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 (hex) of the names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = np.ascontiguousarray(weights[name])
        digest.update(f"{name}\0{values.dtype.str}\0{values.shape}\0".encode("utf-8", "backslashreplace"))
        digest.update(values.data)
    return digest.hexdigest()


def _damaged(path: Path) -> RunError:
    return RunError(f"The kept weights in {path.name} are damaged.")


def epochs_to_delete(sizes: Mapping[int, int], best: int | None, budget: int) -> list[int]:
    """The epochs to delete so that the others have at most `budget` bytes.

    What stays is the first, the best and the last, and of the others every second, every fourth and so on,
    as many as fit. If not even these three fit, the last is the most useful, then the best.
    """
    if sum(sizes.values()) <= budget:
        return []
    epochs = sorted(sizes)
    always = [epochs[-1], epochs[0]]
    if best is not None and best in sizes:
        always.insert(1, best)
    step = 2
    while step <= epochs[-1]:
        kept = {each for each in epochs if each % step == 0} | set(always)
        if sum(sizes[each] for each in kept) <= budget:
            return [each for each in epochs if each not in kept]
        step *= 2
    kept, left = set(), budget
    for each in dict.fromkeys(always):
        if sizes[each] <= left:
            kept.add(each)
            left -= sizes[each]
    return [each for each in epochs if each not in kept]


def delete_epochs(folder: Path, epochs: list[int]) -> None:
    """Deletes the weights of these epochs; those that cannot be deleted stay."""
    for epoch in epochs:
        with contextlib.suppress(OSError):
            weights_path(folder, epoch).unlink()
