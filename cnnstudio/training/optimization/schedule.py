"""Learning rate schedules, as functions of the step. Needs no torch: the window plots them."""

from __future__ import annotations

import math
from collections.abc import Callable

from cnnstudio.training.recipe.recipe import Recipe

# The defaults of torch's OneCycleLR: pct_start, and 1 / final_div_factor.
_ONE_CYCLE_WARM_UP = 0.3
_ONE_CYCLE_END = 1e-4
"""The final learning rate of one_cycle, as a fraction of the initial one."""


def learning_rates(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The learning rate of each step, counted from 0, in a run of `steps`. There is no state to save.

    step: multiplied by `step_factor` every `step_epochs` epochs (torch's StepLR).
    linear, cosine: falls from the peak to `final_rate` times the peak, linearly or along half a cosine
    (Loshchilov and Hutter 2017, without restarts).
    one_cycle: rises for 30% of the steps, or for the fraction `warm_up`, then falls to 1/10,000 of where
    it began, both along half a cosine (Smith and Topin 2018, in the form of fast.ai and torch's OneCycleLR).

    With `warm_up`, the other schedules begin with a linear rise from `warm_up_start` times the peak. With
    `unlock_after`, there are two stages, each with a schedule for its own steps; the peak of the second is
    `unlock_rate` times that of the first.
    """
    if not recipe.unlocks:
        return _stage(recipe, steps)
    first_steps = steps * recipe.unlock_after // recipe.epochs
    rate, epochs = recipe.learning_rate * recipe.unlock_rate, recipe.epochs - recipe.unlock_after
    head = _stage(recipe.replace(epochs=recipe.unlock_after, unlock_after=0), first_steps)
    rest = _stage(
        recipe.replace(epochs=epochs, learning_rate=max(rate, 1e-8), unlock_after=0), steps - first_steps
    )
    return lambda step: head(step) if step < first_steps else rest(step - first_steps)


def _stage(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """The learning rate of each step of one stage."""
    if recipe.schedule == "one_cycle":
        return _one_cycle(recipe, steps)
    peak, warm_up_steps = recipe.learning_rate, int(recipe.warm_up * steps)
    after_warm_up = _after_warm_up(recipe, steps, steps - warm_up_steps)

    def rate(step: int) -> float:
        # Step 0 has the rate of the start; the peak comes after the warm-up, as the first step of what
        # follows.
        if step < warm_up_steps:
            return peak * (recipe.warm_up_start + (1 - recipe.warm_up_start) * step / warm_up_steps)
        return after_warm_up(step - warm_up_steps)

    return rate if warm_up_steps else after_warm_up


def _after_warm_up(recipe: Recipe, steps: int, left: int) -> Callable[[int], float]:
    """The rate in the last `left` of all `steps`, by the steps since the warm-up."""
    peak, last = recipe.learning_rate, recipe.learning_rate * recipe.final_rate
    if recipe.schedule == "cosine":
        # Over `left` and not `left - 1` steps, so that `last` would be reached one step after the end.
        return lambda step: _half_cosine(peak, last, step / left)
    if recipe.schedule == "linear":
        return lambda step: peak + (last - peak) * step / left
    if recipe.schedule == "step":
        # Epochs count from the start of the run, warm-up included. In integers: with a float quotient, an
        # epoch could begin a step late.
        warmed = steps - left
        return lambda step: (
            peak * recipe.step_factor ** ((step + warmed) * recipe.epochs // steps // recipe.step_epochs)
        )
    return lambda step: peak


def _one_cycle(recipe: Recipe, steps: int) -> Callable[[int], float]:
    peak = recipe.learning_rate
    # As in OneCycleLR, step 0 has the rate of the start and step `steps - 1` the final one, and `top` need
    # not be a whole number. The lower limits keep runs of one or two steps from dividing by 0.
    start, last = peak * recipe.warm_up_start, max(steps - 1, 1)
    top = max((recipe.warm_up or _ONE_CYCLE_WARM_UP) * steps - 1, 1e-9)

    def one_cycle(step: int) -> float:
        if step <= top:
            return _half_cosine(start, peak, step / top)
        return _half_cosine(peak, start * _ONE_CYCLE_END, (step - top) / max(last - top, 1e-9))

    return one_cycle


def _half_cosine(first: float, last: float, fraction: float) -> float:
    """From `first` at 0 to `last` at 1 along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * min(max(fraction, 0.0), 1.0))) / 2
