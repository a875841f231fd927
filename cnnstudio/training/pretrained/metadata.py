"""What a safetensors file of weights says of itself. Needs no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from cnnstudio.core.files import open_regular
from cnnstudio.core.formatting import clean_line
from cnnstudio.core.parameters import shorten

SUFFIX = ".safetensors"
MAX_BYTES = 2 * 2**30
_MAX_HEADER = 16 * 2**20
_NORMALIZATION = "normalization"
"""The key of mean and standard deviation in the metadata of a file."""
_NOTICE = "notice"
_MAX_NOTICE = 300

Normalization = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation, one number per channel each, for pixel values from 0 to 1."""


def weights_metadata(source: str, normalization: Normalization | None) -> dict[str, str]:
    """What a file says of its weights: where they are from, and how images are normalized for them."""
    found = {"format": "pt", "source": source}
    if normalization is not None:
        mean, std = normalization
        found[_NORMALIZATION] = json.dumps({"mean": list(mean), "std": list(std)})
    return found


def metadata_of(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing if it cannot be read."""
    try:
        with open_regular(path, MAX_BYTES) as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _MAX_HEADER:
                return {}
            found = json.loads(file.read(length)).get("__metadata__", {})
            return {key: text for key, text in found.items() if isinstance(text, str)}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def notice_in(metadata: Mapping[str, str]) -> str:
    """Under which terms the weights are, one line; empty if the file does not say."""
    return shorten(clean_line(metadata.get(_NOTICE, "")), _MAX_NOTICE)


def normalization_in(metadata: Mapping[str, str]) -> Normalization | None:
    """How images are normalized for the weights, if the file says so."""
    try:
        # An exported model has both numbers side by side.
        found = json.loads(metadata[_NORMALIZATION]) if _NORMALIZATION in metadata else metadata
        both = (found[name] for name in ("mean", "std"))
        mean, std = (tuple(map(float, json.loads(each) if isinstance(each, str) else each)) for each in both)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
    is_usable = len(mean) == len(std) and all(map(math.isfinite, (*mean, *std))) and min(std, default=0) > 0
    return (mean, std) if is_usable else None
