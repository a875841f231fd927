"""Averages of the weights over the last steps, which generalize better than the weights themselves.

The running means and variances of normalizations are averaged like weights. They are moving averages of the
network's statistics already, and the weights of neighboring steps lie close together, so that the average of
both fits. To recompute them (torch's `update_bn`) would cost a pass over the images before each evaluation,
and pays only where weights far apart are averaged.

Where there is an average, two sets of weights exist. The model holds the ones that the optimizer trains; the
average holds the ones that are evaluated, exported and saved as the best. `in_model` swaps them for an
evaluation. A checkpoint needs both, because training continues from the model's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cnnstudio.training.recipe.recipe import Recipe

# Names in checkpoints.
_PREFIX = "average."
_STEPS = "average-steps"

_LOOKAHEAD_STEPS = 5
"""Optimizer steps for each step of the slow weights."""


def make_ema(recipe: Recipe, model: nn.Module, steps: int) -> WeightEma | None:
    """The average that the recipe asks for in a run of `steps`, starting from the model now; or None."""
    if recipe.lookahead:
        return Lookahead(model, steps)
    return WeightEma(model, recipe.average_decay) if recipe.average_decay else None


class WeightEma:
    """An exponential moving average of all weights and running statistics, on the model's device.

    Call `update` after each optimizer step. The decay of step t is at most (1 + t) / (10 + t), so that the
    random initial weights soon lose their influence (as TensorFlow's ExponentialMovingAverage with
    `num_updates`). With a constant decay of 0.999 they would weigh 37% after 1,000 steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.steps = 0
        self._decay = decay
        # These are the model's tensors themselves, not copies: they change with each optimizer step.
        self._model_tensors = dict(model.state_dict())
        self._averages = {name: value.clone() for name, value in self._model_tensors.items()}
        self._averaged = [name for name, value in self._model_tensors.items() if value.is_floating_point()]
        # Integers, such as BatchNormalization's num_batches_tracked, are copied: a mean has no meaning.
        self._copied = [name for name in self._model_tensors if name not in set(self._averaged)]

    def update(self) -> None:
        """Includes the model's weights after an optimizer step."""
        self.steps += 1
        # 2/11, 3/12, 4/13, …: about 1 - 9/t, which averages over the last ninth of the steps so far, until
        # `decay` is reached (for 0.999 after some 9,000 steps).
        self._move(min(self._decay, (1 + self.steps) / (10 + self.steps)))

    def weights(self) -> dict[str, Tensor]:
        """The average: name -> tensor, shapes and dtypes as in the model's state dict.

        These are the tensors themselves; later updates change them.
        """
        return dict(self._averages)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """Inside, the model has the average as its weights."""
        # Copied into the model's tensors instead of exchanging the tensors, because the optimizer, Muon's
        # views and CUDA graphs refer to these. It takes a third set of weights for as long.
        before = {name: value.clone() for name, value in self._model_tensors.items()}
        try:
            _copy(self._averages, self._model_tensors)
            yield
        finally:
            _copy(before, self._model_tensors)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything to save, by names that no weight has.

        `average.` and the weight's name -> tensor, shapes and dtypes as in the model's state dict; and
        `average-steps`, int64 ().
        """
        named = {_PREFIX + name: value for name, value in self._averages.items()}
        return {**named, _STEPS: torch.tensor(self.steps)}

    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores what `state_dict` gave, by copying. Missing averages start from the model's weights.

        Name -> tensor, shapes as in the model's state dict; other names are ignored.
        """
        known = {name: tensors.get(_PREFIX + name, value) for name, value in self._model_tensors.items()}
        _copy(known, self._averages)
        self.steps = int(tensors[_STEPS]) if _STEPS in tensors else 0

    @torch.no_grad()
    def _move(self, decay: float) -> None:
        """Sets each average to decay * average + (1 - decay) * weight."""
        # One call for all tensors: on a GPU, a launch for each would take longer than the arithmetic of a
        # small network.
        averages = [self._averages[name] for name in self._averaged]
        torch._foreach_lerp_(averages, [self._model_tensors[name] for name in self._averaged], 1 - decay)
        for name in self._copied:
            self._averages[name].copy_(self._model_tensors[name])


class Lookahead(WeightEma):
    """Every 5 steps the weights are reset to their average, which follows them ever more slowly.

    Zhang et al. 2019, Lookahead Optimizer, with the decay 0.95^5 * (fraction of the run)^3 of Jordan 2024
    (cifar10-airbench). After the last step the weights are the average.
    """

    def __init__(self, model: nn.Module, steps: int) -> None:
        # The decay is that of `WeightEma.update`, which is overridden.
        super().__init__(model, 0.0)
        self._last_step = steps

    def update(self) -> None:
        self.steps += 1
        if self.steps % _LOOKAHEAD_STEPS == 0:
            # slow ← decay · slow + (1 - decay) · fast, then fast ← slow. At first the decay is 0 and nothing
            # happens; at the end it is 0.95^5 = 0.77, so that 5 steps count for less than a quarter.
            self._move(0.95**_LOOKAHEAD_STEPS * min(self.steps / self._last_step, 1.0) ** 3)
            _copy(self._averages, self._model_tensors)
        # Without a last move, which would add the fast weights once more (as in airbench, with a decay of 1).
        elif self.steps >= self._last_step:
            _copy(self._averages, self._model_tensors)

    @contextmanager
    def in_model(self) -> Iterator[None]:
        """The model as it is: the average acts on the training itself, not on the evaluation."""
        yield

    def weights(self) -> dict[str, Tensor]:
        """The model's own weights: name -> tensor, shapes and dtypes as in the model's state dict.

        Not copied: later steps change the tensors.
        """
        return dict(self._model_tensors)


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, tensor in target.items():
        tensor.copy_(source[name])
