"""Checks for free space before something large is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from cnnstudio.core.formatting import format_bytes
from cnnstudio.data.dataset import DataError

RESERVE = 100_000_000
"""Bytes to leave to other programs."""


def require_space(folder: Path, size: int, title: str) -> None:
    """Raises DataError unless `size` bytes, of what `title` names, fit on the disk of `folder`.

    The folder need not exist yet. A full disk in the middle would cost the user the time until then.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError:
        return  # what cannot be asked fails when it is written
    if size + RESERVE > free:
        usable = format_bytes(max(free - RESERVE, 0))
        raise DataError(
            f"{title} needs {format_bytes(size)} on disk, but only {usable} can be used in {place}: free "
            "some space, or set CNNSTUDIO_HOME to a folder on a larger disk."
        )
