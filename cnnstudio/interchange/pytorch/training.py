"""Reads the training settings in PyTorch code, with the keys of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.layers.code import Arguments, Call, UnsupportedCall

_SIGNATURES: Mapping[str, tuple[str, str]] = {
    "Adam": ("adam", "params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0"),
    "AdamW": ("adamw", "params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01"),
    "SGD": ("sgd", "params, lr=0.001, momentum=0.0, dampening=0, weight_decay=0.0, nesterov=False"),
}
"""torch's name of an optimizer -> (the recipe's name, its arguments with torch's defaults)."""
_KEYS = {"lr": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"}
_LOADER = "dataset, batch_size=1, shuffle=None"


def read_training(calls: Sequence[Call]) -> dict[str, Any]:
    """The settings in calls of an optimizer, a loss, a data loader, and in a loop over epochs."""
    recipe: dict[str, Any] = {}
    for call in calls:
        found = _READERS.get(call.name, _optimizer)(call)
        recipe |= {key: value for key, value in found.items() if key not in recipe}
    return recipe


def _optimizer(call: Call) -> dict[str, Any]:
    if call.name not in _SIGNATURES:
        return {}
    name, signature = _SIGNATURES[call.name]
    try:
        arguments = Arguments(call, signature)
    except UnsupportedCall:
        return {"optimizer": name}
    known = {key: arguments[argument] for argument, key in _KEYS.items() if argument in arguments}
    numbers = {key: float(value) for key, value in known.items() if _is_number(value)}
    return {"optimizer": name, **numbers}


def _loss(call: Call) -> dict[str, Any]:
    smoothing = call.keywords.get("label_smoothing")
    return {"label_smoothing": float(smoothing)} if _is_number(smoothing) and smoothing else {}


def _loader(call: Call) -> dict[str, Any]:
    size = Arguments(Call("DataLoader", call.positional[:2], call.keywords), _LOADER)["batch_size"]
    return {"batch_size": size} if type(size) is int and "batch_size" in call.keywords else {}


def _epochs(call: Call) -> dict[str, Any]:
    return {"epochs": call.positional[0]} if call.positional[0] > 0 else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_READERS: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "CrossEntropyLoss": _loss,
    "cross_entropy": _loss,
    "DataLoader": _loader,
    "epochs": _epochs,
}
