"""The input of a graph as an image: which of its axes are channels, height and width."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cnnstudio.core.parameters import shorten
from cnnstudio.design.network import MAXIMUM_INPUT
from cnnstudio.interchange.onnx.errors import OnnxError, SizeNeededError
from cnnstudio.interchange.onnx.file.model import Graph, ValueInfo
from cnnstudio.interchange.onnx.views import CHANNELS_FIRST, CHANNELS_LAST, View, merged, ordered, plain
from cnnstudio.layers.base import Shape

_COLORS = (1, 3, 4)
_FLOATS = ("float", "double", "float16", "bfloat16")
_NUMPY_TYPES = {"float": "float32", "double": "float64"}
_INTEGERS = ("uint8", "int32", "int64", "int8", "uint16", "int16")
_MAXIMUM_BATCH = 4096


@dataclass(frozen=True)
class ImageInput:
    """An input, and the image that it is."""

    name: str
    shape: Shape
    """As the design has it."""
    view: View
    """As the file has it."""
    batch: int | None
    """None if any number of images can be given at once."""
    type_name: str
    order: tuple[int, ...]
    """The axes of an image of the design, channels first, in the order that the file wants them."""
    dims: tuple[int, ...]
    """The dimensions that the file wants, without the batch."""
    notes: tuple[str, ...] = ()

    @property
    def is_integer(self) -> bool:
        return self.type_name in _INTEGERS

    @property
    def numpy_type(self) -> str:
        """The type of the values that the file takes."""
        return _NUMPY_TYPES.get(self.type_name, self.type_name)


def image_inputs(graph: Graph, size: tuple[int, int] | None) -> list[ImageInput]:
    """The input, once for each way to read it, the likely one first. Raises OnnxError if it is no image."""
    real = [each for each in graph.inputs if each.name not in graph.constants]
    if not real:
        raise OnnxError("the network in the file has no input")
    # An image has the most axes; further inputs may be settings that nothing depends on.
    chosen = max(real, key=lambda each: len(each.dims or ()) if len(each.dims or ()) <= 4 else 0)
    if chosen.type_name not in (*_FLOATS, *_INTEGERS):
        raise OnnxError(
            f"its input “{shorten(chosen.name)}” holds values of the type {chosen.type_name or '?'}"
        )
    dims = chosen.dims
    if dims is None or not 2 <= len(dims) <= 4:
        raise OnnxError(
            f"its input “{shorten(chosen.name)}” is no batch of images: it has "
            + ("an unknown shape" if dims is None else f"{len(dims)} axes")
        )
    batch = dims[0]
    if batch is not None and batch > _MAXIMUM_BATCH:
        raise OnnxError(f"its input takes exactly {batch:,} images at once")
    found = list(_readings(chosen, dims[1:], batch, size))
    too_large = next((each for each in found if max(each.shape.dims) > MAXIMUM_INPUT), None)
    if too_large is not None:
        raise OnnxError(
            f"its input is {too_large.shape}, and a design takes at most {MAXIMUM_INPUT:,} per side"
        )
    return found


def _readings(
    info: ValueInfo, dims: tuple[int | None, ...], batch: int | None, size: tuple[int, int] | None
) -> Iterator[ImageInput]:
    if len(dims) == 3:
        is_last = dims[2] in _COLORS and dims[0] not in _COLORS
        layouts = (CHANNELS_LAST, CHANNELS_FIRST) if is_last else (CHANNELS_FIRST, CHANNELS_LAST)
        missing = dims[layouts[0].index("C")] is None
        if missing:
            raise OnnxError("its input does not say how many channels images have")
        for letters in layouts:
            sizes = dict(zip(letters, dims, strict=True))
            if sizes["C"] is None:
                continue
            shape = Shape.of(sizes["C"], *_height_and_width(sizes["H"], sizes["W"], size))
            order = tuple("CHW".index(letter) for letter in letters)
            view = ordered(shape, letters)
            wanted = tuple(shape.dims[axis] for axis in order)
            yield ImageInput(info.name, shape, view, batch, info.type_name, order, wanted)
    elif len(dims) == 2:
        shape = Shape.of(1, *_height_and_width(dims[0], dims[1], size))
        view = plain(shape)[1:]
        yield ImageInput(info.name, shape, view, batch, info.type_name, (0, 1, 2), shape.dims[1:])
    else:
        yield _from_vector(info, dims[0], batch)


def _from_vector(info: ValueInfo, length: int | None, batch: int | None) -> ImageInput:
    """A flat input, as a square image of one or three channels."""
    for channels in (1, 3):
        side = math.isqrt((length or 0) // channels)
        if length is not None and side and channels * side * side == length:
            shape = Shape.of(channels, side, side)
            parts = merged(part for axis in plain(shape) for part in axis)
            note = f"its input is a vector of {length:,} values, read as an image of {shape}"
            return ImageInput(
                info.name, shape, (parts,), batch, info.type_name, (0, 1, 2), (length,), (note,)
            )
    raise OnnxError("its input is a vector that is no square image of one or three channels")


def _height_and_width(height: int | None, width: int | None, size: tuple[int, int] | None) -> tuple[int, int]:
    if height is not None and width is not None:
        return height, width
    if size is None:
        raise SizeNeededError(
            "its input takes images of any size, and a design takes one: give their height and width with "
            "--size, such as --size 224"
        )
    return height or size[0], width or size[1]
