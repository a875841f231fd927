"""Filters: the kernels of a convolution, how large they are, and how much they changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from cnnstudio.core.formatting import format_percent, format_value, pluralize
from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import Pixels
from cnnstudio.insight.drawing import mosaic
from cnnstudio.insight.instrument import Instrument, InstrumentError, Need, Subject, Taking
from cnnstudio.insight.reading import Array, Canvas, Reading, array, integer, text

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

MAX_FILTERS = 256
MAX_CHANNELS = 64
_MIN_CHANGE = 1e-12
"""Norms below it count as it, so that a filter that was 0 has a large change instead of an infinite one."""
_MAX_CHANGE = 1e6


@dataclass(frozen=True, eq=False)
class FiltersReading(Reading):
    """The weights of a convolution, one filter for each of its output channels."""

    title: ClassVar[str] = "list of filters"

    layer: str = text()
    kernels: npt.NDArray[np.float32] = array("float32", "shown", "channels", "height", "width")
    """The first MAX_FILTERS filters, with the first MAX_CHANNELS channels of their input."""
    norms: npt.NDArray[np.float32] = array("float32", "filters", low=0)
    """The Euclidean norm of each filter, all channels included."""
    input_channels: int = integer(1)
    """The channels of each filter; more than in `kernels` if not all are included."""
    is_color: int = integer(0, 1)
    """1 if the layer is the first and its three channels are red, green and blue."""
    change: npt.NDArray[np.float32] | None = array("float32", "filters", low=0, optional=True)
    """The norm of each filter's difference from the other epoch, divided by its norm then."""

    def validate(self) -> None:
        if not self.kernels.size:
            raise self._unsound("has no values")
        if len(self.norms) < len(self.kernels) or self.input_channels < self.kernels.shape[1]:
            raise self._unsound("shows more filters than the layer has")
        if self.is_color and self.kernels.shape[1] != 3:
            raise self._unsound("has colors without three channels")

    @property
    def total(self) -> int:
        """The number of filters of the layer."""
        return len(self.norms)

    def images(self, *, shared_scale: bool = False) -> Pixels:
        """The kernels for drawing, uint8: (shown, h, w, 3) in color, otherwise (shown, channels, h, w).

        0 is mid-gray, 128. White is the largest absolute value of the filter or, with `shared_scale`, of all.
        """
        values = self.kernels.astype(np.float64)
        axes = None if shared_scale else (1, 2, 3)
        scale = np.maximum(np.abs(values).max(axis=axes, keepdims=True), 1e-30)
        levels = np.rint(128 + values / scale * 127).astype(np.uint8)
        return np.ascontiguousarray(levels.transpose(0, 2, 3, 1)) if self.is_color else levels

    def draw(self) -> Canvas:
        """All filters; without colors the first channel of each."""
        images = self.images()
        return mosaic(images if self.is_color else images[:, 0])

    def summary(self) -> str:
        height, width = self.kernels.shape[2:]
        start = (
            f"{self.layer}: {pluralize(self.total, 'filter')} of {height} × {width} with "
            f"{pluralize(self.input_channels, 'channel')}, norms from {format_value(self.norms.min())} to "
            f"{format_value(self.norms.max())}"
        )
        if self.change is None:
            return f"{start}."
        return f"{start}; changed by {format_percent(float(np.median(self.change)))} in the median."


class Filters(Instrument):
    name = "filters"
    title = "Filters"
    reading = FiltersReading
    needs = frozenset({Need.LAYER})
    order = 2

    def take(self, model: Model, subject: Subject) -> Taking:
        layer = subject.layer or ""
        node_weights = model.node_weights()
        found = node_weights.get(layer)
        if found is None:
            raise InstrumentError(f"The model has no layer “{shorten(layer)}”.")
        kernels = {name: weights for name, weights in found.items() if weights.ndim == 4}
        if not kernels:
            raise InstrumentError(f"{layer} has no kernels: choose a convolution.")
        # Of a separable convolution the kernels that look at more than one pixel.
        name = next((name for name, each in kernels.items() if each[0, 0].numel() > 1), next(iter(kernels)))
        weights = _finite(kernels[name].detach().float().cpu().contiguous().numpy())
        yield 0.5
        # The first layer with weights sees the image itself.
        first = next((node.id for node in model.network.walk() if node_weights.get(node.id)), None)
        is_color = first == layer and weights.shape[1] == 3
        change = None
        if subject.other_weights is not None:
            change = _change(weights, subject.other_weights.get(name))
        return FiltersReading(
            layer=layer,
            kernels=np.ascontiguousarray(weights[:MAX_FILTERS, :MAX_CHANNELS]),
            norms=_norms(weights),
            input_channels=weights.shape[1],
            is_color=int(is_color),
            change=change,
        )


def _norms(weights: Array) -> npt.NDArray[np.float32]:
    """The norm of each filter, float32 (filters,), for float32 (filters, channels, h, w)."""
    norms = np.sqrt(np.square(weights.astype(np.float64)).sum(axis=(1, 2, 3)))
    found: npt.NDArray[np.float32] = np.minimum(norms, 3e38).astype(np.float32)
    return found


def _change(now: Array, before: Array | None) -> npt.NDArray[np.float32]:
    """Raises InstrumentError if the other epoch's weights have another shape."""
    if before is None or before.shape != now.shape:
        raise InstrumentError("The other epoch has other filters, so there is no change to show.")
    before = _finite(before.astype(np.float32))
    change = _norms(now - before) / np.maximum(_norms(before), _MIN_CHANGE)
    return np.minimum(change, _MAX_CHANGE).astype(np.float32)


def _finite(values: Array) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = np.nan_to_num(values)
    return found
