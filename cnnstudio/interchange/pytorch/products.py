"""Products of two tensors that are a layer: squeeze and excitation, and `x * sigmoid(x)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import Items, Join, LayerCall, LoopBody, SubModel
from cnnstudio.layers.activations import activation_from_pytorch
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.catalog import layer_type
from cnnstudio.layers.code import Arguments, Call, UnsupportedCall, is_same_value

_RESHAPING = frozenset(
    {"Flatten", "view", "reshape", "unsqueeze", "unsqueeze_", "expand_as", "squeeze", "Identity", "channels"}
)
"""What only turns the means of feature maps into a vector and back."""
_CONVOLUTION = "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True"
_LINEAR = "in_features, out_features, bias=True"


def read_product(branches: Sequence[Items], shape: Shape | None) -> tuple[Items, Layer] | None:
    """(the items before the product, the layer that it is) for two factors with the same input; else None."""
    if len(branches) != 2:
        return None
    for factor, weights in (branches, branches[::-1]):
        # `y = f(x); y * g(y)` has the branches () and g, because both factors start at y.
        calls = _calls(weights)
        if factor or calls is None:
            continue
        layer = _activation(calls) or _squeeze_excite(calls, shape)
        if layer is not None:
            return factor, layer
    return None


def _calls(items: Items) -> list[Call] | None:
    """The calls of a sequence; None if there are branches or copies in it."""
    found: list[Call] = []
    for item in items:
        match item:
            case LayerCall(call=call):
                found.append(call)
            case SubModel(items=inner):
                calls = _calls(inner)
                if calls is None:
                    return None
                found += calls
            case Join(mode="multiply", branches=branches):
                product = read_product(branches, None)
                if product is None or product[1].type_name() != "Activation":
                    return None
                found.append(Call("torch.nn.SiLU", (), {}, item.line))
            case LoopBody() | Join() | graph.ExplicitGroup():
                return None
    return found


def _activation(calls: Sequence[Call]) -> Layer | None:
    if [call.name for call in calls] != ["Sigmoid"]:
        return None
    return layer_type("Activation")().with_values({"activation": "silu"})


def _squeeze_excite(calls: Sequence[Call], shape: Shape | None) -> Layer | None:
    """Means of the feature maps, two layers with an activation between them, and a sigmoid."""
    pool, *others = calls or [Call("")]
    others = [call for call in others if call.name not in _RESHAPING]
    if not _is_global(pool, shape) or len(others) not in (3, 4):
        return None
    squeeze, *between, excite, gate = others
    if gate.name != "Sigmoid":
        return None
    try:
        name = activation_from_pytorch(between[0], _refuse) if between else "linear"
        channels, hidden = _dense(squeeze)
        hidden_again, outputs = _dense(excite)
    except UnsupportedCall:
        return None
    if (
        name is None
        or channels != outputs
        or hidden != hidden_again
        or (shape and shape.channels != channels)
    ):
        return None
    ratio = channels // hidden
    if ratio < 1 or max(channels // ratio, 1) != hidden:
        return None
    return layer_type("SqueezeExcite")().with_values({"ratio": ratio, "activation": name})


def _is_global(pool: Call, shape: Shape | None) -> bool:
    """Whether this takes the mean of each feature map."""
    if pool.name == "AdaptiveAvgPool2d":
        return tuple(pool.positional) in ((1,), ((1, 1),))
    whole = shape.dims[1:] if shape is not None and shape.is_image else ()
    is_plain = pool.name == "AvgPool2d" and len(pool.positional) == 1 and not pool.keywords
    return is_plain and bool(whole) and is_same_value(tuple(whole), pool.positional[0])


def _refuse(text: str) -> None:
    raise UnsupportedCall(text)


def _dense(call: Call) -> tuple[int, int]:
    """(inputs, outputs) of a Linear or 1 × 1 convolution with bias. Raises UnsupportedCall otherwise."""
    if call.name == "Linear":
        arguments = Arguments(call, _LINEAR)
        sizes = arguments["in_features"], arguments["out_features"]
    elif call.name == "Conv2d":
        arguments = Arguments(call, _CONVOLUTION)
        sizes = arguments["in_channels"], arguments["out_channels"]
        _require(arguments["kernel_size"] in (1, (1, 1)) and arguments["groups"] == 1)
        _require(arguments["padding"] in (0, (0, 0)) and arguments["stride"] in (1, (1, 1)))
    else:
        raise UnsupportedCall("is no such layer")
    _require(arguments["bias"] is True and all(type(size) is int and size > 0 for size in sizes))
    return sizes


def _require(condition: Any) -> None:
    if condition is not True:
        raise UnsupportedCall("is another layer")
