"""The plane in which points of many dimensions spread most, and how one map is turned to match another.

Importing it does not import torch. All products are torch's, which computes with the same threads as a
training; numpy would start threads of its own.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Points = npt.NDArray[np.float32]
"""float32 (N, 2)."""

_BLOCK = 4
"""Directions that are added in a round."""
_MAX_ROUNDS = 60
_TOLERANCE = 1e-7
"""Of what is left of both directions, as a share of the variance along the first one."""


def principal_plane(
    features: npt.NDArray[np.float32],
) -> Generator[float, None, tuple[Points, tuple[float, float]]]:
    """Points by their first two principal components, and the share of the variance that each explains.

    `features` are float32 (N, D), finite. Yields the fraction done after each round, which takes a few
    milliseconds. The result is that of a complete decomposition: a block Lanczos iteration with full
    reorthogonalization (Golub and Van Loan, Matrix Computations, 4th ed., section 10.3), stopped by the
    residual of both directions, needs no D × D matrix. Signs are fixed: the entry of each direction that is
    farthest from 0 is positive.
    """
    import torch

    values = torch.from_numpy(np.ascontiguousarray(features, np.float32)).double()
    count, dims = values.shape
    values = values - values.mean(0) if count else values
    total = float(values.square().sum())
    if total <= 0:
        yield 1.0
        return np.zeros((count, 2), np.float32), (0.0, 0.0)
    random = torch.Generator().manual_seed(0)
    block = _orthonormal(torch.randn(dims, min(_BLOCK, dims), generator=random, dtype=torch.float64))
    basis, images = block[:, :0], values[:, :0]
    for number in range(_MAX_ROUNDS):
        basis, images = torch.cat((basis, block), 1), torch.cat((images, values @ block), 1)
        # The best directions within the basis; eigenvalues ascend.
        within = torch.linalg.eigh(images.T @ images)[1][:, -2:].flip(1)
        directions, found = basis @ within, images @ within
        variance = found.square().sum(0)
        left = values.T @ found - directions * variance
        yield 1 - 0.9 ** (number + 1)
        if float(left.norm(dim=0).max()) <= _TOLERANCE * float(variance.max()):
            break
        block = values.T @ images[:, -block.shape[1] :]
        for _ in range(2):  # once leaves rounding errors
            block = block - basis @ (basis.T @ block)
        block = _orthonormal(block)
        if not block.shape[1]:
            break
    yield 1.0
    extremes = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    points = torch.zeros(count, 2, dtype=torch.float64)
    points[:, : found.shape[1]] = found * extremes.sign()
    shares = [*(variance / total).clamp(0, 1).tolist(), 0.0]
    return points.float().numpy(), (shares[0], shares[1])


def turned_to(points: Points, reference: Points) -> Points:
    """`points`, rotated and perhaps mirrored to be as near as possible to `reference`, both (N, 2), centered.

    The orthogonal Procrustes problem (Schönemann, 1966). Distances between the points stay as they are.
    """
    found = points.astype(np.float64)
    # Of 2 × 2 numbers: no thread of numpy's works on it.
    product = np.array([[(found[:, i] * reference[:, j]).sum() for j in (0, 1)] for i in (0, 1)])
    left, _, right = np.linalg.svd(product)
    turn = left @ right
    turned = found[:, :1] * turn[0] + found[:, 1:] * turn[1]
    result: Points = turned.astype(np.float32)
    return result


def _orthonormal(block: Tensor) -> Tensor:
    """An orthonormal basis of what the columns span, without those that are nothing but rounding errors."""
    import torch

    left, strength, _ = torch.linalg.svd(block, full_matrices=False)
    kept: Tensor = left[:, strength > 1e-12 * max(float(strength.max()), 1e-300)]
    return kept
