"""“same” and “valid” padding as in Keras, compared with a numpy reference that visits every window."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")

from torch import nn  # noqa: E402  # after the skip where there is no torch

from cnnstudio.layers.base import Layer, Shape  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D  # noqa: E402
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D  # noqa: E402

AXES = list(itertools.product(range(1, 10), (1, 2, 3, 4, 5), (1, 2, 3)))
"""Size, kernel and stride of one axis."""


def windows(size: int, extent: int, stride: int, padding: str) -> list[range]:
    """The pixels of each window along one axis, including those outside the image.

    As in TensorFlow: with "same" there are ceil(size / stride) windows. The padding that they need is split
    between both ends, and the odd pixel goes to the far one.
    """
    if padding == "valid":
        return [range(start, start + extent) for start in range(0, size - extent + 1, stride)]
    count = -(-size // stride)
    missing = max((count - 1) * stride + extent - size, 0)
    return [
        range(index * stride - missing // 2, index * stride - missing // 2 + extent) for index in range(count)
    ]


def reference(layer: Layer, image: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The output of the layer for an image (C, H, W)."""
    kernel = layer.kernel_size if isinstance(layer, Conv2D) else layer.pool_size
    steps = layer.dilation_rate if isinstance(layer, Conv2D) else (1, 1)
    strides = layer.strides or kernel
    rows, columns = (
        windows(size, (taps - 1) * step + 1, stride, layer.padding)
        for size, taps, step, stride in zip(image.shape[1:], kernel, steps, strides, strict=True)
    )
    channels = image.shape[0] if weights is None else weights.shape[0]
    output = np.zeros((channels, len(rows), len(columns)))
    for (y, row), (x, column) in itertools.product(enumerate(rows), enumerate(columns)):
        taps = [
            ((i, j), image[:, top, left])
            for i, top in enumerate(row[:: steps[0]])
            for j, left in enumerate(column[:: steps[1]])
            if 0 <= top < image.shape[1] and 0 <= left < image.shape[2]
        ]
        if weights is not None:
            output[:, y, x] = sum(weights[:, :, i, j] @ pixel for (i, j), pixel in taps)
        elif isinstance(layer, MaxPooling2D):
            output[:, y, x] = np.max([pixel for _, pixel in taps], axis=0)
        else:
            output[:, y, x] = np.mean([pixel for _, pixel in taps], axis=0)
    return output


def assert_matches_reference(layer: Layer, height: int, width: int) -> None:
    shape = Shape.of(2, height, width)
    torch.manual_seed(height * 10 + width)
    # All values are negative: a zero from the padding would win a maximum and change a mean.
    image = -1 - torch.rand(2, height, width, dtype=torch.float64)
    modules = layer.build(shape)
    module = nn.Sequential(*(module for _, module in modules)).double()
    weights = next(
        (module.weight for name, module in modules if not name and hasattr(module, "weight")), None
    )
    with torch.no_grad():
        found = module(image[None])[0].numpy()
    expected = reference(layer, image.numpy(), None if weights is None else weights.detach().numpy())
    assert found.shape == expected.shape == layer.output_shape(shape).dims
    # A sum may be small where its terms are not, so the terms say what rounding may do. Pixels reach 2 and
    # the n ≤ 2 × 5 × 5 weights 1 / √n, so all terms are 2 √n at most, and their sum, in whatever order they
    # are added, is n × 2⁻⁵³ of that off: two sums are at most 2 × 50 × 2⁻⁵³ × 2 √50 = 1.6e-13 apart.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=2e-13)


def axis_pairs() -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    """Each of `AXES` once as the height and once as the width, combined with another one."""
    shuffled = random.Random(0).sample(AXES, len(AXES))
    return zip(AXES, shuffled, strict=True)


def fits(size: int, extent: int, padding: str) -> bool:
    return padding == "same" or size >= extent


@pytest.mark.parametrize("kind", [MaxPooling2D, AveragePooling2D])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pooling_matches_the_reference_for_every_size_kernel_and_stride(
    kind: type[Layer], padding: str
) -> None:
    for (height, tall, down), (width, wide, right) in axis_pairs():
        if fits(height, tall, padding) and fits(width, wide, padding):
            assert_matches_reference(kind((tall, wide), (down, right), padding), height, width)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_convolution_matches_the_reference_for_every_size_kernel_and_stride(
    padding: str, dilation: int
) -> None:
    for (height, tall, down), (width, wide, right) in axis_pairs():
        if fits(height, (tall - 1) * dilation + 1, padding) and fits(width, wide, padding):
            rates = (dilation, 1)
            assert_matches_reference(
                Conv2D(2, (tall, wide), (down, right), padding, rates, use_bias=False), height, width
            )
