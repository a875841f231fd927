"""What was measured to be expected of few images, kept beside the data sets. Needs no torch."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import keep_json, read_json
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.paths import datasets_folder
from cnnstudio.data.versions.version import is_version_id

SMALL_CLASS = 200
"""Images per class; with fewer, a network that starts from nothing seldom gets far."""
LARGE_CLASS = 1_000
"""Images per class; with so many, all layers of a pretrained network can learn."""
MIN_FOR_GROUPS = 10
"""Images per class; with so many, training the last groups of a pretrained network gained one point."""
_FORMAT, _VERSION = "cnnstudio.expected-accuracy", 2
"""Raised with changes to what is measured: since 2, the first layer of the network enlarges small images."""
_MAX_BYTES = 2**16
_MAX_KEPT = 200
"""Files; the oldest ones go."""


@dataclass(frozen=True)
class Expectation:
    """An accuracy on images that were not seen, 0 to 1."""

    accuracy: float
    error: float
    """Its standard error, 0 to 1."""

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.0f}% ± {100 * self.error:.0f}"


@dataclass(frozen=True)
class ExpectedAccuracy:
    """What to expect of both ways to start."""

    images: int
    all_images: int
    """The number of training images, from which `images` were taken."""
    folds: int
    pretrained: Expectation
    empty: Expectation

    @property
    def sentence(self) -> str:
        """Both figures with their standard errors, and on how many images they were measured."""
        images = pluralize(self.images, "image")
        which = (
            f"your {images}" if self.images >= self.all_images else f"{images} of your {self.all_images:,}"
        )
        return (
            f"About {self.pretrained} from a new last layer of the pretrained network, about {self.empty} "
            f"from an empty one ({self.folds}-fold cross-validation on {which}, ± standard error)."
        )


def write_expected(version: str, found: ExpectedAccuracy) -> None:
    """Keeps it for that version of a data set. A home that cannot be written is no error."""
    if not is_version_id(version):
        return
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "images": found.images,
        "all_images": found.all_images,
        "folds": found.folds,
        "pretrained": vars(found.pretrained),
        "empty": vars(found.empty),
    }
    keep_json(_path(version), content, _MAX_KEPT)


def read_expected(version: str) -> ExpectedAccuracy | None:
    """What was kept for that version; None if there is nothing that can be read."""
    if not is_version_id(version):
        return None
    with suppress(OSError, UserError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        content: Any = read_json(_path(version), _MAX_BYTES)
        if (content["format"], content["version"]) == (_FORMAT, _VERSION):
            return ExpectedAccuracy(
                int(content["images"]),
                int(content["all_images"]),
                int(content["folds"]),
                _expectation(content["pretrained"]),
                _expectation(content["empty"]),
            )
    return None


def _expectation(content: Any) -> Expectation:
    values = float(content["accuracy"]), float(content["error"])
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in values):
        raise ValueError("no accuracy")
    return Expectation(*values)


def _path(version: str) -> Path:
    return datasets_folder() / "expected-accuracy" / f"{version}.json"
