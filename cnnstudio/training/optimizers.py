"""Optimizers and learning rates, as the recipe names them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from cnnstudio.training.recipe import Recipe

# One kernel for all parameters instead of one a parameter and operation.
_FUSED = frozenset({"cpu", "cuda", "mps"})

_WARM_UP = 0.3
_START = 1 / 25
_END = 1e-4


def make_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """The recipe's optimizer for the model's weights, on the device where they are."""
    groups = _groups(model, recipe.weight_decay)
    device = next((parameter.device.type for parameter in model.parameters()), "cpu")
    fused = device in _FUSED
    if recipe.optimizer == "sgd":
        return SGD(
            groups, recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=fused
        )
    kind = AdamW if recipe.optimizer == "adamw" else Adam
    return kind(groups, recipe.learning_rate, fused=fused)


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights, and apart from them biases and norms, which need no decay (He et al. 2019, section 3.1)."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not weight_decay:
        return [{"params": parameters, "weight_decay": 0.0}]
    return [
        {
            "params": [parameter for parameter in parameters if parameter.ndim > 1],
            "weight_decay": weight_decay,
        },
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def learning_rates(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The learning rate of each step, counted from 0, in a run of `steps`. It needs no state to resume.

    cosine: falls from the peak to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts).
    one_cycle: rises from 1/25 of the peak over 30 % of the steps, then falls to 1/10,000 of where it began
    (Smith and Topin 2018, in the form of fast.ai and torch's OneCycleLR).
    """
    peak = recipe.learning_rate
    if recipe.schedule == "cosine":
        return lambda step: _between(peak, 0.0, step / steps)
    if recipe.schedule == "one_cycle":
        start, last = peak * _START, max(steps - 1, 1)
        top = max(_WARM_UP * steps - 1, 1e-9)

        def one_cycle(step: int) -> float:
            if step <= top:
                return _between(start, peak, step / top)
            return _between(peak, start * _END, (step - top) / max(last - top, 1e-9))

        return one_cycle
    return lambda step: peak


def _between(first: float, last: float, share: float) -> float:
    """From `first` at 0 to `last` at 1 along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's memory by `number of the parameter.name`, such as `0.exp_avg`."""
    return {
        f"{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Gives the optimizer back what `optimizer_tensors` took from one of its kind for the same model."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        # The fused kernels walk memory and state side by side, so both need the same layout (channels_last).
        state.setdefault(int(index), {})[name] = (
            torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
