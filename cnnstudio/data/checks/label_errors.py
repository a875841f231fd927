"""Suspected label errors that were found before any training, kept beside the data sets.

One file for the images of a data set, as the report of a check, however their labels were corrected since.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import keep_json, read_json
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.versions.review import Neighbor, ReviewItem
from cnnstudio.data.versions.version import is_version_id

_FORMAT, _VERSION = "cnnstudio.label-errors", 1
_MAX_BYTES = 2**26
_MAX_KEPT = 20
"""Files; the oldest ones go."""


@dataclass(frozen=True)
class LabelErrors:
    """What was found, most doubtful first."""

    version: str
    """The version of the data set that was looked at."""
    items: tuple[ReviewItem, ...]


def write_label_errors(images: str, found: LabelErrors) -> None:
    """Keeps them for the images of which that is the version without corrections.

    A home that cannot be written is no error: they are then looked for again next time.
    """
    if not is_version_id(images):
        return
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "checked": found.version,
        "doubts": [_to_json(item) for item in found.items],
    }
    keep_json(_path(images), content, _MAX_KEPT)


def read_label_errors(images: str) -> LabelErrors | None:
    """What was kept; None if there is nothing that can be read."""
    if not is_version_id(images):
        return None
    with suppress(OSError, UserError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        content: Any = read_json(_path(images), _MAX_BYTES)
        if (content["format"], content["version"]) == (_FORMAT, _VERSION):
            return LabelErrors(str(content["checked"]), tuple(map(_from_json, content["doubts"])))
    return None


def _to_json(item: ReviewItem) -> dict[str, Any]:
    neighbors = [[each.file, each.label, each.similarity, each.split, each.row] for each in item.neighbors]
    return {
        "file": item.file,
        "label": item.label,
        "suggested": item.suggested,
        "score": item.score,
        "reason": item.reason,
        "split": item.split,
        "row": item.row,
        "neighbors": neighbors,
    }


def _from_json(each: Any) -> ReviewItem:
    neighbors = [
        Neighbor(str(file), str(label), float(similarity), str(split), int(row))
        for file, label, similarity, split, row in each["neighbors"]
    ]
    names = str(each["file"]), str(each["label"]), str(each["suggested"])
    place = str(each["split"]), int(each["row"])
    return ReviewItem(*names, float(each["score"]), str(each["reason"]), tuple(neighbors), *place)


def _path(images: str) -> Path:
    return datasets_folder() / "label-errors" / f"{images}.json"
