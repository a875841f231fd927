"""The optimizers that a recipe can name."""

from __future__ import annotations

from typing import Any

import torch

# The first optimizer imports it. Meanwhile it would store the frames of the functions that are running, and
# with them a run's model and images, until the next garbage collection.
import torch._dynamo
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from cnnstudio.training.optimization.muon import MuonWithAdamW
from cnnstudio.training.recipe.recipe import Recipe

# One kernel for all parameters, instead of one per parameter and operation.
_FUSED = frozenset({"cpu", "cuda", "mps"})

_NORMALIZATIONS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
_RATE_FACTOR = "rate_factor"
"""A key of parameter groups: the multiple of the learning rate that the group uses."""

_RMSPROP_ALPHA = 0.9
"""The decay of the mean of squares, as in Keras (torch's default is 0.99)."""


def make_optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """The recipe's optimizer for the trainable weights of the model, on the model's device."""
    rate, momentum = recipe.learning_rate, recipe.momentum
    matrices = _inner_matrices(model) if recipe.optimizer == "muon" else []
    groups = _groups(model, recipe, {id(weights) for weights in matrices})
    device = next((parameter.device.type for parameter in model.parameters()), "cpu")
    fused = device in _FUSED
    if recipe.optimizer == "sgd":
        return SGD(groups, rate, momentum=momentum, nesterov=momentum > 0, fused=fused)
    if recipe.optimizer == "rmsprop":
        return RMSprop(groups, rate, alpha=_RMSPROP_ALPHA, momentum=momentum)
    if recipe.optimizer == "adam":
        return Adam(groups, rate, fused=fused)
    adamw = AdamW(groups, rate, fused=fused)
    if not matrices:
        return adamw
    return MuonWithAdamW(matrices, adamw, rate, momentum=momentum, weight_decay=recipe.weight_decay)


def _groups(model: nn.Module, recipe: Recipe, excluded: set[int]) -> list[dict[str, Any]]:
    """Parameter groups: biases and normalization get no weight decay (He et al. 2019, section 3.1)."""
    parameters = [each for each in model.parameters() if each.requires_grad and id(each) not in excluded]
    fast = _norm_biases(model) if recipe.norm_bias_rate != 1 else set()
    slow = [each for each in parameters if id(each) not in fast]
    groups: list[dict[str, Any]] = [{"params": slow, "weight_decay": 0.0}]
    if recipe.weight_decay:
        groups = [
            {"params": [each for each in slow if each.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [each for each in slow if each.ndim <= 1], "weight_decay": 0.0},
        ]
    if fast:
        biases = [each for each in parameters if id(each) in fast]
        groups.append({"params": biases, "weight_decay": 0.0, _RATE_FACTOR: recipe.norm_bias_rate})
    for group in groups:
        group["lr"] = recipe.learning_rate * group.get(_RATE_FACTOR, 1.0)
    return groups


def _norm_biases(model: nn.Module) -> set[int]:
    """The ids (as of `id`) of the trainable biases of normalizations."""
    found: list[Tensor | None] = [
        module.bias for module in model.modules() if isinstance(module, _NORMALIZATIONS)
    ]
    return {id(bias) for bias in found if bias is not None and bias.requires_grad}


def _inner_matrices(model: nn.Module) -> list[nn.Parameter]:
    """The kernels for Muon: all but the first and the last, which Jordan 2024 leaves to AdamW."""
    matrices = [weights for weights in model.parameters() if weights.ndim > 1]
    return [weights for weights in matrices[1:-1] if weights.requires_grad]


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the learning rate of all groups; some use a multiple of it (`norm_bias_rate`)."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(_RATE_FACTOR, 1.0)


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state tensors by parameter index and name, such as `0.exp_avg`; not copied.

    Each has the shape and dtype of its parameter, or is () float32 for a count of steps.
    """
    return {
        f"{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restores what `optimizer_tensors` gave, for the same type of optimizer and the same model.

    `tensors` has names such as `0.exp_avg`, with shapes and dtypes as there.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        # Fused kernels read weights and state in memory order, so both need the same layout (channels_last).
        state.setdefault(int(index), {})[name] = (
            torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
