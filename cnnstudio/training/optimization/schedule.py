"""Learning rates from step to step, as the recipe names them. No torch: the window draws them."""

from __future__ import annotations

import math
from collections.abc import Callable

from cnnstudio.training.recipe.recipe import Recipe

_WARM_UP = 0.3
_END = 1e-4


def learning_rates(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The learning rate of each step, counted from 0, in a run of `steps`. It needs no state to resume.

    step: is multiplied by `step_factor` after each `step_epochs` epochs (torch's StepLR).
    linear, cosine: falls from the peak to `final_rate` times the peak in a straight line, or along half a
    cosine (Loshchilov and Hutter 2017, without restarts).
    one_cycle: rises over 30% of the steps, or over the share of `warm_up`, then falls to 1/10,000 of where
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
