"""How much memory a training takes, before it is started."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.design.analysis.analysis import Analysis

FLOAT = 4
"""Bytes of a number as the training computes with it."""


@dataclass(frozen=True)
class Memory:
    """Bytes for one step of the training."""

    activations: int
    """The batch, and what every layer keeps of it for the way back."""
    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.activations + self.weights + self.gradients + self.optimizer


def batch_memory(analysis: Analysis, batch_size: int, optimizer_slots: int) -> Memory:
    """What one step with `batch_size` images takes; the optimizer keeps `optimizer_slots` numbers a weight.

    The way back needs what the layers gave on the way there, so that is all kept at once (Chen et al.,
    Training Deep Nets with Sublinear Memory Cost, 2016, section 3). SGD keeps no number a weight, with
    momentum one, Adam two. Taken as given: 32-bit numbers, nothing computed twice, and layers that know
    nothing of each other: what two of them keep of one output is counted once, and what neither needs, too.
    Left out: torch itself, the work space of its kernels, the best weights, and the data set.
    """
    weights = FLOAT * analysis.parameters
    numbers = analysis.network.input.size + analysis.activations
    return Memory(FLOAT * batch_size * numbers, weights, weights, optimizer_slots * weights)
