"""What `model.compile` and `model.fit` say, under the names of a recipe."""

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
"""Keras's name in small letters -> the recipe's, and the arguments that matter with Keras's defaults."""
_KEYS = ("learning_rate", "momentum", "weight_decay")
_COMPILE = "optimizer='rmsprop', loss=None, metrics=None"
_FIT = "x=None, y=None, batch_size=None, epochs=1, verbose='auto', callbacks=None, validation_split=0.0"
_CROSSENTROPY = ("categorical_crossentropy", "sparse_categorical_crossentropy")


def compiled(
    positional: Sequence[Any], keywords: Mapping[str, Any], line: int, notes: Notes
) -> dict[str, Any]:
    """What `compile` says: the optimizer with its rates, and the loss."""
    call = _call("compile", positional, keywords, line, _COMPILE)
    return _optimizer(call["optimizer"], line, notes) | _loss(call["loss"], line, notes)


def fitted(positional: Sequence[Any], keywords: Mapping[str, Any], line: int, notes: Notes) -> dict[str, Any]:
    """What `fit` says: epochs, batches, and a share of the images set aside."""
    call = _call("fit", positional, keywords, line, _FIT)
    recipe = {name: call[name] for name in ("epochs", "batch_size") if type(call.given.get(name)) is int}
    for name in ("epochs", "batch_size"):
        if isinstance(call.given.get(name), Unknown):
            notes.add(line, f"{name} is known only when the program runs")
    share = call["validation_split"]
    if isinstance(share, int | float) and share:
        recipe["validation_share"] = float(share)
    return recipe


def _call(
    name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, signature: str
) -> Arguments:
    return Arguments(Call(name, tuple(positional[: signature.count(",") + 1]), keywords, line), signature)


def _optimizer(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    if isinstance(value, Unknown):
        notes.add(line, "the optimizer is known only when the program runs")
        return {}
    call = value if isinstance(value, Call) else Call(value.path if isinstance(value, Name) else str(value))
    keras_name = call.name.lower()
    if keras_name not in _OPTIMIZERS:
        notes.add(line, f"the optimizer {call.name} is not read; Adam, AdamW, RMSprop and SGD are")
        return {}
    name, signature = _OPTIMIZERS[keras_name]
    if name != keras_name:
        notes.add(line, f"there is no optimizer {call.name} here: Adam, which comes nearest, is taken")
    # Older Keras says lr.
    keywords = {"learning_rate" if key == "lr" else key: given for key, given in call.keywords.items()}
    arguments = Arguments(Call(call.path, call.positional[:1], keywords, line), signature)
    recipe: dict[str, Any] = {"optimizer": name}
    for key in _KEYS:
        if key in arguments:
            number = arguments[key]
            if isinstance(number, int | float) and not isinstance(number, bool):
                recipe[key] = float(number)
            elif number is not None:
                notes.add(line, f"{key} changes while the program runs, or only it knows it")
    return recipe


def _loss(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    name: Any = value.last if isinstance(value, Name) else value
    smoothing: Any = 0
    if isinstance(value, Call):
        name, smoothing = value.name, value.keywords.get("label_smoothing", 0)
    if not isinstance(name, str):
        return {}
    if name.lower().replace("_", "") not in {each.replace("_", "") for each in _CROSSENTROPY}:
        notes.add(line, f"the loss is {name}; here a classifier is trained with cross-entropy")
    return {"label_smoothing": float(smoothing)} if isinstance(smoothing, int | float) and smoothing else {}
