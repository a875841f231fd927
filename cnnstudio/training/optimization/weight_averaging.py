"""Averages of the weights over the last steps, which do better on new images than the weights themselves.

Running means and variances of normalizations are averaged in the same way as weights. They are moving
averages of the network's statistics already, and the weights of neighboring steps lie close together, so the
average of both fits; to compute them anew (torch's `update_bn`) would cost a pass over the images before
each evaluation, and pays where weights far apart are averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cnnstudio.training.recipe.recipe import Recipe

_PREFIX = "average."
_STEPS = "average-steps"

_EVERY = 5
"""Steps between two looks of Lookahead."""


def make_average(recipe: Recipe, model: nn.Module, steps: int) -> WeightAverage | None:
    """What the recipe asks for in a run of so many steps, beginning with the model as it is; or None."""
    if recipe.lookahead:
        return Lookahead(model, steps)
    return WeightAverage(model, recipe.average_decay) if recipe.average_decay else None


class WeightAverage:
    """An exponential moving average of all weights and statistics, on the model's device.

    Call `update` after each step of the optimizer. The decay of step t is at most (1 + t) / (10 + t), so that
    the random weights of the beginning are soon forgotten (as TensorFlow's ExponentialMovingAverage with
    `num_updates`).

    The weights to evaluate, to export and to keep as the best are the average's: `weights()`, or the model
    itself inside `in_model()`. To go on later takes the model's own weights, and `tensors()` beside them.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.steps = 0
        self._decay = decay
        self._own = dict(model.state_dict())
        self._averages = {name: value.clone() for name, value in self._own.items()}
        self._numbers = [name for name, value in self._own.items() if value.is_floating_point()]
        self._counters = [name for name in self._own if name not in set(self._numbers)]

    def update(self) -> None:
        """Takes the model's weights in."""
        self.steps += 1
        self._move(min(self._decay, (1 + self.steps) / (10 + self.steps)))

    def weights(self) -> dict[str, Tensor]:
        """The average, under the names of the model's `state_dict`; later updates change it."""
        return dict(self._averages)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Inside, the model has the average as its weights."""
        before = {name: value.clone() for name, value in self._own.items()}
        try:
            _copy(self._averages, self._own)
            yield
        finally:
            _copy(before, self._own)

    def tensors(self) -> dict[str, Tensor]:
        """All that there is to keep, by names that no weight has; `restore` takes it."""
        named = {_PREFIX + name: value for name, value in self._averages.items()}
        return {**named, _STEPS: torch.tensor(self.steps)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes back to what `tensors` gave; begins anew, with the model as it is, where it is not there."""
        known = {name: tensors.get(_PREFIX + name, value) for name, value in self._own.items()}
        _copy(known, self._averages)
        self.steps = int(tensors[_STEPS]) if _STEPS in tensors else 0

    @torch.no_grad()
    def _move(self, decay: float) -> None:
        """The averages as decay * average + (1 - decay) * weight; what only counts is taken as it is."""
        averages = [self._averages[name] for name in self._numbers]
        torch._foreach_lerp_(averages, [self._own[name] for name in self._numbers], 1 - decay)
        for name in self._counters:
            self._averages[name].copy_(self._own[name])


class Lookahead(WeightAverage):
    """Every 5 steps the weights are put back onto their average, which follows them ever more slowly.

    Zhang et al. 2019, Lookahead Optimizer, with the decay 0.95^5 * (share of the run)^3 of Jordan 2024
    (cifar10-airbench). At the end the weights are the average.
    """

    def __init__(self, model: nn.Module, steps: int) -> None:
        super().__init__(model, 0.0)
        self._last = steps

    def update(self) -> None:
        self.steps += 1
        if self.steps % _EVERY == 0:
            self._move(0.95**_EVERY * min(self.steps / self._last, 1.0) ** 3)
            _copy(self._averages, self._own)
        elif self.steps >= self._last:
            _copy(self._averages, self._own)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """The weights as they are: between two looks they are ahead of the average."""
        yield

    def weights(self) -> dict[str, Tensor]:
        return dict(self._own)


@torch.no_grad()
def _copy(values: Mapping[str, Tensor], places: Mapping[str, Tensor]) -> None:
    for name, place in places.items():
        place.copy_(values[name])
