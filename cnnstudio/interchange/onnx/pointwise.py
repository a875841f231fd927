"""Activations that a file spells out: x · sigmoid(x), or 0.5 x (1 + erf(x / √2)).

Programs write them in many forms. So their form does not count: what is computed value by value is kept as a
function of the value where it started, and that function is compared with the known ones at many points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""float64 (K,) -> float64 (K,)."""
Functions = dict[str, Function]
"""The name of the value where it started -> the function."""

_MAXIMUM_SOURCES = 10
_POINTS = np.concatenate([np.linspace(-14, 14, 1401), np.array([-300.0, -50.0, 50.0, 300.0])])
_TOLERANCE = 2e-6
_CLOSE = 3e-3
"""The error of the usual approximation of gelu by tanh is 5e-4."""

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = 1 / (1 + np.exp(-x))
    return result


def _softplus(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.logaddexp(x, 0)
    return result


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


KNOWN: Mapping[str, Function] = {
    "silu": lambda x: x * _sigmoid(x),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": _elu,
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "softplus": _softplus,
    "linear": lambda x: x,
}
"""The activations of layers here."""

UNARY: Mapping[str, Function] = {
    "Sigmoid": _sigmoid,
    "Tanh": np.tanh,
    "Softplus": _softplus,
    "Erf": _erf,
    "Exp": np.exp,
    "Relu": KNOWN["relu"],
    "HardSwish": KNOWN["hard_silu"],
    "Neg": np.negative,
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Identity": lambda x: x,
}
BINARY: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Max": np.maximum,
    "Min": np.minimum,
}


def with_source(functions: Functions, name: str) -> Functions:
    """The functions, and the value `name` itself as one where others may start."""
    latest = list(functions.items())[-_MAXIMUM_SOURCES:]
    return {**dict(latest), name: lambda x: x}


def recognize(function: Function) -> tuple[str, str]:
    """(the activation that a function is, a note if it is only close); empty for none."""
    with np.errstate(all="ignore"):
        values = function(_POINTS)
        if values.shape != _POINTS.shape or not np.isfinite(values).all():
            # Beyond float64, though not where values usually are.
            near = np.abs(_POINTS) < 20
            values = function(_POINTS[near])
            points = _POINTS[near]
        else:
            points = _POINTS
        if values.shape != points.shape:
            return "", ""
        scale = 1 + np.abs(points)
        for name, known in KNOWN.items():
            if np.all(np.abs(values - known(points)) <= _TOLERANCE * scale):
                return name, ""
        if np.all(np.abs(values - KNOWN["gelu"](points)) <= _CLOSE):
            return "gelu", "approximates gelu by tanh; the exact gelu is used instead"
    return "", ""
