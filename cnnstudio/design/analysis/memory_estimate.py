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

    Of locked layers no gradients are kept, and at the beginning of the network no outputs either.

    Assumes float32, no recomputation, and that layers store activations independently: an output that two
    layers keep is counted once, and so is one that neither needs. Not included: torch itself, the workspace
    of its kernels, the copy of the best weights, and the data set.
    """
    weights = BYTES_PER_FLOAT * analysis.parameters
    trained = BYTES_PER_FLOAT * analysis.trainable_parameters
    values = analysis.network.input.size + _kept_activations(analysis)
    return MemoryEstimate(BYTES_PER_FLOAT * batch_size * values, weights, trained, optimizer_slots * trained)


def _kept_activations(analysis: Analysis) -> int:
    """Values per image at a time: those that the backward pass needs, or those of the largest layer."""
    if not analysis.network.locked_ids:
        return analysis.activations
    kept, largest = analysis.activations, 0
    for node in analysis.network.nodes:
        if analysis.trainable_parameters_of(node):
            break
        kept -= analysis[node.id].activations
        outputs = (analysis[each.id].output for each in node.walk())
        largest = max(largest, *(shape.size for shape in outputs if shape), 0)
    return max(kept, 2 * largest)
