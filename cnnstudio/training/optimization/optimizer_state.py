"""An optimizer's state by the names of the weights.

torch numbers the weights in the order of the optimizer's groups. That order changes with the recipe (weight
decay makes two groups of one) and with the design; names do not.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnstudio.training.optimization.optimizers import optimizer_tensors, restore_optimizer

_PREFIX = "optimizer."


def optimizer_state(optimizer: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The state tensors by names such as `optimizer.exp_avg.conv2d_1.weight`; not copied.

    Name -> tensor of the weight's shape and dtype, or () float32 for a count of steps.
    """
    names = _names(optimizer, model)
    found = {}
    for key, value in optimizer_tensors(optimizer).items():
        index, _, slot = key.partition(".")
        found[f"{_PREFIX}{slot}.{names[int(index)]}"] = value
    return found


def load_optimizer_state(optimizer: Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Restores the optimizer's state; weights that are not among `tensors` get its initial state.

    `tensors` are as `optimizer_state` gives them; other names are ignored.

    Checkpoints of version 1 numbered the weights instead: `optimizer.0.exp_avg`.
    """
    indices = {name: index for index, name in enumerate(_names(optimizer, model))}
    known: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if not key.startswith(_PREFIX):
            continue
        first, _, rest = key.removeprefix(_PREFIX).partition(".")
        if first.isdigit():
            known[f"{first}.{rest}"] = value
        elif rest in indices:
            known[f"{indices[rest]}.{first}"] = value
    restore_optimizer(optimizer, _with_initial_state(optimizer, known))


def _with_initial_state(optimizer: Optimizer, known: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Adds zeros, every optimizer's initial state, for weights that are new in a group.

    torch's kernels for many weights at once need the state of all weights of a group, or of none.
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
                initial = torch.zeros_like(known[key] if is_scalar else weight.detach())
                result.setdefault(f"{number}.{slot}", initial)
    return result


def _names(optimizer: Optimizer, model: nn.Module) -> list[str]:
    """The weights' names, in the order in which the optimizer numbers them."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
