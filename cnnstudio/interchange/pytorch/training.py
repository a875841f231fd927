"""Reads the training settings in PyTorch code, with the keys of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.pytorch.transforms import is_transform, read_transform
from cnnstudio.interchange.settings import NO_SETTING, is_number, is_set
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Arguments, Call, UnsupportedCall

_SIGNATURES: Mapping[str, tuple[str, str]] = {
    "Adam": ("adam", "params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0"),
    "AdamW": ("adamw", "params, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01"),
    "SGD": ("sgd", "params, lr=0.001, momentum=0.0, dampening=0, weight_decay=0.0, nesterov=False"),
    "RMSprop": ("rmsprop", "params, lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0.0, momentum=0.0"),
}
"""torch's name of an optimizer -> (the recipe's name, its arguments with torch's defaults)."""
_KEYS = {"lr": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay"}
_LOADER = "dataset, batch_size=1, shuffle=None"
_OPTIMIZER = "torch.optim."
_SCHEDULER = "torch.optim.lr_scheduler."
_SCHEDULES: Mapping[str, str] = {
    "StepLR": "optimizer=None, step_size=1, gamma=0.1",
    "MultiStepLR": "optimizer=None, milestones=(), gamma=0.1",
    "ExponentialLR": "optimizer=None, gamma=1.0",
    "CosineAnnealingLR": "optimizer=None, T_max=0, eta_min=0.0",
    "OneCycleLR": (
        "optimizer=None, max_lr=None, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3"
    ),
}


def is_training_call(call: Call) -> bool:
    """Whether a call says something about the training."""
    return call.path.startswith(_OPTIMIZER) or call.name in _READERS or is_transform(call)


def read_training(calls: Sequence[Call], notes: Notes) -> dict[str, Any]:
    """The settings in these calls: of several optimizers the last, of other settings the first.

    The rest is noted.
    """
    recipe: dict[str, Any] = {}
    schedulers = [call for call in calls if call.path.startswith(_SCHEDULER)]
    optimizers = [call for call in calls if call.path.startswith(_OPTIMIZER) and call.name in _SIGNATURES]
    for call in calls:
        if call not in schedulers and call not in optimizers:
            for key, value in _read(call, notes).items():
                recipe.setdefault(key, value)
    recipe |= _last_optimizer(optimizers, notes)
    # Last, because what they mean depends on the number of epochs and on the optimizer's learning rate.
    for call in schedulers[:1]:
        recipe |= _scheduler(call, recipe, notes)
    for call in schedulers[1:]:
        notes.add(call.line, f"{call.name} is ignored: a recipe has one schedule")
    return recipe


def _read(call: Call, notes: Notes) -> dict[str, Any]:
    if is_transform(call):
        return read_transform(call, notes)
    if call.path.startswith(_OPTIMIZER):
        return _optimizer(call, notes)
    return _READERS[call.name](call)


def _last_optimizer(optimizers: Sequence[Call], notes: Notes) -> dict[str, Any]:
    """Those of the last one: the ones before it search for a learning rate, or train other networks."""
    if not optimizers:
        return {}
    *others, last = optimizers
    settings = _optimizer(last, notes)
    for call in others:
        if _optimizer(call, Notes(notes.effort)) != settings:
            notes.add(call.line, f"the optimizer {call.name} is not imported; that of line {last.line} is")
    return settings


def _optimizer(call: Call, notes: Notes) -> dict[str, Any]:
    if call.name not in _SIGNATURES:
        if call.path == f"{_OPTIMIZER}{call.name}" and call.name[:1].isupper():
            notes.add(
                call.line, f"the optimizer {call.name} {NO_SETTING}; choose Adam, AdamW, RMSprop or SGD"
            )
        return {}
    name, signature = _SIGNATURES[call.name]
    try:
        arguments = Arguments(call, signature)
    except UnsupportedCall:
        return {"optimizer": name}
    known = {key: arguments[argument] for argument, key in _KEYS.items() if argument in arguments}
    numbers = {key: float(value) for key, value in known.items() if is_number(value)}
    for key, value in known.items():
        if not is_number(value):
            notes.add(call.line, f"{key} is only known at run time and is ignored")
    if name == "sgd" and is_set(arguments["momentum"]) and not arguments["nesterov"]:
        notes.add(call.line, "sgd has Nesterov momentum here, and plain momentum in the code")
    return {"optimizer": name, **numbers}


def _scheduler(call: Call, recipe: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The schedule, where a recipe has the same; the others are noted."""
    try:
        found = _schedule(Arguments(call, _SCHEDULES[call.name]), recipe) if call.name in _SCHEDULES else {}
    except UnsupportedCall:
        found = {}
    if not found:
        notes.add(call.line, f"{call.name} {NO_SETTING}")
    elif call.name == "CosineAnnealingLR" and call.keywords.get("T_max") != recipe.get("epochs", 0):
        notes.add(call.line, "CosineAnnealingLR: the cosine schedule takes the whole run, not T_max")
    return found


def _schedule(call: Arguments, recipe: Mapping[str, Any]) -> dict[str, Any]:
    match call.name:
        case "StepLR" if type(call["step_size"]) is int and is_number(call["gamma"]):
            return _steps(call["step_size"], call["gamma"])
        case "ExponentialLR" if is_number(call["gamma"]):
            return _steps(1, call["gamma"])
        case "MultiStepLR" if isinstance(call["milestones"], list | tuple) and is_number(call["gamma"]):
            milestones, epochs = list(call["milestones"]), recipe.get("epochs", 0)
            first = milestones[0] if milestones and type(milestones[0]) is int else 0
            # The recipe's steps go on to the end of the run, at equal distances.
            if first > 0 and milestones == [*range(first, epochs, first)]:
                return _steps(first, call["gamma"])
        case "CosineAnnealingLR" if is_number(call["eta_min"]):
            peak = recipe.get("learning_rate", 0.0)
            final = float(call["eta_min"]) / peak if peak else 0.0
            return {"schedule": "cosine", "final_rate": final}
        case "OneCycleLR" if is_number(call["max_lr"]) and is_number(call["pct_start"]):
            peak, rising = float(call["max_lr"]), float(call["pct_start"])
            return {"schedule": "one_cycle", "learning_rate": peak, "warm_up": rising}
    return {}


def _steps(epochs: int, factor: float) -> dict[str, Any]:
    return {"schedule": "step", "step_epochs": epochs, "step_factor": float(factor)}


def _loss(call: Call) -> dict[str, Any]:
    smoothing = call.keywords.get("label_smoothing")
    return {"label_smoothing": float(smoothing)} if is_number(smoothing) and smoothing else {}


def _loader(call: Call) -> dict[str, Any]:
    size = Arguments(Call("DataLoader", call.positional[:2], call.keywords), _LOADER).given.get("batch_size")
    return {"batch_size": size} if type(size) is int else {}


def _epochs(call: Call) -> dict[str, Any]:
    return {"epochs": call.positional[0]} if call.positional[0] > 0 else {}


def _clipping(call: Call) -> dict[str, Any]:
    most = call.positional[1] if len(call.positional) > 1 else call.keywords.get("max_norm")
    return {"clip_norm": float(most)} if is_number(most) and most else {}


def _cutout(call: Call) -> dict[str, Any]:
    return {"cutout": call.positional[0]}


def _nothing(call: Call) -> dict[str, Any]:
    return {}


_READERS: Mapping[str, Callable[[Call], dict[str, Any]]] = {
    "CrossEntropyLoss": _loss,
    "cross_entropy": _loss,
    "DataLoader": _loader,
    "clip_grad_norm_": _clipping,
    "epochs": _epochs,
    "cutout": _cutout,
    # Collected for what they say about the end of the network.
    "BCELoss": _nothing,
    "BCEWithLogitsLoss": _nothing,
    "binary_cross_entropy": _nothing,
    "binary_cross_entropy_with_logits": _nothing,
}
