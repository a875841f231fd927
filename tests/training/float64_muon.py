"""Muon without the few digits of its iteration, so that what comes of the same numbers can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor


@contextmanager
def wide_muon() -> Iterator[None]:
    """Inside, torch's Muon orthogonalizes in float64 and not in bfloat16.

    Processors, numbers of threads and orders of summation differ in the last float32 digit of a gradient,
    which now and then makes another bfloat16 of it, 2⁻⁸ = 0.4% away. Each of the five steps of the iteration
    then multiplies what is small beside the whole gradient by up to 3.4445, its slope at zero:
    2⁻⁸ × 3.4445⁵ = 2⁻⁸ × 485 ≈ 2. So in some direction one update may be any other, and no tolerance that
    allows for it would find a wrong gradient. In float64 the float32 digits of the gradient are what is
    amplified, 2⁻²⁴ × 485 = 3e-5 of an update, which tolerances of float32 sums allow for.
    """
    widened = 0

    def wide(tensor: Tensor) -> Tensor:
        nonlocal widened
        widened += 1
        # A copy, as bfloat16() makes one: the iteration begins in place.
        return tensor.to(torch.float64, copy=True)

    with patch.object(Tensor, "bfloat16", wide):
        yield
    assert widened, "torch's Muon does not come to its bfloat16 in this way any more"
