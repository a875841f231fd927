"""Reads the training settings in `model.compile` and `model.fit`, with the keys of a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.values import Instance, is_plain
from cnnstudio.interchange.keras.augmentation import read_generator
from cnnstudio.interchange.keras.data_values import Data
from cnnstudio.interchange.settings import NO_SETTING, is_number, is_set
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
_CLIPPING = ("clipnorm", "global_clipnorm")
_NOT_IN_A_RECIPE = ("clipvalue", "decay", "amsgrad", "centered")
_COMPILE = "optimizer='rmsprop', loss=None, metrics=None"
_FIT = "x=None, y=None, batch_size=None, epochs=1, verbose='auto', callbacks=None, validation_split=0.0"
_GENERATOR_FIT = "x=None, steps_per_epoch=None, epochs=1, verbose=1, callbacks=None, validation_split=0.0"
_CROSSENTROPY = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")
_SCHEDULES: Mapping[str, str] = {
    "CosineDecay": "initial_learning_rate, decay_steps=0, alpha=0.0",
    "PolynomialDecay": "initial_learning_rate, decay_steps=0, end_learning_rate=0.0001, power=1.0",
    "ExponentialDecay": "initial_learning_rate, decay_steps=0, decay_rate=1.0",
    "InverseTimeDecay": "initial_learning_rate, decay_steps=0, decay_rate=1.0",
}
_HARMLESS_CALLBACKS = frozenset(
    {"TensorBoard", "CSVLogger", "History", "ProgbarLogger", "BaseLogger", "TerminateOnNaN"}
    | {"BackupAndRestore", "RemoteMonitor", "LambdaCallback"}
)
"""Callbacks that change nothing about the training, or what every run does anyway."""


def read_compile(
    positional: Sequence[Any], keywords: Mapping[str, Any], line: int, notes: Notes
) -> dict[str, Any]:
    """The optimizer with its settings, and the loss, from a call of `compile`."""
    call = _call("compile", positional, keywords, line, _COMPILE)
    return read_optimizer(call["optimizer"], line, notes) | _loss(call["loss"], line, notes)


def read_fit(
    name: str,
    positional: Sequence[Any],
    keywords: Mapping[str, Any],
    line: int,
    notes: Notes,
    *,
    balances: bool = False,
) -> dict[str, Any]:
    """Epochs, batch size, validation split, class weights, augmentation and callbacks, from a call of `fit`.

    `balances`: the code computes balanced class weights somewhere.
    """
    given = {("epochs" if key == "nb_epoch" else key): value for key, value in keywords.items()}
    given |= {"x": given.pop("generator")} if "generator" in given else {}
    call = _call(name, positional, given, line, _GENERATOR_FIT if name == "fit_generator" else _FIT)
    recipe = read_data(call["x"], notes)
    for key in ("epochs", "batch_size"):
        value = call.given.get(key)
        if type(value) is int:
            recipe[key] = value
        elif isinstance(value, Unknown):
            notes.add(line, f"{key} is only known at run time and is ignored")
    fraction = call["validation_split"]
    if is_number(fraction) and fraction:
        recipe["validation_share"] = float(fraction)
    weights = given.get("class_weight")
    if is_set(weights) and balances and not is_plain(weights):
        recipe["class_weights"] = "balanced"
    elif is_set(weights):
        notes.add(
            line, "class_weight is ignored: a recipe has balanced class weights or none (class_weights)"
        )
    return recipe | _callbacks(call["callbacks"], line, notes)


def read_data(value: Any, notes: Notes) -> dict[str, Any]:
    """The settings that the images bring along: their batches, and how a generator changes them."""
    if not isinstance(value, Data):
        return {}
    recipe = read_generator(value.generator, notes) if value.generator is not None else {}
    return recipe | ({"batch_size": value.batch_size} if value.batch_size is not None else {})


def _call(
    name: str, positional: Sequence[Any], keywords: Mapping[str, Any], line: int, signature: str
) -> Arguments:
    return Arguments(Call(name, tuple(positional[: signature.count(",") + 1]), keywords, line), signature)


def _callbacks(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    recipe: dict[str, Any] = {}
    for each in value if isinstance(value, list | tuple) else [value]:
        if each is None:
            continue
        if isinstance(each, Instance):
            notes.add(each.line, f"the callback {each.kind.node.name} is ignored")
        elif not isinstance(each, Call):
            notes.add(line, "a callback is only known at run time and is ignored")
        elif each.name == "EarlyStopping":
            recipe |= _early_stopping(each, notes)
        elif each.name == "ModelCheckpoint":
            text = "ModelCheckpoint is not needed: every run saves its best and its last weights"
            notes.add(each.line, text)
        elif each.name not in _HARMLESS_CALLBACKS:
            notes.add(each.line, f"{each.name} {NO_SETTING}")
    return recipe


def _early_stopping(call: Call, notes: Notes) -> dict[str, Any]:
    patience = call.keywords.get("patience", call.positional[2] if len(call.positional) > 2 else 0)
    if type(patience) is not int:
        notes.add(call.line, "the patience is only known at run time and is ignored")
        return {}
    return {"patience": max(1, patience)}


def read_optimizer(value: Any, line: int, notes: Notes) -> dict[str, Any]:
    """The settings of an optimizer, which the code gives as an object, a class or a name."""
    if isinstance(value, Unknown):
        notes.add(line, "the optimizer is only known at run time and is ignored")
        return {}
    call = value if isinstance(value, Call) else Call(value.path if isinstance(value, Name) else str(value))
    line = call.line or line
    keras_name = call.name.lower()
    if keras_name not in _OPTIMIZERS:
        notes.add(line, f"the optimizer {call.name} {NO_SETTING}; choose Adam, AdamW, RMSprop or SGD")
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
            if is_number(number):
                recipe[key] = float(number)
            elif isinstance(number, Call) and key == "learning_rate":
                recipe |= _schedule(number, line, notes)
            elif number is not None:
                notes.add(line, f"{key} is only known at run time and is ignored")
    return recipe | _optimizer_details(arguments, line, notes)


def _optimizer_details(arguments: Arguments, line: int, notes: Notes) -> dict[str, Any]:
    recipe: dict[str, Any] = {}
    for name in _CLIPPING:
        if is_number(arguments.given.get(name)):
            recipe["clip_norm"] = float(arguments.given[name])
    if arguments.given.get("use_ema") is True:
        recipe["average_decay"] = float(arguments.given.get("ema_momentum", 0.99))
    for name in _NOT_IN_A_RECIPE:
        if is_set(arguments.given.get(name)):
            notes.add(line, f"{name} {NO_SETTING}")
    if arguments.name.lower() == "sgd" and is_set(arguments["momentum"]) and not arguments["nesterov"]:
        notes.add(line, "sgd has Nesterov momentum here, and plain momentum in the code")
    return recipe


def _schedule(call: Call, line: int, notes: Notes) -> dict[str, Any]:
    """The settings of a learning rate schedule: its form where a recipe has it, and the first rate."""
    line = call.line or line
    signature = _SCHEDULES.get(call.name)
    if signature is None:
        notes.add(line, f"{call.name} {NO_SETTING}")
        return {}
    arguments = Arguments(Call(call.path, call.positional[:4], call.keywords), signature)
    first = arguments.given.get("initial_learning_rate")
    if not is_number(first) or not first:
        notes.add(line, f"{call.name} begins with a rate that is only known at run time; it is ignored")
        return {}
    recipe: dict[str, Any] = {"learning_rate": float(first)}
    if call.name == "CosineDecay" and is_number(arguments["alpha"]):
        recipe |= {"schedule": "cosine", "final_rate": float(arguments["alpha"])}
    elif call.name == "PolynomialDecay" and arguments["power"] == 1:
        last = arguments["end_learning_rate"]
        recipe |= {"schedule": "linear", "final_rate": float(last) / float(first) if is_number(last) else 0.0}
    else:
        notes.add(line, f"{call.name} {NO_SETTING}; the learning rate stays {first:g}")
        return recipe
    notes.add(line, f"{call.name}: the {recipe['schedule']} schedule takes the whole run, not decay_steps")
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
    return {"label_smoothing": float(smoothing)} if is_number(smoothing) and smoothing else {}
