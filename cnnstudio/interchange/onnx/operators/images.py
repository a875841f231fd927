"""Features as layers take them: an image of channels first, or a flat vector."""

from __future__ import annotations

import numpy as np

from cnnstudio.interchange.onnx.arrays import Array, computed
from cnnstudio.interchange.onnx.errors import NotExpressibleError
from cnnstudio.interchange.onnx.values import Features, make
from cnnstudio.interchange.onnx.views import (
    channel_axis,
    dims,
    flat_order,
    is_plain_order,
    layout,
    merged,
    plain,
)


def as_image(features: Features) -> Features:
    """The image, channels first, that the file's array is. Raises NotExpressibleError."""
    shape, view = features.shape, features.view
    if not shape.is_image:
        raise NotExpressibleError("takes an image, but gets a flat vector")
    if view == plain(shape):
        return features
    axes = plain(shape)
    if len(view) == 3 and view[1:] == axes[1:] and len(view[0]) == 2 and dims(view) == shape.dims:
        # The channels, dealt out by a reshape, a transposition and another reshape.
        (many, step), (groups, stride) = view[0]
        if step == shape.height * shape.width and stride == many * step:
            return features.after(make("ChannelShuffle", groups=groups)).nonnegative(features.is_nonnegative)
    raise NotExpressibleError("gets an image whose axes are in another order than channels, height, width")


def settled(features: Features) -> Features:
    """The features, after a ChannelShuffle if that is how the file arranges their channels."""
    shape, view = features.shape, features.view
    if shape.is_image and len(view) == 3 and not layout(view, shape) and dims(view) == shape.dims:
        return as_image(features)
    return features


def is_pixel(features: Features) -> bool:
    """Whether it is a vector that the file has as an image of 1 × 1 pixels."""
    return (
        features.shape.is_flat
        and dims(features.view) == (features.shape.features, 1, 1)
        and is_plain_order(features.view)
    )


def as_vector(features: Features) -> Features:
    """The flat vector that the file's array is, by a Flatten if it was an image. Its order may differ.

    Raises NotExpressibleError if the array has more than one axis.
    """
    if len(features.view) != 1:
        raise NotExpressibleError("takes a flat vector, but gets an array of several axes")
    if features.shape.is_flat:
        return features
    parts = merged(part for axis in features.view for part in axis)
    flat = features.after(make("Flatten")).seen_as((parts,))
    return flat.nonnegative(features.is_nonnegative)


def in_plain_order(features: Features, vector: Array) -> Array:
    """A vector with one number per value of the file's flat array, in the order of the design's."""
    if is_plain_order(features.view):
        return vector
    order = flat_order(features.view)

    def reorder(values: np.ndarray) -> np.ndarray:
        result = np.empty_like(values)
        result[..., order] = values
        return result

    return vector.then(reorder)


def per_channel(features: Features, array: Array) -> tuple[Features, Array]:
    """(the features, flattened if need be; one float32 per channel, or a single one) of a constant.

    The constant is what the file adds to its array, or multiplies it by. Raises NotExpressibleError if it
    differs from pixel to pixel.
    """
    array, features = array.floats(), settled(features)
    if array.size == 1:
        return features, array.then(lambda value: value.reshape(()), ())
    sizes = dims(features.view)
    rank = len(sizes) + 1
    given = (1,) * (rank - len(array.dims)) + array.dims
    place = next((index for index, size in enumerate(given) if size > 1), 0) - 1
    if (
        len(given) != rank
        or place < 0
        or sum(size > 1 for size in given) != 1
        or given[place + 1] != sizes[place]
    ):
        raise NotExpressibleError("uses a constant that differs from pixel to pixel, or has another shape")
    if len(sizes) == 1:
        features = as_vector(features)
        vector = array.then(lambda value: value.reshape(-1), (array.size,))
        return features, in_plain_order(features, vector)
    if channel_axis(features.view, features.shape) != place:
        raise NotExpressibleError("uses a constant that differs from pixel to pixel, or has another shape")
    return features, array.then(lambda value: value.reshape(-1), (array.size,))


def full(vector: Array, size: int) -> Array:
    """The vector, or its only number so many times."""
    if vector.dims == (size,):
        return vector
    return computed(
        (vector,), lambda value: np.full(size, value.reshape(()), np.float32), (size,), vector.dtype
    )
