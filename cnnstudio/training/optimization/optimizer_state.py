"""What an optimizer remembers of each weight, by the weight's name, so that it finds back to it anywhere."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnstudio.training.optimization.optimizers import optimizer_tensors, restore_optimizer

_PREFIX = "optimizer."


def memory_of(optimizer: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The tensors by names such as `optimizer.exp_avg.conv2d_1.weight`."""
    names = _names(optimizer, model)
    found = {}
    for key, value in optimizer_tensors(optimizer).items():
        index, _, slot = key.partition(".")
        found[f"{_PREFIX}{slot}.{names[int(index)]}"] = value
    return found


def restore_memory(optimizer: Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Gives the optimizer back what it remembered; weights that are not among `tensors` start afresh.

    The first checkpoints counted the weights instead: `optimizer.0.exp_avg`.
    """
    places = {name: index for index, name in enumerate(_names(optimizer, model))}
    known: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if not key.startswith(_PREFIX):
            continue
        first, _, rest = key.removeprefix(_PREFIX).partition(".")
        if first.isdigit():
            known[f"{first}.{rest}"] = value
        elif rest in places:
            known[f"{places[rest]}.{first}"] = value
    restore_optimizer(optimizer, _with_beginnings(optimizer, known))


def _with_beginnings(optimizer: Optimizer, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Zeros added for weights that are new in a group: what every optimizer begins with.

    The kernels for many weights at once want all of a group's or none's.
    """
    result = dict(known)
    first = 0
    for group in optimizer.param_groups:
        weights: list[Tensor] = group["params"]
        numbers = range(first, first + len(weights))
        first += len(weights)
        slots = {key.partition(".")[2]: key for key in known if int(key.partition(".")[0]) in numbers}
        for slot, key in slots.items():
            is_scalar = known[key].ndim == 0
            for number, weight in zip(numbers, weights, strict=True):
                beginning = torch.zeros_like(known[key] if is_scalar else weight.detach())
                result.setdefault(f"{number}.{slot}", beginning)
    return result


def _names(optimizer: Optimizer, model: nn.Module) -> list[str]:
    """The weights' names in the order in which the optimizer counts them."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
