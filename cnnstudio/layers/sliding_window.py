"""Arithmetic of windows that slide over an image, shared by convolution and pooling.

"valid" and "same" are Keras's: valid uses only whole windows, same gives ceil(size / stride) outputs by
padding, with the odd pixel at the bottom and right (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
"""

from __future__ import annotations

from cnnstudio.layers.base import SetParameters, Shape, ShapeError
from cnnstudio.layers.shape import times

Sizes = tuple[int, int]


def effective(kernel: Sizes, dilation: Sizes = (1, 1)) -> Sizes:
    """Pixels from the first to the last tap of a dilated kernel."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def require_image(shape: Shape) -> None:
    """Raises ShapeError for a flat vector."""
    if not shape.is_image:
        raise ShapeError(
            f"takes an image (channels × height × width), but gets a flat vector of {shape}{{source}}; "
            "it belongs before the layer that flattens",
            why="Flattening loses where each value stood in the image, and this layer works on places.",
        )


def output_size(
    shape: Shape, kernel: Sizes, strides: Sizes, padding: str, *, called: str, dilation: Sizes = (1, 1)
) -> Sizes:
    """Height and width of what comes out; `called` is the kernel's name as a parameter. Raises ShapeError."""
    require_image(shape)
    height, width = shape.height, shape.width
    extent = effective(kernel, dilation)
    if padding == "same":
        return -(-height // strides[0]), -(-width // strides[1])
    if height < extent[0] or width < extent[1]:
        raise ShapeError(
            f"needs an image of at least {times(extent)}, but gets {height} × {width}{{source}}",
            (
                SetParameters({"padding": "same"}, "set padding to same"),
                _smaller(shape, kernel, dilation, called),
            ),
            why="Poolings, strides and convolutions without padding make the image smaller, until no whole "
            "window fits into it.",
        )
    return (height - extent[0]) // strides[0] + 1, (width - extent[1]) // strides[1] + 1


def _smaller(shape: Shape, kernel: Sizes, dilation: Sizes, called: str) -> SetParameters:
    """The largest kernel that fits."""
    height = min(kernel[0], (shape.height - 1) // dilation[0] + 1)
    width = min(kernel[1], (shape.width - 1) // dilation[1] + 1)
    words = f"set {called.replace('_', ' ')} to {times((height, width))}"
    return SetParameters({called: (height, width)}, words)


def same_padding(size: int, extent: int, stride: int) -> Sizes:
    """Pixels to add before and after one axis so that ceil(size / stride) windows fit."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def as_code(sizes: Sizes) -> str:
    """`3` where both are equal, else `(3, 5)`."""
    return str(sizes[0]) if sizes[0] == sizes[1] else str(sizes)
