"""Which views are pinned to which epoch of which run, as a text that outlives the window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from cnnstudio.training.recipe.recipe import MAX_EPOCHS

Pins = dict[str, tuple[Path, int]]
"""Object name of a view -> folder of the run and epoch."""
_MAX_TEXT = 10_000


def pins_to_text(pins: Mapping[str, tuple[Path | None, int | None]]) -> str:
    """The views that are pinned, as JSON; empty if none is. A run without a folder is left out."""
    known = {
        name: [str(run), epoch]
        for name, (run, epoch) in pins.items()
        if run is not None and epoch is not None
    }
    return json.dumps(known) if known else ""


def pins_from_text(text: str) -> Pins:
    """Leaves out what is not a pin: the text may have been edited."""
    try:
        found = json.loads(text[:_MAX_TEXT]) if text else {}
    except (ValueError, RecursionError):
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {name: (Path(entry[0]), entry[1]) for name, entry in entries if _is_pin(entry)}


def _is_pin(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    run, epoch = entry
    is_epoch = isinstance(epoch, int) and not isinstance(epoch, bool) and 0 <= epoch <= MAX_EPOCHS
    return isinstance(run, str) and bool(run) and "\0" not in run and is_epoch
