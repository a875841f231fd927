"""Keras code that is more than one call of a built-in Keras layer computes the same as torch.

Keras itself is not there: stand-ins take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402  # after the skip where there is no torch
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from cnnstudio.core.parameters import Edges  # noqa: E402
from cnnstudio.layers.base import Layer, Shape  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.convolutional.depthwise_conv2d import DepthwiseConv2D  # noqa: E402
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D  # noqa: E402
from cnnstudio.layers.convolutional.whitening import Whitening  # noqa: E402

Step = Callable[[torch.Tensor], torch.Tensor]


class FakeKerasLayers:
    """The `layers` of the code, working on (N, C, H, W) with the weights of torch convolutions."""

    def __init__(self, convolutions: list[nn.Conv2d]) -> None:
        self._convolutions = convolutions

    def ZeroPadding2D(self, padding: Edges) -> Step:  # noqa: N802  # Keras's name
        (top, bottom), (left, right) = padding
        return lambda x: F.pad(x, (left, right, top, bottom))

    def MaxPooling2D(self, pool_size: Any, strides: Any) -> Step:  # noqa: N802  # Keras's name
        return lambda x: F.max_pool2d(x, pool_size, strides)

    def _convolve(
        self, *arguments: Any, strides: Any = 1, dilation_rate: Any = 1, padding: str = "valid", **others: Any
    ) -> Step:
        assert strides == 1 or dilation_rate == 1, "Keras refuses both"
        assert padding == "valid", "only what takes several calls is tried here"

        def run(x: torch.Tensor) -> torch.Tensor:
            first, *following = self._convolutions
            x = F.conv2d(x, first.weight, first.bias, strides, 0, dilation_rate, first.groups)
            for each in following:
                x = each(x)
            return x

        return run

    Conv2D = DepthwiseConv2D = SeparableConv2D = _convolve


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [(2, 2), (3, 1), (1, 2)])
@pytest.mark.parametrize("kind", [Conv2D, DepthwiseConv2D, SeparableConv2D])
def test_strides_with_dilation_are_written_as_supported_calls(
    kind: type[Layer], strides: tuple[int, int], padding: str
) -> None:
    layer = kind(kernel_size=(3, 2), strides=strides, dilation_rate=(2, 3), padding=padding)
    shape = Shape.of(2, 13, 10)
    modules = [module for _, module in layer.build(shape)]
    fake_layers = FakeKerasLayers([module for module in modules if isinstance(module, nn.Conv2d)])
    images = found = torch.randn(2, *shape.dims)
    with torch.no_grad():
        for line in layer.keras_code(shape):
            found = eval(line, {"layers": fake_layers})(found)
        torch.testing.assert_close(found, nn.Sequential(*modules)(images))


KERAS = SimpleNamespace(
    saving=SimpleNamespace(register_keras_serializable=lambda: lambda kind: kind),
    initializers=SimpleNamespace(
        Initializer=object, GlorotUniform=lambda: lambda shape: np.full(shape, 0.25)
    ),
    ops=SimpleNamespace(convert_to_numpy=lambda x: x, convert_to_tensor=lambda x, dtype: x),
)


def helper(layer: Layer, name: str) -> Any:
    """The helper with this name in the Keras code of the layer."""
    names: dict[str, Any] = {"keras": KERAS, "layers": SimpleNamespace(Layer=object)}
    for source in layer.keras_helpers():
        exec(source, names)
    return names[name]


@pytest.mark.parametrize("layer", [Conv2D(9, groups=g, kernel_initializer="dirac") for g in (1, 3)], ids=str)
def test_dirac_kernels_match_torch(layer: Conv2D) -> None:
    initializer = helper(layer, "Dirac")(groups=layer.groups)
    kernel = initializer((3, 3, 6 // layer.groups, 9))
    ((_, module),) = layer.build(Shape.of(6, 8, 8))
    expected = module.weight.detach().permute(2, 3, 1, 0).numpy()
    begun = np.isin(expected, (0, 1))
    assert ((kernel == expected) | ~begun).all()
    assert (kernel[~begun] == 0.25).all()
    assert initializer.get_config() == {"groups": layer.groups}


def test_depthwise_dirac_kernels_match_torch() -> None:
    layer = DepthwiseConv2D((3, 5), depth_multiplier=2, kernel_initializer="dirac")
    kernel = helper(layer, "DepthwiseDirac")()((3, 5, 4, 2))
    ((_, module),) = layer.build(Shape.of(4, 8, 8))
    expected = module.weight.detach().view(4, 2, 3, 5).permute(2, 3, 0, 1).numpy()
    assert (kernel[..., 0] == expected[..., 0]).all()
    assert (kernel[..., 1] == 0.25).all()


def test_whitening_computes_the_same_weights() -> None:
    layer = Whitening((2, 3))
    images = torch.randn(40, 2, 6, 7, dtype=torch.float64) * torch.tensor([1.0, 3.0]).view(2, 1, 1)
    images[:, :, 1:] += 0.5 * images[:, :, :-1]
    ((_, module),) = layer.build(Shape.of(2, 6, 7))
    module.double().initialize_from(images.split(16))
    kept: list[np.ndarray] = []
    taker = object.__new__(helper(layer, "Whitening"))
    taker.kernel_size, taker.epsilon = (2, 3), layer.epsilon
    taker.kernel = SimpleNamespace(shape=(2, 3, 2, 24), assign=kept.append)
    taker.initialize_from([batch.permute(0, 2, 3, 1).numpy() for batch in images.split(16)])
    found = torch.tensor(kept[0]).permute(3, 2, 0, 1)
    # The sign of each eigenvector is arbitrary.
    signs = (found * module.weight).flatten(1).sum(1).sign().view(-1, 1, 1, 1)
    torch.testing.assert_close(found * signs, module.weight.detach())
    torch.testing.assert_close(found[12:], -found[:12])
