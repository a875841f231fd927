"""The models that Keras code builds, and the names and arguments that versions of Keras call differently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnstudio.interchange.interpreter.graph import Item, SymbolicTensor
from cnnstudio.interchange.interpreter.values import Instance
from cnnstudio.layers.code import Call, Name, Unknown

_ROOTS = ("tensorflow.keras", "tensorflow.python.keras", "tensorflow.compat.v1.keras", "tf_keras", "keras")
_TENSORFLOW = ("tensorflow.optimizers.", "tensorflow.losses.", "tensorflow.initializers.")
"""Modules of Keras that TensorFlow also has under its own name."""
_SHAPES = ("batch_input_shape", "batch_shape", "input_shape", "shape", "input_dim")

WEIGHTED_LAYERS = frozenset(
    {"Conv2D", "Convolution2D", "Dense", "BatchNormalization", "DepthwiseConv2D", "SeparableConv2D"}
)
"""Layers that do something else when their weights are shared."""


@dataclass(frozen=True)
class TrainingCall:
    """A call of `compile` or `fit`."""

    name: str
    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]
    line: int

    @property
    def images(self) -> Any:
        """The first argument of `fit`: what the model is trained with."""
        named = self.keywords.get("x", self.keywords.get("generator"))
        return self.positional[0] if self.positional else named


@dataclass(eq=False)
class Model:
    """A model that the program builds, as far as it has got."""

    items: list[Item] = field(default_factory=list)
    line: int = 0
    name: str = ""
    shape: Any = None
    importance: int = 0
    """2 for a model that is trained, 1 for one that is compiled: of several, the trained one is imported."""
    is_part: bool = False
    """Whether it became part of another model."""
    instance: Instance | None = None
    """The object, for a model of one of the program's classes."""
    training: list[TrainingCall] = field(default_factory=list)
    """The calls of `compile` and `fit`."""
    batch_size: int | None = None
    """That of the images that it is called with."""
    ends: tuple[SymbolicTensor, SymbolicTensor] | None = None
    """Input and output of a model in the functional style."""

    @property
    def losses(self) -> list[str]:
        """The names of the losses that it is compiled with."""
        calls = [each for each in self.training if each.name == "compile"]
        values = [
            each.keywords.get("loss", each.positional[1] if len(each.positional) > 1 else "")
            for each in calls
        ]
        names = [value.last if isinstance(value, Name) else value for value in values]
        return [name.name if isinstance(name, Call) else str(name) for name in names]


def canonical(path: str) -> str:
    """The current name under `keras.` of something that has another in TensorFlow or older versions."""
    if path.startswith(_TENSORFLOW):
        path = f"keras{path.removeprefix('tensorflow')}"
    for root in _ROOTS:
        if path == root or path.startswith(f"{root}."):
            path = f"keras{path[len(root) :]}"
            break
    parts = path.split(".")
    if parts[0] == "keras" and len(parts) > 2 and parts[1] in ("layers", "models"):
        # Older versions have a module for each family of layers: keras.layers.convolutional.Conv2D.
        return f"keras.{parts[1]}.{parts[-1]}"
    return path


def name_argument(call: Call) -> str:
    """The name that the code gives to a layer or model; empty if it gives none."""
    name = call.keywords.get("name")
    return name if isinstance(name, str) else ""


def shape_argument(keywords: Mapping[str, Any]) -> Any:
    """The input shape in a layer's arguments, without the batch axis."""
    for name in _SHAPES:
        value = keywords.get(name)
        if value is not None:
            has_batch_axis = name.startswith("batch") and isinstance(value, list | tuple)
            return tuple(value)[1:] if has_batch_axis else value
    return None


def is_whole_shape(value: Any) -> bool:
    """Whether all sizes of an input shape are known."""
    return isinstance(value, list | tuple) and all(type(size) is int for size in value)


def single(value: Any) -> Any:
    """The only element of a list; any other value as it is."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def known_sizes(value: Any) -> Any:
    """A shape in which sizes that are only known at run time are None, as Keras writes them."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(None if isinstance(size, Unknown) else size for size in value)
