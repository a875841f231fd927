"""Arithmetic of windows that slide over an image, shared by convolution and pooling.

"valid" and "same" are Keras's: "valid" uses only windows that lie inside the image; "same" pads so that there
are ceil(size / stride) outputs, with the odd pixel at the bottom and right
(https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
"""

from __future__ import annotations

from cnnstudio.layers.base import SetParameters, Shape, ShapeError
from cnnstudio.layers.shape import format_sizes

Sizes = tuple[int, int]
"""(Height, width) in pixels."""


def effective_kernel_size(kernel: Sizes, dilation: Sizes = (1, 1)) -> Sizes:
    """The extent of a dilated kernel in pixels, from its first to its last tap."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def require_image(shape: Shape) -> None:
    """Raises ShapeError for a flat vector."""
    if not shape.is_image:
        raise ShapeError(
            f"takes an image (channels × height × width), but gets a flat vector of size {shape}{{source}}; "
            "it must come before the layer that flattens",
            why="Flattening discards the position of each value, and this layer depends on positions.",
        )


def output_size(
    shape: Shape, kernel: Sizes, strides: Sizes, padding: str, *, kernel_name: str, dilation: Sizes = (1, 1)
) -> Sizes:
    """Height and width of the output for an input of `shape`.

    Raises ShapeError if the kernel does not fit; its fixes set the parameter called `kernel_name`.
    """
    require_image(shape)
    height, width = shape.height, shape.width
    extent = effective_kernel_size(kernel, dilation)
    if padding == "same":
        return -(-height // strides[0]), -(-width // strides[1])
    if height < extent[0] or width < extent[1]:
        raise ShapeError(
            f"needs an image of at least {format_sizes(extent)}, but gets {height} × {width}{{source}}",
            (
                SetParameters({"padding": "same"}, "set padding to same"),
                _set_fitting_kernel(shape, kernel, dilation, kernel_name),
            ),
            why="Pooling, strides and convolutions without padding shrink the image until no window fits.",
        )
    return (height - extent[0]) // strides[0] + 1, (width - extent[1]) // strides[1] + 1


def _set_fitting_kernel(shape: Shape, kernel: Sizes, dilation: Sizes, kernel_name: str) -> SetParameters:
    height = min(kernel[0], (shape.height - 1) // dilation[0] + 1)
    width = min(kernel[1], (shape.width - 1) // dilation[1] + 1)
    text = f"set {kernel_name.replace('_', ' ')} to {format_sizes((height, width))}"
    return SetParameters({kernel_name: (height, width)}, text)


def same_padding(size: int, extent: int, stride: int) -> Sizes:
    """Pixels to add before and after one axis so that ceil(size / stride) windows fit."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def pair_code(sizes: Sizes) -> str:
    """A pair as torch arguments: `3` if both sizes are equal, else `(3, 5)`."""
    return str(sizes[0]) if sizes[0] == sizes[1] else str(sizes)
