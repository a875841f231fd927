"""Muon for weight matrices and AdamW for the rest, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

# The key under which torch's Muon looks for the momentum in its state.
_MOMENTUM = "momentum_buffer"


class MuonWithAdamW(Optimizer):
    """Orthogonalizes the update of each kernel (Jordan et al. 2024, Muon); AdamW updates the other weights.

    A convolution kernel counts as the matrix (out, in * height * width). The updates have the size of AdamW's
    (Liu et al. 2025, Muon is Scalable), so that one learning rate and one weight decay fit both.

    With momentum B ← momentum · B + (1 - momentum) · G and the Nesterov step N = (1 - momentum) · G +
    momentum · B, the update is W ← W - rate · (weight_decay · W + 0.2 · sqrt(max(rows, columns)) · O(N)).
    O(N) is the nearest matrix with orthonormal rows or columns: U Vᵀ for N = U S Vᵀ, approximated by five
    Newton-Schulz iterations, which need only matrix products and work in bfloat16. 0.2 is about the size of
    AdamW's updates per weight.

    torch's Muon takes matrices only, so it gets views of the kernels as its parameters. The groups and the
    state of this optimizer refer to the model's own weights in their own shapes, so that they are saved and
    restored like those of any optimizer. The two are connected anew before each step (`_lend`).

    With several ranks nothing is special: the gradients are summed over ranks before `step`, and each rank
    then orthogonalizes the same matrices. The orthogonalization is not linear, so it must never be done on a
    rank's own gradient.
    """

    def __init__(
        self, matrices: list[nn.Parameter], rest: AdamW, rate: float, *, momentum: float, weight_decay: float
    ) -> None:
        """`rest` has all other weights; its groups and state belong to this optimizer from now on."""
        muon_group: dict[str, Any] = {"params": matrices, "lr": rate, "weight_decay": weight_decay}
        super().__init__([muon_group, *rest.param_groups], {})
        self._rest = rest
        # Views that share the weights' memory: Muon's update of the matrix is the update of the kernel.
        self._matrices = [nn.Parameter(_as_matrix(weights.detach(), weights)) for weights in matrices]
        self._muon = Muon(
            self._matrices, rate, weight_decay, momentum, nesterov=True, adjust_lr_fn="match_rms_adamw"
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
        for matrix in self._matrices:
            matrix.grad = None  # a reference would keep the gradients from being freed
        return loss

    def _lend(self) -> None:
        """Gives both optimizers the current gradients, state and settings.

        Each step, because gradients are new tensors after `zero_grad`, and `load_state_dict` replaces the
        state and the groups.
        """
        muon_group, *others = self.param_groups
        self._muon.param_groups[0] |= {"lr": muon_group["lr"], "weight_decay": muon_group["weight_decay"]}
        for weights, matrix in zip(muon_group["params"], self._matrices, strict=True):
            matrix.grad = None if weights.grad is None else _as_matrix(weights.grad, weights)
            state = self.state[weights]
            # Created here and not by Muon, whose own would be lost when the next call replaces Muon's state.
            # `zeros_like` keeps the layout, so that its matrix is a view, too, which Muon updates in place.
            if _MOMENTUM not in state:
                state[_MOMENTUM] = torch.zeros_like(weights)
            self._muon.state[matrix] = {_MOMENTUM: _as_matrix(state[_MOMENTUM], weights)}
        self._rest.param_groups, self._rest.state = others, self.state


def _as_matrix(tensor: Tensor, weights: Tensor) -> Tensor:
    """A (out, all the rest) matrix of `tensor`, with the columns in the memory order of `weights`.

    In that order the matrix of the weights is a view, not a copy. Orthogonalization commutes with a
    permutation of the columns, so the order does not change the update.
    """
    if weights.ndim == 4 and not weights.is_contiguous():
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.flatten(1)
