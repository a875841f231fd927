"""Optimizers and learning rates, as the recipe names them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from cnnstudio.training.muon import MatrixOptimizer
from cnnstudio.training.recipe import Recipe

# One kernel for all parameters instead of one a parameter and operation.
_FUSED = frozenset({"cpu", "cuda", "mps"})

_NORMALISATIONS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
_RATE_FACTOR = "rate_factor"
"""The entry of a group of weights that says in how many times the learning rate it learns."""

_MEMORY = 0.9
"""Of RMSprop's mean of squares, as in Keras (torch's own default is 0.99)."""

_WARM_UP = 0.3
_END = 1e-4


def make_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """The recipe's optimizer for the model's weights, on the device where they are."""
    rate, momentum = recipe.learning_rate, recipe.momentum
    matrices = _inner_matrices(model) if recipe.optimizer == "muon" else []
    groups = _groups(model, recipe, {id(weights) for weights in matrices})
    device = next((parameter.device.type for parameter in model.parameters()), "cpu")
    fused = device in _FUSED
    if recipe.optimizer == "sgd":
        return SGD(groups, rate, momentum=momentum, nesterov=momentum > 0, fused=fused)
    if recipe.optimizer == "rmsprop":
        return RMSprop(groups, rate, alpha=_MEMORY, momentum=momentum)
    if recipe.optimizer == "adam":
        return Adam(groups, rate, fused=fused)
    adamw = AdamW(groups, rate, fused=fused)
    if not matrices:
        return adamw
    return MatrixOptimizer(matrices, adamw, rate, momentum=momentum, weight_decay=recipe.weight_decay)


def _groups(model: nn.Module, recipe: Recipe, without: set[int]) -> list[dict[str, Any]]:
    """Weights, and apart from them biases and norms, which need no decay (He et al. 2019, section 3.1)."""
    parameters = [each for each in model.parameters() if each.requires_grad and id(each) not in without]
    quick = _norm_biases(model) if recipe.norm_bias_rate != 1 else set()
    slow = [each for each in parameters if id(each) not in quick]
    groups: list[dict[str, Any]] = [{"params": slow, "weight_decay": 0.0}]
    if recipe.weight_decay:
        groups = [
            {"params": [each for each in slow if each.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [each for each in slow if each.ndim <= 1], "weight_decay": 0.0},
        ]
    if quick:
        biases = [each for each in parameters if id(each) in quick]
        groups.append({"params": biases, "weight_decay": 0.0, _RATE_FACTOR: recipe.norm_bias_rate})
    for group in groups:
        group["lr"] = recipe.learning_rate * group.get(_RATE_FACTOR, 1.0)
    return groups


def _norm_biases(model: nn.Module) -> set[int]:
    """What normalisations add, by identity."""
    found: list[Tensor | None] = [
        module.bias for module in model.modules() if isinstance(module, _NORMALISATIONS)
    ]
    return {id(bias) for bias in found if bias is not None and bias.requires_grad}


def _inner_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Kernels and matrices but the first and the last, which their authors leave to AdamW (Jordan 2024)."""
    matrices = [weights for weights in model.parameters() if weights.ndim > 1]
    return [weights for weights in matrices[1:-1] if weights.requires_grad]


def learning_rates(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The learning rate of each step, counted from 0, in a run of `steps`. It needs no state to resume.

    step: is multiplied by `step_factor` after each `step_epochs` epochs (torch's StepLR).
    linear, cosine: falls from the peak to `final_rate` times the peak in a straight line, or along half a
    cosine (Loshchilov and Hutter 2017, without restarts).
    one_cycle: rises over 30 % of the steps, or over the share of `warm_up`, then falls to 1/10,000 of where
    it began, both along half a cosine (Smith and Topin 2018, in the form of fast.ai and torch's OneCycleLR).

    With `warm_up` the others first rise from `warm_up_start` times the peak in a straight line.
    """
    if recipe.schedule == "one_cycle":
        return _one_cycle(recipe, steps)
    peak, rising = recipe.learning_rate, int(recipe.warm_up * steps)
    falling = _falling(recipe, steps, steps - rising)

    def rate(step: int) -> float:
        if step < rising:
            return peak * (recipe.warm_up_start + (1 - recipe.warm_up_start) * step / rising)
        return falling(step - rising)

    return rate if rising else falling


def _falling(recipe: Recipe, steps: int, left: int) -> Callable[[int], float]:
    """The rate after the warm-up, over the `left` of all `steps`."""
    peak, last = recipe.learning_rate, recipe.learning_rate * recipe.final_rate
    if recipe.schedule == "cosine":
        return lambda step: _between(peak, last, step / left)
    if recipe.schedule == "linear":
        return lambda step: peak + (last - peak) * step / left
    if recipe.schedule == "step":
        warmed = steps - left
        return lambda step: (
            peak * recipe.step_factor ** ((step + warmed) * recipe.epochs // steps // recipe.step_epochs)
        )
    return lambda step: peak


def _one_cycle(recipe: Recipe, steps: int) -> Callable[[int], float]:
    peak = recipe.learning_rate
    start, last = peak * recipe.warm_up_start, max(steps - 1, 1)
    top = max((recipe.warm_up or _WARM_UP) * steps - 1, 1e-9)

    def one_cycle(step: int) -> float:
        if step <= top:
            return _between(start, peak, step / top)
        return _between(peak, start * _END, (step - top) / max(last - top, 1e-9))

    return one_cycle


def _between(first: float, last: float, share: float) -> float:
    """From `first` at 0 to `last` at 1 along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0))) / 2


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """For all weights; some learn in a multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(_RATE_FACTOR, 1.0)


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
