"""Calls of Keras as layers: each is one, whatever its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import parameters
from cnnstudio.design.network import Node
from cnnstudio.interchange.assembly import Assembler, drawn, group_types
from cnnstudio.interchange.interpreter.graph import Nest, Piece
from cnnstudio.interchange.layer_calls import layer_call
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS, activation_named, keras_activation_of
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.catalog import layer_types
from cnnstudio.layers.code import Arguments, Call, NotDrawable

_COMMON = frozenset(
    {"name", "dtype", "input_shape", "batch_input_shape", "batch_shape", "input_dim", "batch_size", "weights"}
)
"""Arguments that every layer of Keras takes and that are read elsewhere or change nothing."""
PASSED_OVER = {
    "Rescaling": "the images are normalized before the training, by what they hold themselves",
    "Normalization": "the images are normalized before the training, by what they hold themselves",
    "RandomFlip": "flips are a setting of the training",
    "RandomTranslation": "shifts are a setting of the training",
}
"""Layers that prepare images, and what stands for them."""


class KerasAssembler(Assembler):
    """A call of Keras is a layer, whatever its shape."""

    def pieces(self, pieces: Sequence[Piece], shape: Shape | None) -> Iterator[Node]:
        for piece in pieces:
            node = self._node(piece)
            if node is not None:
                yield drawn(node, piece.name)

    def _node(self, piece: Piece) -> Node | None:
        call = piece.call
        if call.name in PASSED_OVER and (call.name != "Rescaling" or _rescales_pixels(call)):
            self.notes.add(call.line, f"{call.name} is not drawn: {PASSED_OVER[call.name]}")
            return None
        if call.name == "Identity":
            return self.block([], "")
        kind, signature = keras_types().get(call.name, (None, ""))
        if kind is None:
            self.notes.add(call.line, f"there is no layer like {call.name} here, so it is left out")
            return None
        try:
            arguments = Arguments(call, signature, _COMMON)
            layer = kind.from_keras(arguments)
        except (NotDrawable, ParameterError) as error:
            self.notes.add(call.line, f"{call.name} is left out: {error}")
            return None
        for note in arguments.notes:
            self.notes.add(call.line, f"{call.name}: {note}")
        for name in arguments.left_over():
            if not _is_usual(name, arguments[name]):
                self.notes.add(call.line, f"{call.name}: {name} is not drawn")
        return Node("", layer)

    def activation(self, call: Call) -> str:
        name = call.positional[0] if call.name == "Activation" and call.positional else None
        if isinstance(name, str):
            return activation_named(name, lambda text: self.notes.add(call.line, text))
        if call.name == "Activation":
            raise NotDrawable("is not known")
        return keras_activation_of(Arguments(call, KERAS_ACTIVATION_CALLS[call.name], _COMMON))

    def single(self, nest: Nest, shape: Shape | None) -> Layer | None:
        """The layer that writes just these calls."""
        calls = [item.call for item in nest.items if isinstance(item, Piece)]
        if shape is None or len(calls) < 2 or len(calls) < len(nest.items):
            return None
        wanted = [_normal(call) for call in calls]
        rows = (kind.from_keras_row(calls) for kind, _ in keras_types().values())
        return next((layer for row in rows for layer in row if _written(layer, shape) == wanted), None)


def _rescales_pixels(call: Call) -> bool:
    """Whether this brings pixels from 0 to 255 down to about 1."""
    scale = call.positional[0] if call.positional else call.keywords.get("scale")
    return isinstance(scale, float) and any(abs(scale * most - 1) < 1e-3 for most in (255, 127.5, 128, 256))


def _is_usual(name: str, value: Any) -> bool:
    """Whether an argument that no layer has stands at what Keras does without it."""
    if name == "trainable":
        return value is True
    if name == "data_format":
        return value in (None, "channels_last")
    return value is None or (name == "bias_initializer" and value == "zeros")


def _normal(call: Call) -> tuple[str, dict[str, Any]]:
    """A call in a form that can be compared: each argument under its name, those left out too."""
    if call.name in keras_types():
        values = Arguments(call, keras_types()[call.name][1], _COMMON).values()
    else:
        values = {str(index): value for index, value in enumerate(call.positional)} | dict(call.keywords)
    return call.name, {name: _plain(value) for name, value in values.items()}


def _written(layer: Layer, shape: Shape) -> list[tuple[str, dict[str, Any]]]:
    try:
        return [_normal(layer_call(code)) for code in layer.keras(shape)]
    except (IndexError, ValueError):
        return []


def _plain(value: Any) -> Any:
    return _normal(value) if isinstance(value, Call) else value


@cache
def keras_types() -> Mapping[str, tuple[type[Layer], str]]:
    """Name of a Keras layer -> the type that reads it, and its signature."""
    found: dict[str, tuple[type[Layer], str]] = {}
    for kind in layer_types().values():
        if kind in group_types():
            continue
        own = ", ".join(f"{each.name}={each.default!r}" for each in parameters(kind))
        for name, signature in (kind.keras_calls or {kind.type_name(): own}).items():
            found[name] = kind, signature
    return found
