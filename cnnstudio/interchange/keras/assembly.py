"""Turns Keras calls into layers: each call is one layer, whatever the shape of its input.

The exception is a `Sequential` that a layer of this program generated because Keras has no single layer for
it. It is recognized by comparison: each type that could have generated the calls proposes layers, and the one
whose own code consists of just these calls is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import parameters
from cnnstudio.design.network import Node
from cnnstudio.interchange.assembly import Assembler, group_types, output_shape_of, renamed_node
from cnnstudio.interchange.interpreter.graph import LayerCall, SubModel
from cnnstudio.interchange.interpreter.values import Class, Function, Instance
from cnnstudio.interchange.keras.augmentation import is_augmentation_layer
from cnnstudio.interchange.layer_calls import layer_call
from cnnstudio.interchange.slices import (
    PART,
    channels_taken,
    describe_part,
    takes_everything,
    with_known_bounds,
)
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.activations import KERAS_ACTIVATION_CALLS, activation_from_keras, resolve_activation
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.catalog import layer_types
from cnnstudio.layers.code import Arguments, Call, Unknown, UnsupportedCall

_COMMON = frozenset(
    {"name", "dtype", "input_shape", "batch_input_shape", "batch_shape", "input_dim", "batch_size", "weights"}
)
"""Arguments that every Keras layer takes and that are either read elsewhere or change nothing."""
_GLOBAL = {
    "GlobalAveragePooling2D": "AveragePooling2D",
    "GlobalAvgPool2D": "AveragePooling2D",
    "GlobalMaxPooling2D": "MaxPooling2D",
    "GlobalMaxPool2D": "MaxPooling2D",
}
"""Global pooling -> the pooling that, over the whole image, gives the same but keeps the axes."""
PREPROCESSING_LAYERS = {
    "Rescaling": "images are always normalized, with the statistics of the training set",
    "Normalization": "images are always normalized, with the statistics of the training set",
    "Resizing": "images are always resized to the network's input",
}
"""Layers that preprocess images, and what replaces them here."""


class KerasAssembler(Assembler):
    """Turns Keras calls into layers."""

    def __init__(self, notes: Notes, *, generated: bool = False, channels_first: bool = False) -> None:
        """`channels_first`: the order of the axes in the code; a design has no other."""
        super().__init__(notes, generated=generated)
        self._channels_first = channels_first

    def layers_from_calls(self, calls: Sequence[LayerCall], shape: Shape | None) -> Iterator[Node]:
        kept = _with_kept_axes(calls)
        for each in kept if self._channels_first else _with_shuffles(kept):
            node = self._node(each.call, shape)
            if node is not None:
                shape = output_shape_of(node.layer, shape)
                if each.call.keywords.get("trainable") is False:
                    self.locked_calls.add(id(each.call))
                yield renamed_node(self.with_lock(node, [each.call]), each.name)

    def _node(self, call: Call, shape: Shape | None) -> Node | None:
        if call.name in PREPROCESSING_LAYERS and (call.name != "Rescaling" or _rescales_pixels(call)):
            self.notes.add(call.line, f"{call.name} is skipped: {PREPROCESSING_LAYERS[call.name]}")
            return None
        if is_augmentation_layer(call):
            return None  # read with the training settings
        if call.name == "Identity":
            return self.make_block([], "")
        if call.path == PART:
            return self._part(call, shape)
        call = _with_axes_settled(call, channels_first=self._channels_first)
        if call.path.startswith("keras.applications."):
            self.notes.add(
                call.line, f"{call.name} is a pretrained network; it is skipped with all its layers"
            )
            return None
        keeps_axes = call.name in _GLOBAL and call.keywords.get("keepdims") is True
        if keeps_axes and shape is not None and shape.is_image:
            whole: dict[str, Any] = {"pool_size": shape.dims[1:]}
            return Node("", layer_types()[_GLOBAL[call.name]](**whole))
        kind, signature = keras_types().get(call.name, (None, ""))
        if call.name == "Reshape":
            return self._reshape(call, shape)
        if kind is None:
            self.notes.add(call.line, f"{call.name} is not supported and is skipped")
            return None
        try:
            arguments = Arguments(call, signature, _COMMON)
            layer = kind.from_keras(arguments)
        except UnsupportedCall as error:
            self.notes.add(call.line, f"{call.name} is skipped: it {error}")
            return None
        except ParameterError as error:
            self.notes.add(call.line, f"{call.name} is skipped: {error}")
            return None
        for note in arguments.notes:
            self.notes.add(call.line, f"{call.name}: {note}")
        for name in arguments.unused_arguments():
            if not _is_default(name, arguments[name]):
                self.notes.add(call.line, f"{call.name}: {name} is not supported and is ignored")
        return Node("", layer)

    def _part(self, call: Call, shape: Shape | None) -> Node | None:
        """Some of the channels; nothing, with a note, if the slices take something else."""
        if shape is not None and shape.is_image:
            call = with_known_bounds(call, shape)
        if takes_everything(call, shape):
            return None
        taken = channels_taken(call, shape) if shape is not None and shape.is_image else None
        if taken is None:
            self.notes.add(call.line, describe_part(call))
            return None
        values = dict(zip(("start", "channels"), taken, strict=True))
        return Node("", layer_types()["ChannelSlice"]().with_values(values))

    def _reshape(self, call: Call, shape: Shape | None) -> Node | None:
        """A Reshape to a vector is a Flatten; one to the shape that its input has anyway is nothing."""
        target = call.positional[0] if call.positional else call.keywords.get("target_shape")
        sizes = tuple(target) if isinstance(target, list | tuple) else ()
        if len(sizes) == 1 and (sizes[0] == -1 or shape is None or sizes[0] == shape.features):
            return Node("", layer_types()["Flatten"]())
        if shape is None or shape.is_flat:
            pass
        elif sizes == (shape.dims if self._channels_first else (*shape.dims[1:], shape.dims[0])):
            return None
        known = [size for size in sizes if isinstance(size, int)]
        shown = tuple(known) if known and len(known) == len(sizes) else "a shape only known at run time"
        self.notes.add(call.line, f"Reshape to {shown} is not supported and is skipped")
        return None

    def activation(self, call: Call) -> str:
        name = call.positional[0] if call.name == "Activation" and call.positional else None
        if isinstance(name, str):
            return resolve_activation(name, lambda text: self.notes.add(call.line, text))
        if call.name == "Activation":
            raise UnsupportedCall("applies an activation that is only known at run time")
        return activation_from_keras(Arguments(call, KERAS_ACTIVATION_CALLS[call.name], _COMMON))

    def single_layer(self, model: SubModel, shape: Shape | None) -> Layer | None:
        calls = [item.call for item in model.items if isinstance(item, LayerCall)]
        if shape is None or len(calls) < 2 or len(calls) < len(model.items):
            return None
        expected = [_normalized(call) for call in calls]
        candidates = (kind.from_keras_sequence(calls) for kind, _ in keras_types().values())
        return next(
            (layer for layers in candidates for layer in layers if _own_calls(layer, shape) == expected), None
        )


def _with_shuffles(calls: Iterable[LayerCall]) -> Iterator[LayerCall]:
    """The calls, with one for three that shuffle channels: Reshape, Permute((1, 2, 4, 3)), Reshape."""
    left = list(calls)
    while left:
        groups = _shuffled_groups([each.call for each in left[:3]])
        if groups is None:
            yield left.pop(0)
            continue
        yield LayerCall(Call("keras.layers.ChannelShuffle", (groups,), {}, left[0].call.line))
        del left[:3]


def _shuffled_groups(calls: Sequence[Call]) -> int | None:
    """The number of groups that three calls shuffle the channels of; None if they do something else."""
    if [call.name for call in calls] != ["Reshape", "Permute", "Reshape"]:
        return None
    names = ("target_shape", "dims", "target_shape")
    first, order, last = (
        call.positional[0] if call.positional else call.keywords.get(name)
        for call, name in zip(calls, names, strict=True)
    )
    if not isinstance(first, list | tuple) or not isinstance(last, list | tuple) or len(first) != 4:
        return None
    height, width, groups, inside = first
    if not all(type(size) is int for size in first) or order not in ((1, 2, 4, 3), [1, 2, 4, 3]):
        return None
    return int(groups) if [*last] == [height, width, groups * inside] else None


def _with_kept_axes(calls: Sequence[LayerCall]) -> Iterator[LayerCall]:
    """The calls, in which global pooling and a Reshape to a single pixel are pooling that keeps the axes."""
    left = list(calls)
    while left:
        first, following = left.pop(0), left[0].call if left else Call("")
        if first.call.name in _GLOBAL and following.name == "Reshape":
            target = [*following.positional, *following.keywords.values()][:1]
            sizes = tuple(target[0]) if target and isinstance(target[0], tuple | list) else ()
            if len(sizes) == 3 and sizes.count(1) >= 2:
                del left[0]
                keywords = {**first.call.keywords, "keepdims": True}
                call = Call(first.call.path, first.call.positional, keywords, first.call.line)
                first = LayerCall(call, first.name)
        yield first


def _with_axes_settled(call: Call, *, channels_first: bool) -> Call:
    """The call without a `data_format` or `axis` that says what is the case anyway."""
    usual = {
        "data_format": ("channels_first",) if channels_first else ("channels_last",),
        "axis": (1, -3) if channels_first else (-1, 3),
    }
    keywords = {name: value for name, value in call.keywords.items() if value not in usual.get(name, ())}
    if isinstance(keywords.get("activation"), Function | Instance | Class):
        keywords["activation"] = Unknown("a function of the code")
    return Call(call.path, call.positional, keywords, call.line)


def _rescales_pixels(call: Call) -> bool:
    """Whether this scales pixels from 0…255 to about 0…1 or -1…1."""
    scale = call.positional[0] if call.positional else call.keywords.get("scale")
    return isinstance(scale, float) and any(abs(scale * most - 1) < 1e-3 for most in (255, 127.5, 128, 256))


def _is_default(name: str, value: Any) -> bool:
    """Whether an argument that no layer here has is set to Keras's default."""
    if name == "trainable":
        return isinstance(value, bool)  # read by `layers_from_calls`
    return value is None or (name == "bias_initializer" and value == "zeros")


def _normalized(call: Call) -> tuple[str, dict[str, Any]]:
    """A call in a form that can be compared: all arguments by name, including defaults."""
    if call.name in keras_types():
        values = Arguments(call, keras_types()[call.name][1], _COMMON).values()
    else:
        values = {str(index): value for index, value in enumerate(call.positional)} | dict(call.keywords)
    return call.name, {name: _plain(value) for name, value in values.items()}


def _own_calls(layer: Layer, shape: Shape) -> list[tuple[str, dict[str, Any]]]:
    """The calls in the layer's own Keras code."""
    try:
        return [_normalized(layer_call(code)) for code in layer.keras_code(shape)]
    except (IndexError, ValueError):
        return []


def _plain(value: Any) -> Any:
    return _normalized(value) if isinstance(value, Call) else value


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
