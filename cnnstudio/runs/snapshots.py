"""Snapshots: what all layers compute for a few example images, one small file per epoch. Needs no torch.

A snapshot may come from anyone, and its arrays are drawn from their memory. So each array is checked when it
is read: its type, its shape, its size before any memory is taken, and its numbers.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from cnnstudio.core.files import open_regular, write_atomically
from cnnstudio.data.dataset import Split
from cnnstudio.insight.instrument import Instrument
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.errors import RunError

MAX_BYTES = 2 * 2**20
"""All maps of one snapshot, uncompressed."""

_MAX_READ_BYTES = 64 * 2**20
"""Refuses a file that would unpack to more, such as a zip bomb from a stranger's run."""

_IMAGES, _LABELS, _ABOUT = "pictures", "labels", "about"
"""The arrays besides those of the layers. Part of the file format: old runs and other programs have them."""

_VALUES = "values of "
"""Before a layer's id: the exact values of its flat output, float32 (N, K). Older files lack the array."""

_READING = "reading of "
"""Before the name of an instrument and, after a period, of an array of its reading. Older files have none."""

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


def write_snapshot(
    path: Path,
    maps: Iterable[FeatureMaps],
    examples: Split,
    readings: Iterable[tuple[str, Reading]] = (),
) -> None:
    """Writes the maps of all layers for all `examples`, and readings by their instrument's name.

    Raises FileError.
    """
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
        _LABELS: examples.labels,
        _ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8),
    }
    for node_id, found in layers.items():
        arrays[node_id] = np.stack([each.maps for each in found])
        exact = [each.values for each in found if each.values is not None]
        if len(exact) == len(found):
            arrays[_VALUES + node_id] = np.stack(exact)
    for name, reading in readings:
        arrays |= {f"{_READING}{name}.{key}": value for key, value in reading.pack().items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # its stub takes names for options
    write_atomically(path, buffer.getvalue())


class Snapshot:
    """One epoch of a run, read layer by layer. Raises RunError if the file is missing or damaged."""

    def __init__(self, path: Path, epoch: int) -> None:
        self.epoch = epoch
        self._path = path
        self._archive: zipfile.ZipFile | None = None

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Inside, the file is opened once for all that is read: opening it takes longer than most arrays."""
        with self._reading() as archive:
            self._archive = archive
            try:
                yield
            finally:
                self._archive = None

    @cached_property
    def images(self) -> npt.NDArray[np.uint8]:
        """The example images, uint8 (N, C, H, W)."""
        found = self._read(_IMAGES)
        self._require(found.dtype == np.uint8 and found.ndim == 4 and found.size > 0)
        return found

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each example image, int64 (N,)."""
        found = self._read(_LABELS)
        self._require(found.dtype.kind in "iu" and found.shape == (len(self.images),))
        self._require(bool((found >= 0).all() and (found < 2**31).all()))
        return found.astype(np.int64)

    def feature_maps(self, node_id: str, image: int = 0) -> FeatureMaps | None:
        """The layer's maps for that example image, counted from 0; None for a layer without maps."""
        return next(iter(self._maps(node_id, lambda count: (image % count,))), None)

    def all_feature_maps(self, node_id: str) -> list[FeatureMaps]:
        """The layer's maps for each example image, read at once; empty for a layer without maps."""
        return self._maps(node_id, range)

    def _maps(self, node_id: str, choose: Callable[[int], Iterable[int]]) -> list[FeatureMaps]:
        """Those of the images that `choose` chooses of so many."""
        about = self._about.get(node_id)
        if about is None:
            return []
        maps = self._read(node_id)
        scales, dead, total = _read_about(about) or self._refuse()
        self._require(maps.dtype == np.uint8 and maps.ndim == 4 and len(maps) == len(scales) > 0)
        values = self._exact_values(node_id, maps.shape[:2])
        try:
            return [
                FeatureMaps(
                    node_id,
                    image,
                    _read_only(maps[image]),
                    *scales[image],
                    dead,
                    total,
                    None if values is None else _read_only(values[image]),
                )
                for image in choose(len(maps))
            ]
        except ValueError:
            raise self._damaged() from None

    def reading(self, instrument: Instrument) -> Reading | None:
        """What the instrument showed at the end of the epoch; None if it was not taken then."""
        prefix = f"{_READING}{instrument.name}."
        arrays = self._read_all(prefix)
        if not arrays:
            return None
        try:
            return instrument.unpack({name.removeprefix(prefix): each for name, each in arrays.items()})
        except ValueError:
            raise self._damaged() from None

    def _exact_values(self, node_id: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32] | None:
        """float32 (N, K); None for a layer whose output is not flat, and in an older file."""
        found = self._read(_VALUES + node_id, is_optional=True)
        if not found.size:
            return None
        self._require(found.dtype == np.float32 and found.shape == shape)
        return found

    @cached_property
    def _about(self) -> dict[str, Any]:
        try:
            found = json.loads(self._read(_ABOUT).tobytes())
        except (ValueError, RecursionError):
            raise self._damaged() from None
        return found if isinstance(found, dict) else self._refuse()

    def _read(self, name: str, *, is_optional: bool = False) -> npt.NDArray[Any]:
        """The array; an empty one if it `is_optional` and missing."""
        found = self._read_members(lambda member: member == f"{name}.npy")
        if not found and not is_optional:
            raise self._damaged()
        return found.get(name, np.empty(0))

    def _read_all(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays whose names begin so, by name."""
        return self._read_members(lambda member: member.startswith(prefix) and member.endswith(".npy"))

    def _read_members(self, is_wanted: Callable[[str], bool]) -> dict[str, npt.NDArray[Any]]:
        """The arrays in the members that are wanted, by their names without `.npy`."""
        if self._archive is None:
            with self.kept_open():
                return self._read_members(is_wanted)
        found: dict[str, npt.NDArray[Any]] = {}
        try:
            for name in filter(is_wanted, self._archive.namelist()):
                with self._archive.open(name) as member:
                    found[name.removesuffix(".npy")] = _parse_array(member.read(_MAX_READ_BYTES))
            return found
        except Exception:
            # The archive and the array's header are read by libraries that raise many kinds of errors.
            raise self._damaged() from None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[zipfile.ZipFile]:
        """The opened file, which is of a bounded size. Raises RunError."""
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open_regular(self._path, _MAX_READ_BYTES))
                archive = stack.enter_context(zipfile.ZipFile(file))
                is_bounded = sum(each.file_size for each in archive.infolist()) <= _MAX_READ_BYTES
            except FileNotFoundError:
                raise RunError(f"The run has no snapshot of epoch {self.epoch}.") from None
            except Exception:
                raise self._damaged() from None
            self._require(is_bounded)
            yield archive

    def _require(self, is_sound: bool) -> None:
        if not is_sound:
            raise self._damaged()

    def _refuse(self) -> NoReturn:
        raise self._damaged()

    def _damaged(self) -> RunError:
        return RunError(f"The snapshot of epoch {self.epoch} is damaged: {self._path.name} cannot be read.")


def _parse_array(data: bytes) -> npt.NDArray[Any]:
    """The array in a `.npy` file. Raises ValueError if its data do not have exactly the stated size.

    numpy's own reader takes the memory that the header asks for before it looks at the data. Objects, which
    it would unpickle, are refused: unpickling runs code from the file.
    """
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject or dtype.kind not in "biuf" or not all(0 <= length < 2**31 for length in shape):
        raise ValueError("an array of numbers was expected")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise ValueError("the array's size differs from its shape")
    flat = np.frombuffer(data, dtype, offset=file.tell())
    return np.array(flat.reshape(shape, order="F" if is_fortran else "C"), order="C")


def _read_about(about: Any) -> tuple[list[tuple[float, float]], tuple[int, ...], int] | None:
    """The scale of each image, the dead maps and the number of maps; None if they are not of these types."""
    if not isinstance(about, dict):
        return None
    scales, dead, total = about.get("scales"), about.get("dead"), about.get("total")
    if not isinstance(scales, list) or not isinstance(dead, list) or type(total) is not int:
        return None
    if not all(isinstance(scale, list) and len(scale) == 2 for scale in scales):
        return None
    if not all(type(value) in (int, float) and abs(value) < 1e39 for scale in scales for value in scale):
        return None
    if not all(type(index) is int for index in dead) or not 0 < total < 2**53:
        return None
    return [(float(low), float(high)) for low, high in scales], tuple(dead), total


def _read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
