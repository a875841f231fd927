"""The input shape of a network in PyTorch code, which modules do not say.

What the code says about images is compared with the network: it counts only if the numbers of channels and
features in the code fit. Otherwise, or if the code says nothing, a size is searched for that fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cnnstudio.interchange.data_sets import NamedData
from cnnstudio.interchange.effort import MAXIMUM_SECONDS
from cnnstudio.interchange.input_shapes import (
    DEFAULT_INPUT,
    image_shape,
    input_for_features,
    input_from_comments,
    input_from_constants,
    sizes_from_constants,
)
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import Items
from cnnstudio.interchange.pytorch.assembly import PyTorchAssembler, bound_arguments, innermost
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.base import Shape

_COMMON_SIZES = (32, 28, 64, 224, 96, 128, 48, 227, 299, 256, 16, 8)
"""Image sizes to try first, the most common ones first."""
_MAX_SIZE_TRIED = 256
_MAXIMUM_FOUND = 20
"""The most sizes of each kind that are remembered."""
_RESIZING = frozenset({"Resize", "CenterCrop", "RandomCrop", "RandomResizedCrop", "Scale"})


class Inputs:
    """What a program says about the images that its network gets."""

    def __init__(self) -> None:
        self._constants: list[tuple[int, ...]] = []
        self._tried: list[tuple[int, tuple[int, ...]]] = []
        self._tensors: list[tuple[int, ...]] = []
        self._sizes: list[tuple[int, int]] = []
        self._data_sets: list[Shape] = []
        self._comments: list[tuple[int, ...]] = []

    def add_constants(self, names: Mapping[str, Any]) -> None:
        """Constants of the program, such as `INPUT = (3, 32, 32)` or `image_size = 64`."""
        found = input_from_constants(names)
        if found is not None:
            self._constants.append(found)
        self._sizes += sizes_from_constants(names)

    def add_comments(self, comments: Iterable[tuple[int, str]]) -> None:
        self._comments += input_from_comments(comments)

    def add_tensor(self, sizes: Any) -> tuple[int, ...] | None:
        """The sizes of a tensor of numbers, by which listings try out a network: those of one image."""
        known = isinstance(sizes, tuple | list) and len(sizes) in (3, 4)
        if not known or not all(type(size) is int for size in sizes[-3:]):
            return None
        if len(self._tensors) < _MAXIMUM_FOUND:
            self._tensors.append(tuple(sizes[-3:]))
        return tuple(sizes[-3:])

    def add_tried(self, module: Any, sizes: tuple[int, ...]) -> None:
        """The sizes of a tensor that the program gives to a module."""
        if len(self._tried) < _MAXIMUM_FOUND:
            self._tried.append((id(module), sizes))

    def add_transform(self, name: str, positional: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        """A transform of torchvision; the last one that sets the size of the images counts."""
        if name not in _RESIZING or len(self._sizes) >= _MAXIMUM_FOUND:
            return
        size = positional[0] if positional else keywords.get("size")
        sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
        if len(sides) == 2 and all(type(side) is int for side in sides):
            self._sizes.insert(0, sides)

    def add_data_set(self, data: NamedData) -> None:
        if data.known is not None and len(self._data_sets) < _MAXIMUM_FOUND:
            self._data_sets.append(data.known.images)

    def shapes(self, module: Any, channels: int | None) -> Iterator[Sequence[int]]:
        """(channels, height, width) that the program may mean for a module, the most certain ones first."""
        yield from self._constants
        yield from (sizes for tried, sizes in self._tried if tried == id(module))
        usual = [shape.channels for shape in self._data_sets]
        for sides in self._sizes:
            yield (channels or next(iter(usual), 3), *sides)
        for shape in self._data_sets:
            yield shape.dims
        yield from self._tensors
        yield from self._comments


def infer_input_shape(module: Any, items: Items, inputs: Inputs, notes: Notes) -> Shape:
    """The input shape of a module, as the code says it; or, with a note, the one that its layers fit."""
    line = int(module.line)
    calls = list(graph.iter_calls(items))
    first = next((call for call in calls if _INPUTS & bound_arguments(innermost(call)).keys()), None)
    values = bound_arguments(innermost(first)) if first else {}
    channels = values.get("in_channels", values.get("num_features"))
    channels = channels if type(channels) is int and 1 <= channels <= 1024 else None
    refused: str = ""
    given: list[Shape] = []
    for sizes in dict.fromkeys(map(tuple, inputs.shapes(module, channels))):
        shape, note = image_shape(*sizes)
        if shape is not None and _fits(items, shape, notes):
            return shape
        given += [shape] if shape is not None else []
        refused = (
            refused
            or note
            or (f"the code has images of {shape}, which the layers do not fit; " if shape else "")
        )
    if type(values.get("in_features")) is int and "in_channels" not in values:
        shape, note = input_for_features(values["in_features"])
        notes.add(line, f"the code does not specify the input shape: {note}")
        return shape or DEFAULT_INPUT
    found = _consistent_shape(items, channels or 3, notes)
    if found is None:
        # A network that has a mistake of its own does not fit any size.
        for shape in given:
            if _fits(items, shape, notes, strictly=False):
                return shape
        found = _consistent_shape(items, channels or 3, notes, strictly=False)
    if found is None and given:
        return given[0]  # no size fits, so that what the code says is as good as any
    shape = found or Shape.of(channels or 3, *DEFAULT_INPUT.dims[1:])
    said = refused if refused.endswith("; ") else "the code does not specify the input shape; "
    notes.add(line, f"{said}{shape} is used")
    return shape


_INPUTS = frozenset({"in_channels", "in_features", "num_features"})
"""Arguments that say how many channels or features a module takes."""


def _fits(items: Items, shape: Shape, notes: Notes, *, strictly: bool = True) -> bool:
    """Whether the numbers of channels and features in the code are right for that input.

    `strictly`: all layers also have to take the shapes that arrive at them.
    """
    trial = PyTorchAssembler(Notes(notes.effort))
    trial.sequence(items, shape)
    return trial.mismatches == 0 and not (strictly and trial.shape_errors)


def _consistent_shape(items: Items, channels: int, notes: Notes, *, strictly: bool = True) -> Shape | None:
    """The size for which all numbers of channels and features in the code are right; None if none is.

    Tries sizes by assembling the network, common ones first. Usually only the first Linear layer after the
    convolutions depends on the size, and which sizes lead to its number of features cannot be computed
    backwards through strides and paddings. Networks of more than 200 modules are only tried with the common
    sizes.
    """
    is_small = sum(1 for _ in graph.iter_calls(items)) <= 200
    others = [size for size in range(4, _MAX_SIZE_TRIED + 1) if size not in _COMMON_SIZES] if is_small else []
    for size in (*_COMMON_SIZES, *others):
        if notes.effort.seconds > MAXIMUM_SECONDS / 3:
            break
        shape = Shape.of(channels, size, size)
        if _fits(items, shape, notes, strictly=strictly):
            return shape
    return None
