"""Data augmentation by torchvision's transforms, as settings of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cnnstudio.interchange.settings import NO_SETTING, is_number, is_set
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Arguments, Call, UnsupportedCall

_SIGNATURES: Mapping[str, str] = {
    "RandomHorizontalFlip": "p=0.5",
    "RandomCrop": "size=None, padding=None, pad_if_needed=False, fill=0, padding_mode='constant'",
    "RandomResizedCrop": "size=None, scale=(0.08, 1.0), ratio=(0.75, 1.3333333333333333), interpolation=None",
    "ColorJitter": "brightness=0, contrast=0, saturation=0, hue=0",
    "RandomErasing": "p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False",
    "Normalize": "mean=None, std=None, inplace=False",
}
_HARMLESS = frozenset(
    {"Compose", "ToTensor", "ToImage", "ToDtype", "ConvertImageDtype", "PILToTensor", "ToPILImage"}
    | {"Grayscale", "Resize", "CenterCrop", "Identity", "Pad"}
)
"""What only prepares images: every image is resized to the input, and turned into numbers."""
_BORDERS = {"reflect": "reflect", "constant": "zero"}


def is_transform(call: Call) -> bool:
    """Whether this creates one of torchvision's transforms."""
    return call.path.startswith("torchvision.transforms.") and call.name[:1].isupper()


def read_transform(call: Call, notes: Notes) -> dict[str, Any]:
    """The settings of a transform; what a recipe does not have is noted."""
    if call.name in _HARMLESS:
        return {}
    reader = _READERS.get(call.name)
    if reader is None:
        notes.add(call.line, f"{call.name} {NO_SETTING}")
        return {}
    try:
        return reader(Arguments(call, _SIGNATURES[call.name]), notes)
    except UnsupportedCall:
        notes.add(call.line, f"{call.name} is ignored: its arguments cannot be read")
        return {}


def _flip(call: Arguments, notes: Notes) -> dict[str, Any]:
    if call["p"] != 0.5:
        notes.add(call.call.line, "RandomHorizontalFlip: half of the images are flipped")
    return {"flip": "random"}


def _crop(call: Arguments, notes: Notes) -> dict[str, Any]:
    padding = call["padding"]
    sizes = padding if isinstance(padding, list | tuple) else (padding,)
    if not all(type(size) is int for size in sizes) or not sizes:
        notes.add(call.call.line, f"RandomCrop without padding {NO_SETTING}")
        return {}
    mode = str(call["padding_mode"])
    if mode not in _BORDERS:
        text = f"padding_mode {mode}: the border is filled with the reflected image instead"
        notes.add(call.call.line, text)
    return {"shift": max(sizes), "shift_border": _BORDERS.get(mode, "reflect")}


def _resized_crop(call: Arguments, notes: Notes) -> dict[str, Any]:
    scale = call["scale"]
    if not isinstance(scale, list | tuple) or len(scale) != 2 or not all(map(is_number, scale)):
        notes.add(call.call.line, "RandomResizedCrop is ignored: its scale is only known at run time")
        return {}
    # The scale is a fraction of the area, the recipe's crop one of the sides.
    fraction = round(1 - math.sqrt(min(max(float(scale[0]), 0.0), 1.0)), 3)
    notes.add(call.call.line, f"RandomResizedCrop: crop {fraction} keeps the proportions of the image")
    return {"crop": fraction}


def _jitter(call: Arguments, notes: Notes) -> dict[str, Any]:
    recipe = {}
    for name in ("brightness", "contrast", "saturation"):
        value = call[name]
        if is_number(value) and value:
            recipe[name] = float(value)
        elif is_set(value):
            text = f"ColorJitter: only a single number can be the {name} of a recipe; ignored"
            notes.add(call.call.line, text)
    if is_set(call["hue"]):
        notes.add(call.call.line, f"ColorJitter: hue {NO_SETTING}")
    return recipe


def _erasing(call: Arguments, notes: Notes) -> dict[str, Any]:
    notes.add(call.call.line, f"RandomErasing {NO_SETTING}; cutout is similar")
    return {}


def _normalize(call: Arguments, notes: Notes) -> dict[str, Any]:
    notes.add(
        call.call.line,
        "Normalize is not needed: images are always normalized, with the statistics of the training set",
    )
    return {}


_READERS: Mapping[str, Callable[[Arguments, Notes], dict[str, Any]]] = {
    "RandomHorizontalFlip": _flip,
    "RandomCrop": _crop,
    "RandomResizedCrop": _resized_crop,
    "ColorJitter": _jitter,
    "RandomErasing": _erasing,
    "Normalize": _normalize,
}
