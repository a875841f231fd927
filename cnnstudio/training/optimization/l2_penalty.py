"""The L2 penalty that layers put on their weights by `kernel_l2`.

It is Keras's `kernel_regularizer=L2(kernel_l2)`: the loss that is minimized has kernel_l2 * sum(weight ** 2)
added for each such layer. Only its gradient is needed, 2 * kernel_l2 * weight; the loss that is reported
stays the cross-entropy, so that runs with and without penalties can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

Penalty = tuple[nn.Parameter, float]
"""Weights and their `kernel_l2`."""


def penalties(model: nn.Module) -> list[Penalty]:
    """Those that the model's layers ask for (`layers.weights.prepared` notes it on the module)."""
    found = []
    for module in model.modules():
        kernel_l2 = getattr(module, "kernel_l2", None)
        if isinstance(kernel_l2, float):
            found.append((module.get_parameter("weight"), kernel_l2))
    return found


def add_gradients(penalized: Iterable[Penalty]) -> None:
    """Adds the penalties' gradients to those that the loss has left on the weights."""
    for weight, kernel_l2 in penalized:
        gradient: Tensor | None = weight.grad
        if gradient is not None:
            gradient.add_(weight.detach(), alpha=2 * kernel_l2)
