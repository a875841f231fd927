"""Feature maps: the output of each layer for an image.

They are the outputs of the layers in the design. The model may run some layers in another order, which is
faster and gives the same result; `Model.observe` undoes that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.insight.units import dead_units
from cnnstudio.training.evaluation import evaluation_mode
from cnnstudio.training.model import Model

__all__ = ["MAX_MAPS", "FeatureMapProbe", "FeatureMaps", "collect_feature_maps", "feature_maps"]

MAX_MAPS = 256
"""The most maps of a layer that are shown at once."""

_WHITE_QUANTILE = 0.995
"""If there are outliers, the quantile of the values that is drawn white."""
_OUTLIER_RANGE = 0.8
"""There are outliers if the values up to that quantile cover less than this fraction of the range."""
_MAX_SAMPLES = 100_000
"""The most values from which the quantile is computed."""

_SECONDS_BETWEEN_MAPS = 1 / 4
_DEAD_MAPS_EVERY = 8
"""Dead maps are searched only in every 8th capture of a layer, because it takes all example images."""


def feature_maps(
    model: Model, images: npt.NDArray[np.uint8], node_id: str, image: int = 0
) -> FeatureMaps | None:
    """The node's feature maps for `images[image]`; None if the model does not have the node.

    `images` is uint8 (N, C, H, W). A map is dead if it is zero for all images.
    """
    found = collect_feature_maps(model, images, [node_id], [image])
    return found[0] if found else None


def collect_feature_maps(
    model: Model,
    images: npt.NDArray[np.uint8],
    node_ids: Collection[str] | None = None,
    image_indices: Sequence[int] = (0,),
    *,
    max_maps: int = MAX_MAPS,
    max_side: int | None = None,
    also: Callable[[str, Tensor], object] = lambda node_id, output: None,
) -> list[FeatureMaps]:
    """The feature maps of several nodes (by default all) for several of the images.

    `images` is uint8 (N, C, H, W). Only the first `max_maps` maps of a node are returned, scaled down to at
    most `max_side` pixels a side. A map is dead if it is zero for all `images`, not only the indexed ones.
    `also` gets each node's id and output, float (N, K, h, w) or (N, K), as `Model.observe` gives them.
    """
    found: dict[str, list[FeatureMaps]] = {}

    def collect(node_id: str, output: Tensor) -> None:
        """Takes one node's output, float (N, K, h, w), or (N, K) of a flat layer, on the model's device."""
        also(node_id, output)
        kept = _kept(output, max_maps)
        dead = tuple(dead_units(kept).nonzero().flatten().tolist())
        found[node_id] = [
            _quantize(node_id, index, _downscale(kept[index], max_side), dead, output.shape[1])
            for index in image_indices
        ]

    with evaluation_mode(model):
        model.observe(model.normalize(images), collect, node_ids)
    return [maps for each in found.values() for maps in each]


def dead_maps(model: Model, images: npt.NDArray[np.uint8], node_id: str) -> set[int]:
    """The indices of the node's maps that are zero for all `images`, uint8 (N, C, H, W), of those shown."""
    with evaluation_mode(model):
        output = model.activations(model.normalize(images), {node_id})[node_id]
    return set(dead_units(_kept(output, MAX_MAPS)).nonzero().flatten().tolist())


def _kept(output: Tensor, max_maps: int) -> Tensor:
    """The maps of a node's output that are shown, (N, K, h, w); a flat one, (N, K), has K maps of 1 × 1."""
    if output.ndim == 4:
        return output[:, :max_maps]
    return output[:, : max_flat_values(max_maps), None, None]


def max_flat_values(max_maps: int) -> int:
    """The most values shown of a flat layer if `max_maps` maps are shown of others: a value is smaller."""
    return min(4 * max_maps, MAX_MAPS)


