"""The computed receptive field matches the pixels that have a gradient."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip where there is no torch

from cnnstudio.layers.base import WHOLE_IMAGE, Layer, ReceptiveField, Shape  # noqa: E402
from cnnstudio.layers.basic.dense import Dense  # noqa: E402
from cnnstudio.layers.basic.flatten import Flatten  # noqa: E402
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D  # noqa: E402
from cnnstudio.layers.basic.zero_padding2d import ZeroPadding2D  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D  # noqa: E402
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D  # noqa: E402

# Max pooling passes its gradient to one pixel only; it shares the code for its receptive field with average
# pooling.
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


def built(layers: list[Layer], shape: Shape) -> tuple[nn.Module, ReceptiveField]:
    """The layers in sequence with all weights set to one, and their receptive field."""
    modules, field = [], ReceptiveField()
    for layer in layers:
        modules += [module for _, module in layer.build(shape)]
        field = field.then(layer.receptive_field(shape))
        shape = layer.output_shape(shape)
    module = nn.Sequential(*modules).double()
    for weights in module.parameters():
        nn.init.ones_(weights)
    return module, field


def seen_pixels(
    module: nn.Module, images: torch.Tensor, row: int = 0, column: int = 0
) -> tuple[range, range]:
    """The rows and columns of the input that affect the output value at this position."""
    images = images.clone().requires_grad_()
    output = module(images)
    value = output[0, 0, row, column] if output.dim() == 4 else output[0, 0]
    value.backward()
    touched = images.grad[0].abs().sum(0) > 0
    rows, columns = touched.any(1).nonzero(), touched.any(0).nonzero()
    return range(int(rows.min()), int(rows.max()) + 1), range(int(columns.min()), int(columns.max()) + 1)


def clipped(pixels: range, size: int) -> range:
    return range(max(pixels.start, 0), min(pixels.stop, size))


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_the_computed_receptive_field_matches_the_gradients_at_every_position(chain: list[Layer]) -> None:
    height, width = 48, 37
    module, field = built(chain, Shape.of(1, height, width))
    images = torch.rand(1, 1, height, width, dtype=torch.float64)
    rows, columns = module(images).shape[2:]
    for row, column in ((0, 0), (1, 2), (rows // 2, columns // 2), (rows - 2, 1), (rows - 1, columns - 1)):
        down, right = field.at(row, column)
        assert seen_pixels(module, images, row, column) == (clipped(down, height), clipped(right, width))


@pytest.mark.parametrize("chain", ENLARGING, ids=str)
def test_after_upsampling_the_receptive_field_is_correct_to_about_one_stride(chain: list[Layer]) -> None:
    module, field = built(chain, Shape.of(1, 48, 37))
    images = torch.rand(1, 1, 48, 37, dtype=torch.float64)
    for row, column in ((0, 0), (4, 3), (9, 8), (10, 11)):
        for pixels, claimed in zip(
            seen_pixels(module, images, row, column), field.at(row, column), strict=True
        ):
            assert abs(claimed.start - pixels.start) <= 1
            assert abs(claimed.stop - pixels.stop) <= 2


def test_the_pixel_size_is_the_number_of_pixels_seen() -> None:
    _, field = built([Conv2D(2, (3, 2), (2, 1)), Conv2D(2, (2, 3))], Shape.of(1, 64, 64))
    assert (field.pixel_size, field.stride) == ((5, 4), (2, 1))
    down, right = field.at(7, 3)
    assert (len(down), len(right)) == field.pixel_size


@pytest.mark.parametrize("last", [[Flatten(), Dense(3)], [GlobalAveragePooling2D()]], ids=str)
def test_layers_that_combine_all_positions_see_the_whole_image(last: list[Layer]) -> None:
    module, field = built([Conv2D(2), *last], Shape.of(1, 9, 7))
    assert field == WHOLE_IMAGE
    assert seen_pixels(module, torch.rand(1, 1, 9, 7, dtype=torch.float64)) == (range(9), range(7))


def test_receptive_fields_of_deep_networks_are_bounded() -> None:
    field = ReceptiveField()
    for _ in range(200):
        field = field.then(ReceptiveField((7, 7), (255, 255), (-3, -3)))
    assert max(*field.size, *field.stride) <= 2**31
    assert min(field.start) >= -(2**31)


def test_the_union_covers_both_receptive_fields() -> None:
    left, right = ReceptiveField((3, 1), (1, 1), (-1, 0)), ReceptiveField((1, 5), (1, 1), (0, -2))
    assert left.union(right) == ReceptiveField((3, 5), (1, 1), (-1, -2))
    assert left.union(WHOLE_IMAGE) == WHOLE_IMAGE
