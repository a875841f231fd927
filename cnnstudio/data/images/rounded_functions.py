"""Functions whose float32 results are the same on every processor.

numpy has another implementation of its float32 functions for each set of vector instructions, and they differ
in the last bit. Here they are computed in float64, where such a difference is far below what rounding to
float32 keeps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def sine(x: Floats) -> Floats:
    return np.sin(x, dtype=np.float64).astype(np.float32)


def cosine(x: Floats) -> Floats:
    return np.cos(x, dtype=np.float64).astype(np.float32)


def arctan2(y: Floats, x: Floats) -> Floats:
    return np.arctan2(y, x, dtype=np.float64).astype(np.float32)


def hypot(x: Floats, y: Floats) -> Floats:
    # Multiplication, addition and the square root are exact to the last bit everywhere, unlike numpy.hypot.
    x, y = x.astype(np.float64), y.astype(np.float64)
    return np.sqrt(x * x + y * y).astype(np.float32)
