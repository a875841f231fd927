"""What a safetensors file of weights says of itself. Needs no torch."""

from __future__ import annotations

import json
import math
from pathlib import Path

from cnnstudio.core.files import open_regular

SUFFIX = ".safetensors"
MAX_BYTES = 2 * 2**30
_MAX_HEADER = 16 * 2**20
_NORMALIZATION = "normalization"
"""The key of mean and standard deviation in the metadata of a file."""

Normalization = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation, one number per channel each, for pixel values from 0 to 1."""


def weights_metadata(source: str, normalization: Normalization | None) -> dict[str, str]:
    """What a file says of its weights: where they are from, and how images are normalized for them."""
    found = {"format": "pt", "source": source}
    if normalization is not None:
        mean, std = normalization
        found[_NORMALIZATION] = json.dumps({"mean": list(mean), "std": list(std)})
    return found


def normalization_of(path: Path) -> Normalization | None:
    """How images are normalized for the weights in a file, if it says so."""
    try:
        with open_regular(path, MAX_BYTES) as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MAX_HEADER:
                return None
            metadata = json.loads(file.read(length)).get("__metadata__", {})
        found = json.loads(metadata[_NORMALIZATION])
        mean, std = (tuple(float(each) for each in found[name]) for name in ("mean", "std"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_usable = len(mean) == len(std) and all(map(math.isfinite, (*mean, *std))) and min(std, default=0) > 0
    return (mean, std) if is_usable else None
