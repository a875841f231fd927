"""Muon with float64 instead of bfloat16 in its iteration, to compare results exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor


@contextmanager
def float64_muon() -> Iterator[None]:
    """Inside, torch's Muon orthogonalizes in float64 and not in bfloat16.

    Processors, numbers of threads and orders of summation differ in the last float32 digit of a gradient,
    which sometimes rounds to another bfloat16, 2⁻⁸ = 0.4% away. Each of the five steps of the iteration
    multiplies small components of the gradient by up to 3.4445, its slope at zero:
    2⁻⁸ × 3.4445⁵ = 2⁻⁸ × 485 ≈ 2. So in some directions two correct updates differ completely, and no
    tolerance that accepts this would find a wrong gradient. In float64 only the float32 rounding of the
    gradient is amplified, 2⁻²⁴ × 485 = 3e-5 of an update, which is within the tolerances of float32 sums.
    """
    widened = 0

    def wide(tensor: Tensor) -> Tensor:
        nonlocal widened
        widened += 1
        # A copy, as bfloat16() makes one: the iteration works in place.
        return tensor.to(torch.float64, copy=True)

    with patch.object(Tensor, "bfloat16", wide):
        yield
    assert widened, "torch's Muon no longer converts to bfloat16 in this way"
