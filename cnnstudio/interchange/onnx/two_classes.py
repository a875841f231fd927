"""One sigmoid unit at the end, as two scores of a softmax, with weights that give the same probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cnnstudio.design.adaptation import with_two_classes
from cnnstudio.design.network import Network
from cnnstudio.interchange.onnx.arrays import Array


def with_two_scores(
    network: Network, weights: Mapping[str, Array]
) -> tuple[Network, dict[str, Array]] | None:
    """The network and its weights with two scores, 0 and that of the unit; None if it does not end so."""
    changed = with_two_classes(network)
    if changed is None:
        return None
    last = changed.nodes[-1]
    names = [f"{last.id}.{name}" for name in ("weight", "bias") if f"{last.id}.{name}" in weights]
    if not names:
        return None
    return changed, {**weights, **{name: _with_zeros(weights[name]) for name in names}}


def _with_zeros(array: Array) -> Array:
    """The rows of the first class, which are zeros, before that of the second."""
    dims = (2, *array.dims[1:])
    return array.then(lambda value: np.concatenate([np.zeros_like(value), value]), dims)
