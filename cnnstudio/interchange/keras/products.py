"""Products of two tensors that are a layer: squeeze and excitation, and `x * sigmoid(x)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnstudio.interchange.interpreter.graph import (
    Items,
    LayerCall,
    SubModel,
    SymbolicTensor,
    UnsupportedTopology,
    items_between,
    iter_items,
)
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Arguments, Call, Name

_LAYERS = "keras.layers."
_DENSE = "units, activation=None, use_bias=True"
_CONVOLUTION = "units, kernel_size, strides=1, padding='valid', data_format=None, dilation_rate=1, groups=1"


def product(values: Sequence[SymbolicTensor], shape: Shape | None) -> SymbolicTensor | None:
    """The tensor after a layer that multiplies its input by a function of it; None if it is no such layer.

    `shape` is that of the product.
    """
    for value, weights in (values, values[::-1]):
        calls = calls_between(value, weights)
        found = _silu(calls) or _squeeze_excite(calls, shape)
        if found is not None:
            return value.then(LayerCall(found))
    return None


def calls_between(start: SymbolicTensor, end: SymbolicTensor) -> list[Call]:
    """The calls that lead from one tensor to the other; none if it is not a plain sequence of calls."""
    try:
        items = items_between(start, end)
    except UnsupportedTopology:
        return []
    return _calls(items)


def _calls(items: Items) -> list[Call]:
    found: list[Call] = []
    for item in iter_items(items):
        if isinstance(item, LayerCall):
            found.append(item.call)
        elif not isinstance(item, SubModel):
            return []
    return found


def _silu(calls: Sequence[Call]) -> Call | None:
    if [_activation(call) for call in calls] != ["sigmoid"]:
        return None
    return Call(f"{_LAYERS}Activation", ("silu",), {}, calls[0].line)


def _squeeze_excite(calls: Sequence[Call], shape: Shape | None) -> Call | None:
    """Means of the feature maps, two layers with an activation between them, and a sigmoid."""
    parts = [call for call in calls if call.name not in ("Reshape", "Flatten")]
    if not parts or parts[0].name != "GlobalAveragePooling2D":
        return None
    layers = _with_activations(parts[1:])
    if layers is None or len(layers) != 2:
        return None
    (hidden, inside), (channels, gate) = layers
    if gate != "sigmoid" or (shape is not None and shape.dims[0] != channels):
        return None
    ratio = channels // hidden
    if ratio < 1 or max(channels // ratio, 1) != hidden:
        return None
    keywords = {"ratio": ratio, "activation": inside}
    return Call(f"{_LAYERS}SqueezeExcite", (), keywords, calls[0].line)


def _with_activations(calls: Sequence[Call]) -> list[tuple[int, Any]] | None:
    """(units, activation) of dense layers, or 1 × 1 convolutions, with a bias; None for anything else."""
    found: list[tuple[int, Any]] = []
    for call in calls:
        units = _units(call)
        if units is not None:
            activation = call.keywords.get("activation")
            found.append((units, _name(activation)))
        elif found and found[-1][1] in (None, "linear") and _activation(call):
            found[-1] = found[-1][0], _activation(call)
        else:
            return None
    return found


def _units(call: Call) -> int | None:
    if call.name not in ("Dense", "Conv2D") or call.keywords.get("use_bias", True) is not True:
        return None
    renamed = {"units" if key == "filters" else key: value for key, value in call.keywords.items()}
    given = Call(call.path, call.positional[:2], renamed, call.line)
    arguments = Arguments(given, _DENSE if call.name == "Dense" else _CONVOLUTION)
    if call.name == "Conv2D" and arguments.given.get("kernel_size") not in (1, (1, 1), [1, 1]):
        return None
    units = arguments.given.get("units")
    return units if type(units) is int and units > 0 else None


def _activation(call: Call) -> str:
    """The name of the activation that a layer is; empty if it is another layer."""
    if call.name == "Activation" and call.positional:
        return str(_name(call.positional[0]))
    return {"ReLU": "relu", "Softmax": "softmax"}.get(call.name, "")


def _name(value: Any) -> Any:
    return value.last if isinstance(value, Name) else value