def _downscale(maps: Tensor, max_side: int | None) -> Tensor:
    """Maps float (K, h, w), averaged down to at most `max_side` pixels a side."""
    height, width = maps.shape[1:]
    if max_side is None or max(height, width) <= max_side:
        return maps
    factor = max(height, width) / max_side
    return F.adaptive_avg_pool2d(maps, (max(round(height / factor), 1), max(round(width / factor), 1)))


def _quantize(node_id: str, image: int, maps: Tensor, dead: tuple[int, ...], total: int) -> FeatureMaps:
    """Maps float (K, h, w) on a common scale of 0 to 255."""
    values = torch.nan_to_num(maps.float())
    low, high = (value.item() for value in values.aminmax())
    if maps[0].numel() > 1:
        high = _white_level(values, low, high)
    span = high - low if math.isfinite(high - low) and high > low else 1.0
    # A copy: otherwise what shows the maps would keep the tensor.
    levels = ((values - low) * (255 / span)).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy().copy()
    exact = None
    if maps[0].numel() == 1:
        exact = values.flatten().cpu().numpy().copy()
    return FeatureMaps(node_id, image, levels, low, high, dead, total, exact)


def _white_level(values: Tensor, low: float, high: float) -> float:
    """The value to draw white: the maximum, unless a few outliers would make everything else dark.

    With outliers it is the 99.5% quantile, computed from a regular sample so that the time does not grow with
    the layer. Not used for flat layers, whose values are read as numbers.
    """
    sample = values.flatten()[:: -(-values.numel() // _MAX_SAMPLES)].cpu().numpy()
    index = math.ceil(len(sample) * _WHITE_QUANTILE) - 1
    quantile = float(np.partition(sample, index)[index])
    return quantile if low < quantile < low + _OUTLIER_RANGE * (high - low) else high


class FeatureMapProbe:
    """Captures the maps of one layer for one example image during training, at most 4 times a second.

    `watch` may be called from any thread at any time; the other methods are called by the trainer.
    """

    kind = "feature_maps"

    def __init__(self) -> None:
        # A tuple that is only ever replaced as a whole, which is atomic, so that no lock is needed.
        self._requested: tuple[str, int] | None = None
        self._shown: tuple[str, int] | None = None
        self._shown_step = -1
        self._shown_at = -math.inf
        self._captured = 0
        self._dead: tuple[int, ...] = ()
        self._images: npt.NDArray[np.uint8] = np.empty((0, 1, 1, 1), np.uint8)
        self._step = 0
        self._now = 0.0

    def watch(self, node_id: str, image: int) -> None:
        """Selects the layer and the index of the example image."""
        self._requested = (node_id, image)

    def unwatch(self) -> None:
        """Captures nothing until the next `watch`."""
        self._requested = None

    def begin(self, images: npt.NDArray[np.uint8]) -> None:
        """Sets the example images, uint8 (N, C, H, W), of the model's input size; N may be 0."""
        self._images = images
        self._shown = None

    def is_due(self, step: int, seconds: float) -> bool:
        requested = self._requested
        if requested is None:
            return False
        self._step, self._now = step, seconds
        if requested != self._shown:
            return True  # at once, also while the run is paused
        return step != self._shown_step and seconds - self._shown_at >= _SECONDS_BETWEEN_MAPS

    def capture(self, model: Model, device: torch.device) -> FeatureMaps | None:
        requested = self._requested
        if requested is None or not len(self._images):
            return None
        if requested != self._shown:
            self._captured = 0
        self._shown, self._shown_step, self._shown_at = requested, self._step, self._now
        node_id, image = requested[0], requested[1] % len(self._images)
        self._captured += 1
        if self._captured % _DEAD_MAPS_EVERY == 1:
            # All example images, to find dead maps; in between, only the shown image is computed.
            maps = feature_maps(model, self._images, node_id, image)
            self._dead = maps.dead if maps else ()
            return maps
        maps = feature_maps(model, self._images[image : image + 1], node_id)
        return maps and replace(maps, image=image, dead=self._dead)
