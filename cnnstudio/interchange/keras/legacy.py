"""Translates calls of Keras 1: `Convolution2D(32, 3, 3, border_mode="same")` is a 3 × 3 kernel there."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from cnnstudio.layers.code import Call

_ARGUMENTS: Mapping[str, str] = {
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "atrous_rate": "dilation_rate",
    "dim_ordering": "data_format",
    "init": "kernel_initializer",
    "bias": "use_bias",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "output_dim": "units",
    "p": "rate",
    "depthwise_init": "depthwise_initializer",
    "pointwise_init": "pointwise_initializer",
    "concat_axis": "axis",
    "nb_epoch": "epochs",
}
"""An argument of Keras 1 -> its name since Keras 2."""
_LAYERS = {
    "Convolution2D": "Conv2D",
    "AtrousConvolution2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
}
_CONVOLUTION = ("nb_filter", "nb_row", "nb_col", "init", "activation", "weights", "border_mode", "subsample")
_POOLING = ("pool_size", "strides", "border_mode", "dim_ordering")
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "Conv2D": _CONVOLUTION,
    "SeparableConv2D": _CONVOLUTION,
    "MaxPooling2D": _POOLING,
    "AveragePooling2D": _POOLING,
    "Dense": ("output_dim", "init", "activation", "weights"),
    "Dropout": ("p",),
    "BatchNormalization": ("epsilon", "mode", "axis", "momentum"),
}
"""The order of the arguments in Keras 1, for the layers where it differs."""
_SIGNS = frozenset(
    {
        "nb_filter",
        "border_mode",
        "nb_row",
        "nb_col",
        "nb_epoch",
        "subsample",
        "dim_ordering",
        "nb_val_samples",
    }
    | {"samples_per_epoch", "W_regularizer", "output_dim"}
)
_ORDERINGS = {"th": "channels_first", "tf": "channels_last", "default": None}


def is_keras_1(tree: ast.Module, text: str) -> bool:
    """Whether the code, `text`, uses arguments or functions that only Keras 1 has."""
    # The walk takes long in long code, and most has none of these words.
    if not any(sign in text for sign in (*_SIGNS, "image_dim_ordering")):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in _SIGNS:
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("image_dim_ordering", "set_image_dim_ordering"):
            return True
    return False


def modernize(call: Call) -> Call:
    """A call of Keras 1 with the names and the order of arguments that Keras has had since version 2."""
    name = _LAYERS.get(call.name, call.name)
    positions = _POSITIONS.get(name, ())
    keywords: dict[str, Any] = dict(zip(positions, call.positional, strict=False)) | dict(call.keywords)
    positional = call.positional[len(positions) :]
    if "nb_row" in keywords:
        # Some listings mix the versions: `Conv2D(32, (3, 3), border_mode="same")`.
        rows = keywords.pop("nb_row")
        keywords["kernel_size"] = (rows, keywords.pop("nb_col")) if "nb_col" in keywords else rows
    renamed = {_ARGUMENTS.get(key, key): value for key, value in keywords.items()}
    if "data_format" in renamed:
        renamed["data_format"] = _ORDERINGS.get(str(renamed["data_format"]), renamed["data_format"])
    renamed.pop("weights", None)
    prefix = call.path.rpartition(".")[0]
    return Call(f"{prefix}.{name}" if prefix else name, positional, renamed, call.line)


def is_ambiguous_kernel(call: Call) -> bool:
    """Whether this is `Conv2D(32, 3, 3)`, a 3 × 3 kernel in old versions and strides of 3 in new ones."""
    numbers = call.positional[:3]
    return (
        call.name in ("Conv2D", "Convolution2D")
        and len(numbers) == 3
        and all(type(n) is int for n in numbers)
    )
