"""The activation functions that layers offer, as torch modules and as code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnstudio.core.parameters import Choice, choice
from cnnstudio.layers.code import Arguments, Call, Name, Signatures, UnsupportedCall, is_same_value

if TYPE_CHECKING:
    from torch import nn

_LEAKY_SLOPE = 0.01
"""The negative slope of leaky_relu: that of Maas, Hannun and Ng 2013, and torch's default."""

# Keras's name -> class of torch.nn and its arguments.
_PYTORCH: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("ReLU", {}),
    "leaky_relu": ("LeakyReLU", {"negative_slope": _LEAKY_SLOPE}),
    "elu": ("ELU", {}),
    "gelu": ("GELU", {}),
    "silu": ("SiLU", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "softmax": ("Softmax", {"dim": 1}),
    "relu6": ("ReLU6", {}),
    "hard_silu": ("Hardswish", {}),
    "hard_sigmoid": ("Hardsigmoid", {}),
    "selu": ("SELU", {}),
    "mish": ("Mish", {}),
    "softplus": ("Softplus", {}),
}
ACTIVATIONS = ("linear", *_PYTORCH)

_BOUNDS = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}

# The string "leaky_relu" means a slope of 0.2 in Keras, so the layer is written out.
_KERAS_LAYERS = {"leaky_relu": f"layers.LeakyReLU(negative_slope={_LEAKY_SLOPE})"}


# Activations that this program does not have -> the closest one that it has.
_CLOSEST = {
    "celu": "elu",
    "prelu": "leaky_relu",
    "rrelu": "leaky_relu",
    "hardtanh": "tanh",
    "softsign": "tanh",
}
# log_softmax at the end means the same network: the loss is cross-entropy on logits either way.
_SYNONYMS = {
    "swish": "silu",
    "hardswish": "hard_silu",
    "hard_swish": "hard_silu",
    "logsoftmax": "softmax",
    "log_softmax": "softmax",
    "identity": "linear",
}
_WITH_DEFAULTS_ONLY = frozenset({"ELU", "GELU", "Softplus"})
"""Activations of torch that have arguments which those here do not have."""

KERAS_ACTIVATION_CALLS: Signatures = {
    "ReLU": "max_value=None, negative_slope=0.0, threshold=0.0",
    "LeakyReLU": "negative_slope=0.3, alpha=None",
    "PReLU": "alpha_initializer='Zeros', alpha_regularizer=None, alpha_constraint=None, shared_axes=None",
    "ELU": "alpha=1.0",
    "Softmax": "axis=-1",
}
"""Signatures of the Keras layers that are activations."""
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
"""Signatures of the torch modules that are activations."""


@dataclass(frozen=True)
class ActivationChoice(Choice):
    """A parameter for an activation. Imported code may give a string, a function or a layer."""

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        if value is None:
            return "linear"
        if isinstance(value, Call):
            arguments = Arguments(value, KERAS_ACTIVATION_CALLS.get(value.name, ""), frozenset({"name"}))
            name = activation_from_keras(arguments)
            ignored = (f"{argument} is ignored" for argument in arguments.unused_arguments())
            for text in (*arguments.notes, *ignored):
                note(text)
            return name
        name = value.last if isinstance(value, Name) else value
        if name == "leaky_relu":
            note(f"the slope of its leaky_relu is 0.2; {_LEAKY_SLOPE} is used instead")
        return resolve_activation(name, note) if isinstance(name, str) else name


def resolve_activation(name: str, note: Callable[[str], None]) -> str:
    """The activation that Keras or torch calls `name`, or the closest one.

    `note` receives a sentence if it is not the same function. Raises UnsupportedCall if nothing is close.
    """
    known = {each.replace("_", ""): each for each in ACTIVATIONS}
    lower = name.lower()
    plain = _SYNONYMS.get(lower, known.get(lower.replace("_", ""), lower))
    if plain in ACTIVATIONS:
        return plain
    closest = _CLOSEST.get(lower)
    if closest is None:
        raise UnsupportedCall(f"applies {name}, which is not supported; choose from {', '.join(ACTIVATIONS)}")
    note(f"{name} is not supported; the closest activation, {closest}, is used instead")
    return closest


