"""Finds images that occur more than once in a data set where they should not."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import Pixels, Split, as_channels_last

Checksums = npt.NDArray[np.uint32]
Digests = npt.NDArray[np.uint64]

_EVALUATED = ("test", "validation")
_MAX_NAME = 120


def checksum(image: Pixels) -> int:
    """32 bits that are equal for equal images: uint8 (H, W, C), C-contiguous."""
    return zlib.crc32(image.data)


def find_repeated(
    splits: Mapping[str, Split],
    names: Mapping[str, Sequence[str]],
    checksums: Mapping[str, Checksums],
    cancelled: CancelFunction,
) -> Iterator[str]:
    """Sentences about images that are in training as well as in another split, or in two classes.

    Only equal pixels are found. `names` are the file names of the images of each split, `checksums` uint32
    (N,) what `checksum` gives for them. Raises Cancelled.
    """
    digests = _digests(splits, checksums, cancelled)
    for part in _EVALUATED:
        if part in splits:
            rows = np.flatnonzero(np.isin(digests[part], digests["train"]))
            if len(rows):
                verb = "is" if len(rows) == 1 else "are"
                yield (
                    f"{pluralize(len(rows), f'{part} image')} {verb} also in the training set, such as "
                    f"{_shorten(names[part][rows[0]])}: the {part} accuracy will look better than it is."
                )
    yield from _in_two_classes(splits, digests, names)


def _in_two_classes(
    splits: Mapping[str, Split], digests: Mapping[str, Digests], names: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    every = np.concatenate([digests[part] for part in splits])
    labels = np.concatenate([split.labels for split in splits.values()])
    paths = [name for part in splits for name in names[part]]
    order = np.argsort(every, kind="stable")
    same = every[order][1:] == every[order][:-1]
    differs = np.flatnonzero(same & (labels[order][1:] != labels[order][:-1]))
    if not len(differs):
        return
    images = len(np.unique(every[order][differs]))
    one, other = (_shorten(paths[order[differs[0] + step]]) for step in (0, 1))
    verb = "is" if images == 1 else "are"
    yield f"{pluralize(images, 'image')} {verb} in more than one class, such as {one} and {other}."


def _digests(
    splits: Mapping[str, Split], checksums: Mapping[str, Checksums], cancelled: CancelFunction
) -> dict[str, Digests]:
    """64 bits for each image, uint64 (N,), that are equal for equal images alone.

    A checksum of 32 bits, which costs a sixth of a hash, and 32 bits of a hash where that occurs twice.
    """
    found = {part: checksums[part].astype(np.uint64) << np.uint64(32) for part in splits}
    values, counts = np.unique(np.concatenate(list(found.values())), return_counts=True)
    for part, split in splits.items():
        images = as_channels_last(split.images)
        for row in np.flatnonzero(np.isin(found[part], values[counts > 1])):
            raise_if_cancelled(cancelled)
            digest = hashlib.blake2b(images[row].tobytes(), digest_size=4).digest()
            found[part][row] |= np.uint64(int.from_bytes(digest, "little"))
    return found


def _shorten(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"…{name[-_MAX_NAME:]}"
