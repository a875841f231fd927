"""Reads the training settings in `model.compile` and `model.fit`, with the keys of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Arguments, Call, Name, Unknown

_OPTIMIZERS: Mapping[str, tuple[str, str]] = {
    "adam": ("adam", "learning_rate=0.001"),
    "adamw": ("adamw", "learning_rate=0.001, weight_decay=0.004"),
    "nadam": ("adam", "learning_rate=0.001"),
    "adamax": ("adam", "learning_rate=0.001"),
    "sgd": ("sgd", "learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0"),
    "rmsprop": ("rmsprop", "learning_rate=0.001, rho=0.9, momentum=0.0"),
}
"""Keras's name in lower case -> (the recipe's name, the relevant arguments with Keras's defaults)."""
_KEYS = ("learning_rate", "momentum", "weight_decay")
_COMPILE = "optimizer='rmsprop', loss=None, metrics=None"
_FIT = "x=None, y=None, batch_size=None, epochs=1, verbose='auto', callbacks=None, validation_split=0.0"
_CROSSENTROPY = ("categorical_crossentropy", "sparse_categorical_crossentropy")


def read_compile(
    positional: Sequence[Any], keywords: Mapping[str, Any], line: int, notes: Notes
) -> dict[str, Any]:
    """The optimizer with its settings, and the loss, from a call of `compile`."""
    call = _call("compile", positional, keywords, line, _COMPILE)
    return _optimizer(call["optimizer"], line, notes) | _loss(call["loss"], line, notes)


def read_fit(
    positional: Sequence[Any], keywords: Mapping[str, Any], line: int, notes: Notes
) -> dict[str, Any]:
    """Epochs, batch size and validation split, from a call of `fit`."""
    call = _call("fit", positional, keywords, line, _FIT)
    recipe = {name: call[name] for name in ("epochs", "batch_size") if type(call.given.get(name)) is int}
    for name in ("epochs", "batch_size"):
        if isinstance(call.given.get(name), Unknown):
            notes.add(line, f"{name} is only known at run time and is ignored")
    fraction = call["validation_split"]
    if isinstance(fraction, int | float) and fraction:
        recipe["validation_share"] = float(fraction)
    return recipe


def _call(
    name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, signature: str
) -> Arguments:
    return Arguments(Call(name, tuple(positional[: signature.count(",") + 1]), keywords, line), signature)


def _optimizer(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    if isinstance(value, Unknown):
        notes.add(line, "the optimizer is only known at run time and is ignored")
        return {}
    call = value if isinstance(value, Call) else Call(value.path if isinstance(value, Name) else str(value))
    keras_name = call.name.lower()
    if keras_name not in _OPTIMIZERS:
        notes.add(line, f"the optimizer {call.name} is not supported; choose Adam, AdamW, RMSprop or SGD")
        return {}
    name, signature = _OPTIMIZERS[keras_name]
    if name != keras_name:
        notes.add(line, f"the optimizer {call.name} is not supported; Adam is used instead")
    # Older versions of Keras call it lr.
    keywords = {"learning_rate" if key == "lr" else key: given for key, given in call.keywords.items()}
    arguments = Arguments(Call(call.path, call.positional[:1], keywords, line), signature)
    recipe: dict[str, Any] = {"optimizer": name}
    for key in _KEYS:
        if key in arguments:
            number = arguments[key]
            if isinstance(number, int | float) and not isinstance(number, bool):
                recipe[key] = float(number)
            elif number is not None:
                notes.add(line, f"{key} is a schedule, or only known at run time, and is ignored")
    return recipe


def _loss(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    name: Any = value.last if isinstance(value, Name) else value
    smoothing: Any = 0
    if isinstance(value, Call):
        name, smoothing = value.name, value.keywords.get("label_smoothing", 0)
    if not isinstance(name, str):
        return {}
    if name.lower().replace("_", "") not in {each.replace("_", "") for each in _CROSSENTROPY}:
        notes.add(line, f"the loss {name} is not supported; classifiers are trained with cross-entropy")
    return {"label_smoothing": float(smoothing)} if isinstance(smoothing, int | float) and smoothing else {}
