"""Muon for whole kernels, AdamW for the rest, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

_MOMENTUM = "momentum_buffer"


class MatrixOptimizer(Optimizer):
    """Makes the update of each kernel orthogonal (Jordan et al. 2024, Muon); what is left goes to an AdamW.

    A convolution's kernel is taken as the matrix (out, in * height * width). The updates have the size of
    AdamW's (Liu et al. 2025, Muon is Scalable), so that one learning rate and one decay fit both. Groups and
    memory hold the model's own weights, in their own shapes, so that they can be kept and brought back like
    those of any optimizer.
    """

    def __init__(
        self, matrices: list[nn.Parameter], rest: AdamW, rate: float, *, momentum: float, weight_decay: float
    ) -> None:
        """`rest` has all other weights. What it knows of them belongs to this one from now on."""
        ours: dict[str, Any] = {"params": matrices, "lr": rate, "weight_decay": weight_decay}
        super().__init__([ours, *rest.param_groups], {})
        self._rest = rest
        self._flat = [nn.Parameter(_as_matrix(weights.detach(), weights)) for weights in matrices]
        self._muon = Muon(
            self._flat, rate, weight_decay, momentum, nesterov=True, adjust_lr_fn="match_rms_adamw"
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch overloads it
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._lend()
        self._muon.step()
        self._rest.step()
        for flat in self._flat:
            flat.grad = None  # else the gradients could not be freed
        return loss

    def _lend(self) -> None:
        """Shows both optimizers the weights' gradients, memory and settings as they are now."""
        ours, *others = self.param_groups
        self._muon.param_groups[0] |= {"lr": ours["lr"], "weight_decay": ours["weight_decay"]}
        for weights, flat in zip(ours["params"], self._flat, strict=True):
            flat.grad = None if weights.grad is None else _as_matrix(weights.grad, weights)
            memory = self.state[weights]
            if _MOMENTUM not in memory:
                memory[_MOMENTUM] = torch.zeros_like(weights)
            self._muon.state[flat] = {_MOMENTUM: _as_matrix(memory[_MOMENTUM], weights)}
        self._rest.param_groups, self._rest.state = others, self.state


def _as_matrix(tensor: Tensor, weights: Tensor) -> Tensor:
    """(out, all the rest) in the order in which the weights lie in memory, so that theirs is no copy.

    To make a matrix orthogonal and to change the order of its columns are the same in either order.
    """
    if weights.ndim == 4 and not weights.is_contiguous():
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.flatten(1)
