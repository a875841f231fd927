"""The receptive field that the analysis counts is the one that gradients see."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip where there is no torch

from cnnstudio.layers.average_pooling2d import AveragePooling2D  # noqa: E402
from cnnstudio.layers.base import WHOLE, Layer, Shape, Window  # noqa: E402
from cnnstudio.layers.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.dense import Dense  # noqa: E402
from cnnstudio.layers.flatten import Flatten  # noqa: E402
from cnnstudio.layers.global_average_pooling2d import GlobalAveragePooling2D  # noqa: E402

# Max-pooling sends its gradient to one pixel only; its window is computed by the same lines as the average's.
CHAINS = [
    [Conv2D(2)],
    [Conv2D(2, (1, 5)), Conv2D(2, (3, 1))],
    [Conv2D(2, (3, 2), (2, 1)), Conv2D(2, (2, 3), (1, 2)), Conv2D(2)],
    [Conv2D(2, dilation_rate=(2, 3)), Conv2D(2, dilation_rate=(3, 1))],
    [AveragePooling2D(), Conv2D(2), AveragePooling2D((3, 3), (2, 2)), Conv2D(2)],
    [Conv2D(2, padding="same"), AveragePooling2D((2, 3), padding="same"), Conv2D(2, (5, 4), padding="same")],
    [Conv2D(2, (1, 1), (3, 3)), Conv2D(2, (2, 2))],
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


def seen(module: nn.Module, images: torch.Tensor, down: int = 0, right: int = 0) -> tuple[range, range]:
    """The rows and columns of the input that reach a value near the centre of the output."""
    images = images.clone().requires_grad_()
    output = module(images)
    if output.dim() == 4:
        output = output[0, 0, output.shape[2] // 2 + down, output.shape[3] // 2 + right]
    else:
        output = output[0, 0]
    output.backward()
    touched = images.grad[0].abs().sum(0) > 0
    rows, columns = touched.any(1).nonzero(), touched.any(0).nonzero()
    return range(int(rows.min()), int(rows.max()) + 1), range(int(columns.min()), int(columns.max()) + 1)


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_a_chain_sees_what_its_windows_say(chain: list[Layer]) -> None:
    shape = Shape.of(1, 64, 64)
    module, window = built(chain, shape)
    images = torch.rand(1, 1, 64, 64, dtype=torch.float64)
    rows, columns = seen(module, images)
    assert (len(rows), len(columns)) == window.kernel
    below, beside = seen(module, images, down=1), seen(module, images, right=1)
    assert (below[0].start - rows.start, beside[1].start - columns.start) == window.stride


@pytest.mark.parametrize("last", [[Flatten(), Dense(3)], [GlobalAveragePooling2D()]], ids=str)
def test_what_sums_up_the_picture_sees_all_of_it(last: list[Layer]) -> None:
    module, window = built([Conv2D(2), *last], Shape.of(1, 9, 7))
    assert window == WHOLE
    assert seen(module, torch.rand(1, 1, 9, 7, dtype=torch.float64)) == (range(9), range(7))


def test_a_window_never_outgrows_the_picture() -> None:
    wide = Window((30, 3), (2, 2)).then(Window((5, 5), (40, 1)), limit=(32, 32))
    assert wide == Window((32, 11), (32, 2))
