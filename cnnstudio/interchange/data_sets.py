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

CLASS_COUNTS: Mapping[str, int] = MappingProxyType(
    {
        **{name: known.classes for name, known in KNOWN_DATA.items()},
        **dict.fromkeys(("cats_vs_dogs", "cats_and_dogs", "cats_and_dogs_filtered", "dogs_vs_cats"), 2),
        **dict.fromkeys(("horses_or_humans", "horse_or_human", "malaria", "hymenoptera_data"), 2),
        **dict.fromkeys(("rock_paper_scissors", "rps", "beans"), 3),
        **dict.fromkeys(("tf_flowers", "flower_photos"), 5),
        **dict.fromkeys(("eurosat", "imagenette", "imagewoof"), 10),
        **dict.fromkeys(("flowers102", "oxford_flowers102"), 102),
        **dict.fromkeys(("oxford_iiit_pet", "oxfordiiitpet"), 37),
        "food101": 101,
        "gtsrb": 43,
        "dtd": 47,
        "imagenet": 1000,
        "tiny_imagenet_200": 200,
        "uc_merced": 21,
        "plant_village": 38,
        "stanford_dogs": 120,
        "caltech256": 257,
    }
)
"""Name of a data set, or of the archive that it is downloaded in, -> its number of classes."""

_ALIASES = {"fashionmnist": "fashion_mnist", "svhn_cropped": "svhn", "digits": "mnist"}
FOLDER = "folder"
"""The name of images in a folder of the user's own, one subfolder for each class."""


@dataclass(frozen=True)
class NamedData:
    """A data set that the code loads: its usual name in lower case, or `FOLDER`, and the line."""

    name: str
    line: int
    downloaded: str = ""
    """For a folder: the archive that the code downloads before, in CLASS_COUNTS."""

    @property
    def known(self) -> KnownData | None:
        """What is known of it; None for a data set that is not in the list above."""
        return KNOWN_DATA.get(self.name)

    @property
    def class_count(self) -> int | None:
        """The number of classes; None if it is not known."""
        return CLASS_COUNTS.get(self.downloaded or self.name)


def archive_name(text: str) -> str:
    """The usual name of a data set whose archive has this name or address; empty if it is not known."""
    name = data_name(re.sub(r"(\.(tar|tgz|gz|bz2|zip|xz))+$", "", text.rstrip("/").rpartition("/")[2]))
    return name if name in CLASS_COUNTS else ""


def data_name(text: str) -> str:
    """The usual name of a data set that a library calls `CIFAR10`, `FashionMNIST` or `svhn_cropped`."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return _ALIASES.get(plain, _ALIASES.get(plain.replace("_", ""), plain))
