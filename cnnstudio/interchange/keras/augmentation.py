"""Data augmentation in Keras code, as settings of a recipe: preprocessing layers and ImageDataGenerator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnstudio.interchange.settings import NO_SETTING, SHIFT_FRACTION, is_number, is_set
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Arguments, Call

_IGNORED = frozenset({"input_shape", "name", "dtype", "seed", "value_range", "interpolation", "data_format"})
_SIGNATURES: Mapping[str, str] = {
    "RandomFlip": "mode='horizontal_and_vertical'",
    "RandomTranslation": "height_factor=0.0, width_factor=0.0, fill_mode='reflect', fill_value=0.0",
    "RandomContrast": "factor=0.0",
    "RandomBrightness": "factor=0.0",
}
_GENERATOR = (
    "featurewise_center=False, samplewise_center=False, featurewise_std_normalization=False, "
    "samplewise_std_normalization=False, zca_whitening=False, zca_epsilon=1e-06, rotation_range=0, "
    "width_shift_range=0.0, height_shift_range=0.0, brightness_range=None, shear_range=0.0, zoom_range=0.0, "
    "channel_shift_range=0.0, fill_mode='nearest', cval=0.0, horizontal_flip=False, vertical_flip=False, "
    "rescale=None, preprocessing_function=None, data_format=None, validation_split=0.0, dtype=None"
)
_NOT_IN_A_RECIPE = (
    *("rotation_range", "shear_range", "zoom_range", "channel_shift_range", "vertical_flip", "zca_whitening"),
    "preprocessing_function",
)
_BORDERS = {"reflect": "reflect", "constant": "zero"}


def is_augmentation_layer(call: Call) -> bool:
    """Whether a Keras layer changes images at random."""
    return call.path.startswith("keras.layers.") and call.name.startswith(("Random", "AutoContrast"))


def read_layer(call: Call, notes: Notes) -> dict[str, Any]:
    """The settings of an augmentation layer; what a recipe does not have is noted."""
    signature = _SIGNATURES.get(call.name)
    if signature is None:
        notes.add(call.line, f"{call.name} {NO_SETTING}")
        return {}
    count = signature.count("=")
    arguments = Arguments(Call(call.path, call.positional[:count], call.keywords), signature, _IGNORED)
    if call.name == "RandomFlip":
        return _flip(str(arguments["mode"]), call, notes)
    if call.name == "RandomTranslation":
        sizes = [arguments["height_factor"], arguments["width_factor"]]
        return _shift(sizes, call, notes) | _border(arguments, call, notes)
    factor = arguments["factor"]
    if not is_number(factor):
        notes.add(call.line, f"{call.name}: only a single number can be a setting of a recipe; ignored")
        return {}
    if call.name == "RandomBrightness":
        notes.add(call.line, "RandomBrightness adds to the pixels; the recipe's brightness multiplies them")
    return {call.name.removeprefix("Random").lower(): float(factor)}


def _flip(mode: str, call: Call, notes: Notes) -> dict[str, Any]:
    if "vertical" in mode:
        notes.add(call.line, f"vertical flips: this {NO_SETTING}")
    return {"flip": "random"} if "horizontal" in mode else {}


def read_generator(call: Call, notes: Notes) -> dict[str, Any]:
    """The settings of an ImageDataGenerator; what a recipe does not have is noted."""
    arguments = Arguments(Call(call.path, (), call.keywords, call.line), _GENERATOR)
    recipe: dict[str, Any] = {}
    if arguments["horizontal_flip"] is True:
        recipe["flip"] = "random"
    recipe |= _shift([arguments["width_shift_range"], arguments["height_shift_range"]], call, notes)
    recipe |= _brightness(arguments["brightness_range"], call, notes)
    if "shift" in recipe or SHIFT_FRACTION in recipe:
        recipe |= _border(arguments, call, notes) if "fill_mode" in arguments.given else {}
    if is_number(arguments["validation_split"]) and arguments["validation_split"]:
        recipe["validation_share"] = float(arguments["validation_split"])
    for name in _NOT_IN_A_RECIPE:
        if is_set(arguments[name]):
            notes.add(call.line, f"{name} {NO_SETTING}")
    return recipe


def _shift(sizes: list[Any], call: Call, notes: Notes) -> dict[str, Any]:
    """Shifts in both directions: fractions of the image size, or pixels from 1 upwards."""
    numbers = [abs(size) for size in sizes if is_number(size)]
    if len(numbers) < len(sizes):
        notes.add(call.line, "shifts are only taken from single numbers; ignored")
        return {}
    if not any(numbers):
        return {}
    if numbers[0] != numbers[1]:
        notes.add(call.line, f"shifts differ in width and height; {max(numbers)} is used for both")
    most = max(numbers)
    return {"shift": int(most)} if most >= 1 else {SHIFT_FRACTION: most}


def _border(arguments: Arguments, call: Call, notes: Notes) -> dict[str, Any]:
    mode = arguments["fill_mode"]
    if mode not in _BORDERS:
        notes.add(call.line, f"fill_mode {mode}: the border is filled with the reflected image instead")
    return {"shift_border": _BORDERS.get(mode, "reflect")}


def _brightness(value: Any, call: Call, notes: Notes) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_number, value)):
        notes.add(call.line, "brightness_range is only known at run time and is ignored")
        return {}
    most = round(max(1 - value[0], value[1] - 1), 6)
    if abs((1 - value[0]) - (value[1] - 1)) > 1e-6:
        notes.add(call.line, f"brightness_range: {most} in both directions is used")
    return {"brightness": float(most)} if most > 0 else {}
