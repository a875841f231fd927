"""Estimate of the memory that training takes, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.design.analysis.analysis import Analysis

BYTES_PER_FLOAT = 4
"""Size of a float32."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes needed for one training step."""

    activations: int
    """The batch, and the values that layers keep of it until the backward pass."""
    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.activations + self.weights + self.gradients + self.optimizer


def estimate_memory(analysis: Analysis, batch_size: int, optimizer_slots: int) -> MemoryEstimate:
    """The memory of one step, for `batch_size` images and `optimizer_slots` optimizer values per weight.

    SGD has no slot, SGD with momentum one, Adam two. The backward pass needs the outputs of the forward pass,
    so these are all kept at the same time (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost,
    section 3).

    Assumes float32, no recomputation, and that layers store activations independently: an output that two
    layers keep is counted once, and so is one that neither needs. Not included: torch itself, the workspace
    of its kernels, the copy of the best weights, and the data set.
    """
    weights = BYTES_PER_FLOAT * analysis.parameters
    values = analysis.network.input.size + analysis.activations
    return MemoryEstimate(BYTES_PER_FLOAT * batch_size * values, weights, weights, optimizer_slots * weights)