def activation_from_keras(call: Arguments) -> str:
    """The activation that a call of one of KERAS_ACTIVATION_CALLS applies."""
    if call.name == "ReLU" and is_same_value(call["max_value"], 6):
        return "relu6"
    if call.name == "LeakyReLU":
        slope = call["negative_slope"] if call["alpha"] is None else call["alpha"]
        if slope != _LEAKY_SLOPE:
            call.notes.append(f"its slope is {slope}; {_LEAKY_SLOPE} is used instead")
    return resolve_activation(call.name, call.notes.append)


def activation_from_pytorch(call: Call, note: Callable[[str], None] = lambda text: None) -> str | None:
    """The activation that a torch module applies; None if the module is not an activation."""
    if call.name not in PYTORCH_ACTIVATION_CALLS:
        return None
    arguments = Arguments(call, PYTORCH_ACTIVATION_CALLS[call.name])
    if call.name == "LeakyReLU" and arguments["negative_slope"] != _LEAKY_SLOPE:
        note(f"its slope is {arguments['negative_slope']}; {_LEAKY_SLOPE} is used instead")
    if call.name in _WITH_DEFAULTS_ONLY:
        for name in arguments.unused_arguments():
            if name != "inplace":
                note(f"its {name} is {arguments[name]}; the default is used instead")
    return resolve_activation(call.name, note)


def possible_activations(calls: Iterable[Call]) -> list[str]:
    """The activations that the layer before these calls may include: each call that is one, and "linear"."""
    named = [activation_from_pytorch(call) for call in calls]
    return [*(name for name in named if name), "linear"]


def activation_choice(default: str, help: str = "function applied to each output value") -> Any:
    """A dataclass field for an activation."""
    return choice(default, ACTIVATIONS, help=help, kind=ActivationChoice)


# torch computes the gradient of these from their input. For the others the output is enough, so that the
# input can be freed: relu' = [y > 0], sigmoid' = y (1 - y), tanh' = 1 - y².
_NEED_INPUT = frozenset(
    {
        *("leaky_relu", "elu", "gelu", "silu", "relu6", "hard_silu", "hard_sigmoid", "selu", "mish"),
        "softplus",
    }
)


def backward_needs_input(name: str) -> bool:
    """Whether the backward pass needs the input of the function, besides its output."""
    return name in _NEED_INPUT


def build_activation(name: str) -> list[tuple[str, nn.Module]]:
    """The activation as the last of a layer's modules; no module for "linear"."""
    from torch import nn

    if name == "linear":
        return []
    kind, arguments = _PYTORCH[name]
    return [("activation", getattr(nn, kind)(**arguments))]


def pytorch_activation_code(name: str) -> list[tuple[str, str]]:
    """The modules of `build_activation` as expressions on `nn`."""
    if name == "linear":
        return []
    kind, arguments = _PYTORCH[name]
    given = ", ".join(f"{argument}={value!r}" for argument, value in arguments.items())
    return [("activation", f"nn.{kind}({given})")]


def keras_activation_argument(name: str) -> str:
    """The activation as an argument of a Keras layer: `, activation="relu"`; empty for "linear"."""
    if name == "linear":
        return ""
    return ", activation=" + _KERAS_LAYERS.get(name, f'"{name}"')


def keras_activation_layers(name: str) -> list[str]:
    """The activation as separate Keras layers; none for "linear"."""
    if name == "linear":
        return []
    return [_KERAS_LAYERS.get(name, f'layers.Activation("{name}")')]


def output_bounds(name: str) -> tuple[float, float] | None:
    """The two values between which the function levels off on both sides; None if it does not."""
    return _BOUNDS.get(name)
