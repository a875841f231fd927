"""Feature maps: what each layer makes of an image, as drawn, whatever order the model runs in."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.training.evaluation import evaluating
from cnnstudio.training.model import Model

__all__ = ["MOST_MAPS", "FeatureMapProbe", "FeatureMaps", "feature_maps", "look"]

MOST_MAPS = 256
"""Maps of a layer that are shown at once."""

_BRIGHT = 0.995
"""Share of all values that are below what is drawn white, where there are outliers."""
_OUTLYING = 0.8
"""There are outliers where so many values fill less than this share of the range."""
_SAMPLE = 100_000
"""So many values at most are looked at for that."""

_INTERVAL = 1 / 8
"""Seconds from one image to the next."""
_DEAD_EVERY = 16
"""Of so many images of one layer the first looks for dead maps."""


def feature_maps(
    model: Model, images: npt.NDArray[np.uint8], node_id: str, image: int = 0
) -> FeatureMaps | None:
    """What the node makes of `images[image]`; None for a node that the model does not have.

    `images` is uint8 (N, C, H, W). A map is dead if it is zero for all of them.
    """
    found = look(model, images, [node_id], [image])
    return found[0] if found else None


def look(
    model: Model,
    images: npt.NDArray[np.uint8],
    node_ids: Collection[str] | None = None,
    shown: Sequence[int] = (0,),
    *,
    most: int = MOST_MAPS,
    side: int | None = None,
) -> list[FeatureMaps]:
    """What each node makes of each image of `shown`: the first `most` maps, up to `side` pixels wide."""
    found: dict[str, list[FeatureMaps]] = {}

    def see(node_id: str, output: Tensor) -> None:
        maps = output if output.ndim == 4 else output[:, :, None, None]
        kept = maps[:, : most if output.ndim == 4 else most_values(most)]
        dead = tuple((kept == 0).all(3).all(2).all(0).nonzero().flatten().tolist())
        found[node_id] = [
            _scaled(node_id, number, _smaller(kept[number], side), dead, maps.shape[1]) for number in shown
        ]

    with evaluating(model):
        model.observe(model.normalize(images), see, node_ids)
    return [maps for each in found.values() for maps in each]


def most_values(most: int) -> int:
    """How many values of a flat layer are shown where `most` maps are: they are small."""
    return min(4 * most, MOST_MAPS)


def _smaller(maps: Tensor, side: int | None) -> Tensor:
    """Maps (K, h, w) with no side longer than `side`."""
    height, width = maps.shape[1:]
    if side is None or max(height, width) <= side:
        return maps
    factor = max(height, width) / side
    return F.adaptive_avg_pool2d(maps, (max(round(height / factor), 1), max(round(width / factor), 1)))


def _scaled(node_id: str, image: int, maps: Tensor, dead: tuple[int, ...], total: int) -> FeatureMaps:
    values = torch.nan_to_num(maps.float())
    low, high = (value.item() for value in values.aminmax())
    if maps[0].numel() > 1:
        high = _white(values, low, high)
    span = high - low if math.isfinite(high - low) and high > low else 1.0
    levels = (
        ((values - low) * (255 / span)).round_().clamp_(0, 255).to(torch.uint8).cpu().contiguous().numpy()
    )
    levels.flags.writeable = False
    return FeatureMaps(node_id, image, levels, low, high, dead, total)


def _white(values: Tensor, low: float, high: float) -> float:
    """What is drawn white: the largest value, unless a few outliers would leave all else in the dark.

    Then it is the value that only one in two hundred exceeds, counted on a regular sample of very many.
    Values read off as numbers, one a map, always keep the largest.
    """
    sample = values.flatten()[:: -(-values.numel() // _SAMPLE)].cpu().numpy()
    place = math.ceil(len(sample) * _BRIGHT) - 1
    bright = float(np.partition(sample, place)[place])
    return bright if low < bright < low + _OUTLYING * (high - low) else high


class FeatureMapProbe:
    """Shows one layer's maps for one example image while the model trains, at most 8 times a second.

    `watch` may be called from any thread at any time; the rest is the trainer's.
    """

    kind = "feature_maps"

    def __init__(self) -> None:
        # One tuple, replaced as a whole: reading and replacing it need no lock.
        self._wanted: tuple[str, int] | None = None
        self._shown: tuple[str, int] | None = None
        self._shown_step = -1
        self._shown_at = -math.inf
        self._looks = 0
        self._dead: tuple[int, ...] = ()
        self._images: npt.NDArray[np.uint8] = np.empty((0, 1, 1, 1), np.uint8)
        self._step = 0
        self._now = 0.0

    def watch(self, node_id: str, image: int) -> None:
        """The layer and the number of the example image that are wanted from now on."""
        self._wanted = (node_id, image)

    def begin(self, images: npt.NDArray[np.uint8]) -> None:
        self._images = images
        self._shown = None

    def due(self, step: int, seconds: float) -> bool:
        wanted = self._wanted
        if wanted is None:
            return False
        self._step, self._now = step, seconds
        # A new wish is answered at once, also while the run is paused.
        return wanted != self._shown or (step != self._shown_step and seconds - self._shown_at >= _INTERVAL)

    def take(self, model: Model, device: torch.device) -> FeatureMaps | None:
        wanted = self._wanted
        if wanted is None or not len(self._images):
            return None
        if wanted != self._shown:
            self._looks = 0
        self._shown, self._shown_step, self._shown_at = wanted, self._step, self._now
        node_id, image = wanted[0], wanted[1] % len(self._images)
        self._looks += 1
        if self._looks % _DEAD_EVERY == 1:
            # All images, to tell which maps are dead; in between the one that is shown has to do.
            maps = feature_maps(model, self._images, node_id, image)
            self._dead = maps.dead if maps else ()
            return maps
        maps = feature_maps(model, self._images[image : image + 1], node_id)
        return maps and replace(maps, image=image, dead=self._dead)
