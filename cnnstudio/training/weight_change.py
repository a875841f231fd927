"""How far the weights move in an epoch: this tells a low learning rate from a network that cannot learn.

With a rate that is far too low the weights stay where they began, whatever the network could learn. With a
usual rate they move by many percent per epoch, also when nothing is learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from cnnstudio.training.model import Model

_SAMPLED = 4096
"""Values that are compared of each tensor: a copy of all weights could be too large for the memory."""


class WeightChange:
    """The weights at one moment, to be compared with the same model's later."""

    def __init__(self, model: Model) -> None:
        self._weights = [each for each in model.parameters() if each.requires_grad and each.ndim > 1]
        self._before = _sample(self._weights)

    def measure(self) -> float | None:
        """The largest change of a layer's weights since then, as a fraction of their norm.

        None if there are no weights to compare, or if they have overflowed. Biases and normalizations do not
        count: they start at 0 or 1, whatever the size of the images.
        """
        pairs = zip(self._before, _sample(self._weights), strict=True)
        changes = [(now - before).norm() / before.norm() for before, now in pairs if before.any()]
        largest = max((change.item() for change in changes), default=math.nan)
        return largest if math.isfinite(largest) else None


@torch.no_grad()
def _sample(weights: Sequence[Tensor]) -> list[Tensor]:
    """Evenly distributed values of each tensor, float64 (at most about _SAMPLED,)."""
    # On the CPU, because not every device has float64, and a copy, because the weights change in place.
    return [each.flatten()[:: -(-each.numel() // _SAMPLED)].cpu().double() for each in weights]
