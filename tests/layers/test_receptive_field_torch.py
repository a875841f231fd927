"""The receptive field that the analysis counts is the one that gradients see."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip where there is no torch

from cnnstudio.layers.base import WHOLE, Layer, Shape, Window  # noqa: E402
from cnnstudio.layers.basic.dense import Dense  # noqa: E402
from cnnstudio.layers.basic.flatten import Flatten  # noqa: E402
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D  # noqa: E402
from cnnstudio.layers.basic.zero_padding2d import ZeroPadding2D  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D  # noqa: E402
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D  # noqa: E402

# Max-pooling sends its gradient to one pixel only; its window is computed by the same lines as the average's.
CHAINS = [
    [Conv2D(2)],
    [Conv2D(2, (1, 5)), Conv2D(2, (3, 1))],
    [Conv2D(2, (3, 2), (2, 1)), Conv2D(2, (2, 3), (1, 2)), Conv2D(2)],
    [Conv2D(2, dilation_rate=(2, 3)), Conv2D(2, dilation_rate=(3, 1))],
    [AveragePooling2D(), Conv2D(2), AveragePooling2D((3, 3), (2, 2)), Conv2D(2)],
    [Conv2D(2, padding="same"), AveragePooling2D((2, 3), padding="same"), Conv2D(2, (5, 4), padding="same")],
    [Conv2D(2, (1, 1), (3, 3)), Conv2D(2, (2, 2))],
    [
        Conv2D(2, (4, 3), (2, 3), "same"),
        AveragePooling2D((3, 2), (1, 1), "same"),
        Conv2D(2, (2, 4), padding="same"),
    ],
    [ZeroPadding2D(((3, 1), (0, 2))), Conv2D(2, (5, 5), (2, 2)), ZeroPadding2D(((1, 1), (1, 1))), Conv2D(2)],
]
ENLARGING = [
    [UpSampling2D((2, 3)), Conv2D(2)],
    [AveragePooling2D(), UpSampling2D((2, 4)), Conv2D(2, padding="same")],
    [Conv2D(2, strides=(2, 2)), UpSampling2D((3, 3)), Conv2D(2, (4, 2))],
    [UpSampling2D((2, 2), "bilinear"), Conv2D(2)],
]


def built(layers: list[Layer], shape: Shape) -> tuple[nn.Module, Window]:
    """The layers in a row with all weights one, and their window."""
    pieces, window = [], Window()
    for layer in layers:
        pieces += [piece for _, piece in layer.build(shape)]
        window = window.then(layer.window(shape))
        shape = layer.output_shape(shape)
    module = nn.Sequential(*pieces).double()
    for weights in module.parameters():
        nn.init.ones_(weights)
    return module, window


def seen(module: nn.Module, images: torch.Tensor, row: int = 0, column: int = 0) -> tuple[range, range]:
    """The rows and columns of the input that reach the value at that place of the output."""
    images = images.clone().requires_grad_()
    output = module(images)
    value = output[0, 0, row, column] if output.dim() == 4 else output[0, 0]
    value.backward()
    touched = images.grad[0].abs().sum(0) > 0
    rows, columns = touched.any(1).nonzero(), touched.any(0).nonzero()
    return range(int(rows.min()), int(rows.max()) + 1), range(int(columns.min()), int(columns.max()) + 1)


def inside(pixels: range, size: int) -> range:
    return range(max(pixels.start, 0), min(pixels.stop, size))


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_a_value_sees_what_its_window_says_at_the_place_that_it_says(chain: list[Layer]) -> None:
    height, width = 48, 37
    module, window = built(chain, Shape.of(1, height, width))
    images = torch.rand(1, 1, height, width, dtype=torch.float64)
    rows, columns = module(images).shape[2:]
    for row, column in ((0, 0), (1, 2), (rows // 2, columns // 2), (rows - 2, 1), (rows - 1, columns - 1)):
        down, right = window.at(row, column)
        assert seen(module, images, row, column) == (inside(down, height), inside(right, width))


@pytest.mark.parametrize("chain", ENLARGING, ids=str)
def test_behind_a_layer_that_enlarges_a_window_is_right_to_about_a_step(chain: list[Layer]) -> None:
    module, window = built(chain, Shape.of(1, 48, 37))
    images = torch.rand(1, 1, 48, 37, dtype=torch.float64)
    for row, column in ((0, 0), (4, 3), (9, 8), (10, 11)):
        for pixels, claimed in zip(seen(module, images, row, column), window.at(row, column), strict=True):
            assert abs(claimed.start - pixels.start) <= 1
            assert abs(claimed.stop - pixels.stop) <= 2


def test_the_field_is_the_size_of_what_a_value_sees() -> None:
    _, window = built([Conv2D(2, (3, 2), (2, 1)), Conv2D(2, (2, 3))], Shape.of(1, 64, 64))
    assert (window.field, window.stride) == ((5, 4), (2, 1))
    down, right = window.at(7, 3)
    assert (len(down), len(right)) == window.field


@pytest.mark.parametrize("last", [[Flatten(), Dense(3)], [GlobalAveragePooling2D()]], ids=str)
def test_what_sums_up_the_image_sees_all_of_it(last: list[Layer]) -> None:
    module, window = built([Conv2D(2), *last], Shape.of(1, 9, 7))
    assert window == WHOLE
    assert seen(module, torch.rand(1, 1, 9, 7, dtype=torch.float64)) == (range(9), range(7))


def test_windows_of_deep_networks_are_no_numbers_without_end() -> None:
    window = Window()
    for _ in range(200):
        window = window.then(Window((7, 7), (255, 255), (-3, -3)))
    assert max(*window.kernel, *window.stride) <= 2**31
    assert min(window.start) >= -(2**31)


def test_side_by_side_a_value_sees_all_that_one_of_both_sees() -> None:
    left, right = Window((3, 1), (1, 1), (-1, 0)), Window((1, 5), (1, 1), (0, -2))
    assert left.beside(right) == Window((3, 5), (1, 1), (-1, -2))
    assert left.beside(WHOLE) == WHOLE
