"""The data sets that code names: `cifar10.load_data()`, `datasets.MNIST(…)`, a folder of images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cnnstudio.layers.base import Shape


@dataclass(frozen=True)
class KnownData:
    """What is known of a published data set: the shape of its images, and the number of classes."""

    images: Shape
    classes: int


_GRAY = Shape.of(1, 28, 28)
_COLOR = Shape.of(3, 32, 32)

KNOWN_DATA: Mapping[str, KnownData] = MappingProxyType(
    {
        "mnist": KnownData(_GRAY, 10),
        "fashion_mnist": KnownData(_GRAY, 10),
        "kmnist": KnownData(_GRAY, 10),
        "qmnist": KnownData(_GRAY, 10),
        "cifar10": KnownData(_COLOR, 10),
        "cifar100": KnownData(_COLOR, 100),
        "svhn": KnownData(_COLOR, 10),
        "stl10": KnownData(Shape.of(3, 96, 96), 10),
    }
)
"""Name, as in `NamedData`, -> what is known of it."""

_ALIASES = {"fashionmnist": "fashion_mnist", "svhn_cropped": "svhn", "digits": "mnist"}
FOLDER = "folder"
"""The name of images in a folder of the user's own, one subfolder for each class."""


@dataclass(frozen=True)
class NamedData:
    """A data set that the code loads: its usual name in lower case, or `FOLDER`, and the line."""

    name: str
    line: int

    @property
    def known(self) -> KnownData | None:
        """What is known of it; None for a data set that is not in the list above."""
        return KNOWN_DATA.get(self.name)


def data_name(text: str) -> str:
    """The usual name of a data set that a library calls `CIFAR10`, `FashionMNIST` or `svhn_cropped`."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return _ALIASES.get(plain, _ALIASES.get(plain.replace("_", ""), plain))
