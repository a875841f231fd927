"""Snapshots: what all layers compute for a few example images, one small file per epoch. Needs no torch."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnstudio.core.files import write_atomically
from cnnstudio.data.dataset import Split
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.runs.errors import RunError

MAX_BYTES = 2 * 2**20
"""All maps of one snapshot, uncompressed."""

_MAX_READ_BYTES = 64 * 2**20
"""Refuses a file that would unpack to more, such as a zip bomb from a stranger's run."""

_IMAGES = "pictures"
"""The array of the example images. Part of the file format: old runs have it, and other programs read it."""

# (maps per layer, pixels per side), in the order in which they are given up: few large maps show less than
# many small ones, until they are too small to recognize anything.
_LIMITS = ((64, 64), (48, 48), (32, 32), (16, 32), (16, 16), (8, 16), (8, 8), (4, 8), (4, 4), (1, 4))


def size_limits(shapes: Iterable[tuple[int, ...]], images: int) -> tuple[int, int]:
    """(maps per layer, pixels per side) with which a snapshot of `images` images stays below MAX_BYTES.

    `shapes` are the output shapes of the layers, (K, h, w) or (K,). A network of very many layers may
    exceed it even with the smallest limits.
    """
    shapes = list(shapes)
    fitting = (limit for limit in _LIMITS if images * _bytes(shapes, *limit) <= MAX_BYTES)
    return next(fitting, _LIMITS[-1])


def _bytes(shapes: Iterable[tuple[int, ...]], max_maps: int, side: int) -> int:
    """Bytes per image. A flat layer may have four times as many values as other layers have maps."""
    return sum(
        min(shape[0], max_maps) * min(shape[1], side) * min(shape[2], side)
        if len(shape) == 3
        else min(shape[0], 4 * max_maps)
        for shape in shapes
    )


def snapshot_path(folder: Path, epoch: int) -> Path:
    return folder / "snapshots" / f"epoch-{epoch:03d}.npz"


def snapshot_epochs(folder: Path) -> list[int]:
    """The epochs that have a snapshot, ascending; 0 is before training."""
    numbers = (path.stem.removeprefix("epoch-") for path in (folder / "snapshots").glob("epoch-*.npz"))
    return sorted(int(number) for number in numbers if number.isdecimal())


def write_snapshot(path: Path, maps: Iterable[FeatureMaps], examples: Split) -> None:
    """Writes the maps of all layers for all `examples`. Raises FileError."""
    layers: dict[str, list[FeatureMaps]] = {}
    for each in maps:
        layers.setdefault(each.node_id, []).append(each)
    about = {
        node_id: {
            "scales": [[each.low, each.high] for each in found],
            "dead": found[0].dead,
            "total": found[0].total,
        }
        for node_id, found in layers.items()
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        _IMAGES: examples.images,
        "labels": examples.labels,
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
    }
    arrays |= {node_id: np.stack([each.maps for each in found]) for node_id, found in layers.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes names for options
    write_atomically(path, buffer.getvalue())


class Snapshot:
    """One epoch of a run, read layer by layer. Raises RunError if the file is missing or damaged."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.epoch = epoch
        self._path = path

    @cached_property
    def images(self) -> npt.NDArray[np.uint8]:
        """The example images, uint8 (N, C, H, W)."""
        return self._read(_IMAGES)

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each example image, int64 (N,)."""
        return self._read("labels")

    def feature_maps(self, node_id: str, image: int = 0) -> FeatureMaps | None:
        """The layer's maps for that example image, counted from 0; None for a layer without maps."""
        about = self._about.get(node_id)
        if about is None:
            return None
        maps = self._read(node_id)
        image %= len(maps)
        low, high = about["scales"][image]
        found = maps[image]
        found.flags.writeable = False
        return FeatureMaps(node_id, image, found, low, high, tuple(about["dead"]), about["total"])

    @cached_property
    def _about(self) -> dict[str, Any]:
        try:
            found = json.loads(self._read("about").tobytes())
        except ValueError:
            raise self._damaged() from None
        return found if isinstance(found, dict) else {}

    def _read(self, name: str) -> npt.NDArray[Any]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                if sum(member.file_size for member in archive.infolist()) > _MAX_READ_BYTES:
                    raise self._damaged()
            # Never unpickles: that would run code from the file.
            with np.load(self._path, allow_pickle=False) as file:
                found: npt.NDArray[Any] = file[name]
                return found
        except FileNotFoundError:
            raise RunError(f"The run has no snapshot of epoch {self.epoch}.") from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            raise self._damaged() from None

    def _damaged(self) -> RunError:
        return RunError(f"The snapshot of epoch {self.epoch} is damaged: {self._path.name} cannot be read.")
