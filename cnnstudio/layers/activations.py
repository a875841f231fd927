"""The activation functions that Conv2D, Dense, Activation and Residual offer, as modules and as code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnstudio.layers.params import choice

if TYPE_CHECKING:
    from torch import nn

# Name -> expression on torch.nn. The names are Keras's.
_PYTORCH = {
    "relu": "nn.ReLU()",
    "leaky_relu": "nn.LeakyReLU(0.01)",
    "elu": "nn.ELU()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
    "sigmoid": "nn.Sigmoid()",
    "tanh": "nn.Tanh()",
    "softmax": "nn.Softmax(dim=1)",
}
ACTIVATIONS = ("linear", *_PYTORCH)

# Keras's own "leaky_relu" has a slope of 0.2 where torch and Maas et al. (2013) have 0.01: it is written out.
_KERAS_LAYERS = {"leaky_relu": "layers.LeakyReLU(negative_slope=0.01)"}


def activation_choice(default: str, help: str = "what is applied to each output value") -> Any:
    """A dataclass field for an activation."""
    return choice(default, ACTIVATIONS, help=help)


def build_activation(name: str) -> list[tuple[str, nn.Module]]:
    """The activation as the last piece of a layer; no piece for "linear"."""
    from torch import nn

    modules: dict[str, nn.Module] = {
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.01),
        "elu": nn.ELU(),
        "gelu": nn.GELU(),
        "silu": nn.SiLU(),
        "sigmoid": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "softmax": nn.Softmax(dim=1),
    }
    return [] if name == "linear" else [("activation", modules[name])]


def pytorch_activation(name: str) -> list[tuple[str, str]]:
    """The same as code."""
    return [] if name == "linear" else [("activation", _PYTORCH[name])]


def keras_activation(name: str) -> tuple[str, list[str]]:
    """The argument that a Keras layer takes, as `, activation="relu"`, or layers to follow in its place."""
    if name == "linear":
        return "", []
    if name in _KERAS_LAYERS:
        return "", [_KERAS_LAYERS[name]]
    return f', activation="{name}"', []


def keras_activation_layers(name: str) -> list[str]:
    """The activation as Keras layers of its own."""
    if name == "linear":
        return []
    return [_KERAS_LAYERS.get(name, f'layers.Activation("{name}")')]
