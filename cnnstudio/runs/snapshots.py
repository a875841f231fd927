"""What all layers made of a few example images, one small file an epoch. Reading it needs no torch."""

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

MOST_BYTES = 2 * 2**20
"""Of all maps of one snapshot, before they are compressed."""

_LARGEST = 64 * 2**20

_IMAGES = "pictures"
"""The name of the example images in the file: other programs and old runs know it."""

_LIMITS = ((64, 64), (48, 48), (32, 32), (16, 32), (16, 16), (8, 16), (8, 8), (4, 8), (4, 4), (1, 4))


def limits(shapes: Iterable[tuple[int, ...]], images: int) -> tuple[int, int]:
    """(maps a layer, pixels a side) that keep outputs of these shapes, (K, h, w) or (K,), small enough."""
    shapes = list(shapes)
    fitting = (limit for limit in _LIMITS if images * _bytes(shapes, *limit) <= MOST_BYTES)
    return next(fitting, _LIMITS[-1])


def _bytes(shapes: Iterable[tuple[int, ...]], most: int, side: int) -> int:
    """Bytes for one image; a flat layer shows four times as many values as another one maps."""
    return sum(
        min(shape[0], most) * min(shape[1], side) * min(shape[2], side)
        if len(shape) == 3
        else min(shape[0], 4 * most)
        for shape in shapes
    )


def snapshot_path(folder: Path, epoch: int) -> Path:
    return folder / "snapshots" / f"epoch-{epoch:03d}.npz"


def snapshot_epochs(folder: Path) -> list[int]:
    """The epochs that have a snapshot; 0 is before the training."""
    numbers = (path.stem.removeprefix("epoch-") for path in (folder / "snapshots").glob("epoch-*.npz"))
    return sorted(int(number) for number in numbers if number.isdecimal())


def write_snapshot(path: Path, maps: Iterable[FeatureMaps], examples: Split) -> None:
    """Writes what layers made of all `examples`. Raises FileError."""
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
    """One epoch of a run, read layer by layer. Raises RunError where the file is missing or damaged."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.epoch = epoch
        self._path = path

    @cached_property
    def images(self) -> npt.NDArray[np.uint8]:
        """The example images, uint8 (N, C, H, W)."""
        return self._read(_IMAGES)

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """Their classes."""
        return self._read("labels")

    def feature_maps(self, node_id: str, image: int = 0) -> FeatureMaps | None:
        """What the layer made of the example image of that number; None for a layer that is not shown."""
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
                if sum(member.file_size for member in archive.infolist()) > _LARGEST:
                    raise self._damaged()
            with np.load(self._path, allow_pickle=False) as file:
                found: npt.NDArray[Any] = file[name]
                return found
        except FileNotFoundError:
            raise RunError(f"The run has no snapshot of epoch {self.epoch}.") from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            raise self._damaged() from None

    def _damaged(self) -> RunError:
        return RunError(f"The snapshot of epoch {self.epoch} is damaged: {self._path.name} cannot be read.")
