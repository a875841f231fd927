"""The L2 penalty that layers put on their weights by `kernel_l2`.

It is Keras's `kernel_regularizer=L2(kernel_l2)`, which adds kernel_l2 * sum(weight ** 2) to the minimized
loss for each such layer. Only its gradient is needed, 2 * kernel_l2 * weight. The reported loss stays the
cross-entropy, so that runs with and without penalties can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

L2Penalty = tuple[nn.Parameter, float]
"""Weights and their `kernel_l2`."""


def find_l2_penalties(model: nn.Module) -> list[L2Penalty]:
    """The penalties that the model's layers ask for, by the attribute `kernel_l2` of their modules."""
    # By attribute: a layer sets it on the module that it builds, and this module knows no layer types.
    found = []
    for module in model.modules():
        kernel_l2 = getattr(module, "kernel_l2", None)
        if isinstance(kernel_l2, float):
            found.append((module.get_parameter("weight"), kernel_l2))
    return found


def add_l2_gradients(penalties: Iterable[L2Penalty]) -> None:
    """Adds the penalties' gradients to those of the loss. Call it once per step, before the update."""
    # After the gradients were summed over micro-batches and ranks, or it would be counted once for each of
    # them. In place, so that no tensor of the size of the weights is allocated.
    for weight, kernel_l2 in penalties:
        gradient: Tensor | None = weight.grad
        if gradient is not None:
            gradient.add_(weight.detach(), alpha=2 * kernel_l2)
