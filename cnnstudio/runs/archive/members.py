"""Which files of a run are in its zip file, and how large each may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

MAX_ARCHIVE_BYTES = 4 * 2**30 - 2**20
"""Of the zip file, and of all that it unpacks to. Without zip64, whose sizes need a second check."""
MAX_MEMBERS = 65_000
MAX_RATIO = 100
"""How many times its size a zip file may unpack to; logs, which are packed best, have a tenth."""
FREE_BYTES = 64 * 2**20
"""A file that unpacks to less is not asked for its ratio."""

_GB, _MB = 2**30, 2**20
_TOP: Mapping[str, int] = MappingProxyType(
    {
        "run.json": 8 * _MB,
        "design.cnn.json": 16 * _MB,
        "recipe.json": 8 * _MB,
        "events.jsonl": 2 * _GB,
        "label.json": 64 * 1024,
    }
)
FOLDERS = ("snapshots", "weights", "checkpoints")
_INSIDE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.(npz|safetensors|json)")


def size_limit(name: str) -> int | None:
    """The most bytes of the file with that path in the run's folder; None for one that is not of a run."""
    if name in _TOP:
        return _TOP[name]
    folder, slash, rest = name.partition("/")
    return 4 * _GB if slash and folder in FOLDERS and _INSIDE.fullmatch(rest) else None


def top_names() -> tuple[str, ...]:
    """The files directly in a run's folder."""
    return tuple(_TOP)
