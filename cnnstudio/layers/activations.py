"""The activation functions that Conv2D, Dense, Activation and Residual offer, as modules and as code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnstudio.core.parameters import Choice, choice
from cnnstudio.layers.code import Arguments, Call, Name, NotDrawable, Signatures

if TYPE_CHECKING:
    from torch import nn

_SLOPE = 0.01
"""Of leaky_relu, as Maas et al. (2013) have it."""

# Name -> class of torch.nn and its arguments. The names are Keras's.
_PYTORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("ReLU", {}),
    "leaky_relu": ("LeakyReLU", {"negative_slope": _SLOPE}),
    "elu": ("ELU", {}),
    "gelu": ("GELU", {}),
    "silu": ("SiLU", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softmax": ("Softmax", {"dim": 1}),
}
ACTIVATIONS = ("linear", *_PYTORCH)

# Keras's own "leaky_relu" has a slope of 0.2: it is written out.
_KERAS_LAYERS = {"leaky_relu": f"layers.LeakyReLU(negative_slope={_SLOPE})"}


# What other code has and this program has not, and what comes nearest.
_NEAREST = {
    "relu6": "relu",
    "softplus": "relu",
    "selu": "elu",
    "celu": "elu",
    "prelu": "leaky_relu",
    "rrelu": "leaky_relu",
    "mish": "silu",
    "hardswish": "silu",
    "hard_swish": "silu",
    "hard_silu": "silu",
    "hardsigmoid": "sigmoid",
    "hard_sigmoid": "sigmoid",
    "hardtanh": "tanh",
    "softsign": "tanh",
}
_SAME = {"swish": "silu", "logsoftmax": "softmax", "log_softmax": "softmax", "identity": "linear"}
"""Other names; cross-entropy takes the logarithm of a softmax anyway."""

KERAS_ACTIVATION_CALLS: Signatures = {
    "ReLU": "max_value=None, negative_slope=0.0, threshold=0.0",
    "LeakyReLU": "negative_slope=0.3, alpha=None",
    "PReLU": "alpha_initializer='Zeros', alpha_regularizer=None, alpha_constraint=None, shared_axes=None",
    "ELU": "alpha=1.0",
    "Softmax": "axis=-1",
}
"""Keras's layers that are activations."""
PYTORCH_ACTIVATION_CALLS: Signatures = {
    "ReLU": "inplace=False",
    "LeakyReLU": "negative_slope=0.01, inplace=False",
    "ELU": "alpha=1.0, inplace=False",
    "GELU": "approximate='none'",
    "SiLU": "inplace=False",
    "Sigmoid": "",
    "Tanh": "",
    "Softmax": "dim=None",
    "LogSoftmax": "dim=None",
    "Identity": "",
    "ReLU6": "inplace=False",
    "SELU": "inplace=False",
    "CELU": "alpha=1.0, inplace=False",
    "PReLU": "num_parameters=1, init=0.25",
    "Mish": "inplace=False",
    "Hardswish": "inplace=False",
    "Hardsigmoid": "inplace=False",
    "Hardtanh": "min_val=-1.0, max_val=1.0, inplace=False",
    "Softplus": "beta=1.0, threshold=20.0",
    "Softsign": "",
}
"""torch's."""


@dataclass(frozen=True)
class ActivationChoice(Choice):
    """An activation, which code gives as a name, as a function or as a layer."""

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        if value is None:
            return "linear"
        if isinstance(value, Call):
            arguments = Arguments(value, KERAS_ACTIVATION_CALLS.get(value.name, ""), frozenset({"name"}))
            name = keras_activation_of(arguments)
            for text in (*arguments.notes, *(f"{each} is not drawn" for each in arguments.left_over())):
                note(text)
            return name
        name = value.last if isinstance(value, Name) else value
        if name == "leaky_relu":
            note(f"its leaky_relu has a slope of 0.2; {_SLOPE} is drawn")
        return activation_named(name, note) if isinstance(name, str) else name


def activation_named(name: str, note: Callable[[str], None]) -> str:
    """The activation of that name, whatever library calls it so, or the one that comes nearest."""
    known = {each.replace("_", ""): each for each in ACTIVATIONS}
    small = name.lower()
    plain = _SAME.get(small, known.get(small.replace("_", ""), small))
    if plain in ACTIVATIONS:
        return plain
    nearest = _NEAREST.get(small)
    if nearest is None:
        raise NotDrawable(f"applies {name}, which there is not; there are {', '.join(ACTIVATIONS)}")
    note(f"there is no {name}: {nearest}, which comes nearest, is drawn")
    return nearest


def keras_activation_of(call: Arguments) -> str:
    """The activation that one of Keras's layers applies."""
    if call.name == "LeakyReLU":
        slope = call["negative_slope"] if call["alpha"] is None else call["alpha"]
        if slope != _SLOPE:
            call.notes.append(f"its slope is {slope}; {_SLOPE} is drawn")
    return activation_named(call.name, call.notes.append)


def pytorch_activation_of(call: Call, note: Callable[[str], None] = lambda text: None) -> str | None:
    """The activation that one of torch's modules applies; None for a module that is none."""
    if call.name not in PYTORCH_ACTIVATION_CALLS:
        return None
    arguments = Arguments(call, PYTORCH_ACTIVATION_CALLS[call.name])
    if call.name == "LeakyReLU" and arguments["negative_slope"] != _SLOPE:
        note(f"its slope is {arguments['negative_slope']}; {_SLOPE} is drawn")
    return activation_named(call.name, note)


def pytorch_activations(calls: Iterable[Call]) -> list[str]:
    """What a layer before these calls may apply: one of them, if it is an activation, or nothing."""
    named = [pytorch_activation_of(call) for call in calls]
    return [*(name for name in named if name), "linear"]


def activation_choice(default: str, help: str = "what is applied to each output value") -> Any:
    """A dataclass field for an activation."""
    return choice(default, ACTIVATIONS, help=help, kind=ActivationChoice)


# These are differentiated from their input. The others are from their result, and the input can go.
_NEED_INPUT = frozenset({"leaky_relu", "elu", "gelu", "silu"})


def needs_input(name: str) -> bool:
    """Whether the way back needs what the function was applied to, besides what it gave."""
    return name in _NEED_INPUT


def build_activation(name: str) -> list[tuple[str, nn.Module]]:
    """The activation as the last piece of a layer; no piece for "linear"."""
    from torch import nn

    if name == "linear":
        return []
    kind, arguments = _PYTORCH[name]
    return [("activation", getattr(nn, kind)(**arguments))]


def pytorch_activation(name: str) -> list[tuple[str, str]]:
    """The same as code."""
    if name == "linear":
        return []
    kind, arguments = _PYTORCH[name]
    given = ", ".join(f"{argument}={value!r}" for argument, value in arguments.items())
    return [("activation", f"nn.{kind}({given})")]


def keras_activation(name: str) -> str:
    """The argument that a Keras layer takes, as `, activation="relu"`; nothing for "linear"."""
    if name == "linear":
        return ""
    return ", activation=" + _KERAS_LAYERS.get(name, f'"{name}"')


def keras_activation_layers(name: str) -> list[str]:
    """The activation as Keras layers of its own."""
    if name == "linear":
        return []
    return [_KERAS_LAYERS.get(name, f'layers.Activation("{name}")')]
