"""What is asked of every unit of a layer's output, in few passes over memory, larger than caches as it is.

Outputs are float (N, K, …), for N images of K units, in any memory order; mostly a unit's values are not next
to each other, so that nothing here brings them into another order first.
"""

from __future__ import annotations

import torch
from torch import Tensor

_PART = 2**18
"""Values that are looked at together: what is computed of them stays in the CPU cache."""


def dead_units(output: Tensor) -> Tensor:
    """Whether a unit is 0 for all images, bool (K,).

    An image alone shows of nearly all units that they are not, so that the next only has to be asked about
    the others.
    """
    dead = torch.ones(output.shape[1], dtype=torch.bool, device=output.device)
    for image in output:
        left = dead.nonzero().flatten()
        if not len(left):
            break
        dead[left] = (image[left].flatten(1) == 0).all(1)
    return dead


def count_outside(output: Tensor, low: float, high: float) -> Tensor:
    """How many of a unit's values are below `low` or above `high`, int64 (K,).

    An image has at most 2 ** 24 values per unit.
    """
    values = output.flatten(2)
    found = torch.zeros(values.shape[1], dtype=torch.int64, device=values.device)
    is_cached = values.device.type == "cpu"
    images = max(_PART // max(values[:1].numel(), 1), 1) if is_cached else max(len(values), 1)
    for part in values.split(images):
        # Summed as float32: several times as fast as summing as integers, and as exact up to 2 ** 24.
        found += ((part < low) | (part > high)).float().sum(2).long().sum(0)
    return found


def sample_each(output: Tensor, limit: int) -> Tensor:
    """Evenly distributed values of each image, at most about `limit`, unit after unit: float (N, samples)."""
    values = output.flatten(2)
    units, size = values.shape[1:]
    places = torch.arange(0, units * size, sample_step(units * size, limit), device=values.device)
    return values[:, places // size, places % size]


def sample_step(count: int, limit: int) -> int:
    """The distance of at most about `limit` of so many values."""
    step = -(-count // limit)
    # An odd step does not stay in the same columns of an image, whose sides are mostly even.
    return step + 1 if step > 1 and step % 2 == 0 else step
