"""Initial weights, frozen weights, and weights computed from images."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip where there is no torch

from cnnstudio.layers.base import Layer, Shape  # noqa: E402
from cnnstudio.layers.basic.dense import Dense  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.convolutional.depthwise_conv2d import DepthwiseConv2D  # noqa: E402
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D  # noqa: E402
from cnnstudio.layers.convolutional.whitening import Whitening  # noqa: E402
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization  # noqa: E402
from cnnstudio.layers.normalization.group_normalization import GroupNormalization  # noqa: E402
from cnnstudio.layers.normalization.layer_normalization import LayerNormalization  # noqa: E402

IMAGE = Shape.of(16, 8, 8)
INITIALIZED: list[Callable[[str], Layer]] = [
    lambda name: Conv2D(64, kernel_initializer=name),
    lambda name: DepthwiseConv2D((5, 5), depth_multiplier=4, kernel_initializer=name),
    lambda name: SeparableConv2D(64, (7, 7), kernel_initializer=name),
    lambda name: Dense(200, kernel_initializer=name),
]


def kernels(layer: Layer) -> list[nn.Module]:
    torch.manual_seed(0)
    shape = Shape.of(300) if isinstance(layer, Dense) else IMAGE
    return [module for _, module in layer.build(shape) if isinstance(module, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("make", INITIALIZED, ids=["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"])
@pytest.mark.parametrize(
    ("name", "spread"),
    [
        ("glorot_uniform", lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5),
        ("glorot_normal", lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5),
        ("he_uniform", lambda fan_in, fan_out: (2 / fan_in) ** 0.5),
        ("he_normal", lambda fan_in, fan_out: (2 / fan_in) ** 0.5),
    ],
)
def test_initial_weights_have_the_standard_deviation_of_the_papers(
    make: Callable[[str], Layer], name: str, spread: Callable[[int, int], float]
) -> None:
    for module in kernels(make(name)):
        weights = module.weight.detach()
        fan_in, fan_out = weights[0].numel(), weights.numel() // weights.shape[1]
        expected = spread(fan_in, fan_out)
        assert weights.std().item() == pytest.approx(expected, rel=0.1)
        assert abs(weights.mean().item()) < 0.1 * expected
        # A uniform distribution ends at sqrt(3) standard deviations, a normal one does not.
        assert (weights.abs().max().item() <= 3**0.5 * expected * 1.001) == name.endswith("uniform")
        assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize("make", INITIALIZED, ids=["Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"])
def test_orthogonal_weights_are_orthogonal_and_zeros_are_zero(
    make: Callable[[str], Layer],
) -> None:
    for module in kernels(make("orthogonal")):
        rows = module.weight.detach().flatten(1)
        product = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
        torch.testing.assert_close(product, torch.eye(len(product)), atol=1e-5, rtol=0)
    for module in kernels(make("zeros")):
        assert not module.weight.any()
        assert module.bias is None or not module.bias.any()


def test_auto_is_the_default_of_torch() -> None:
    torch.manual_seed(0)
    expected = nn.Conv2d(16, 64, 3)
    (found,) = kernels(Conv2D(64))
    assert torch.equal(found.weight, expected.weight)
    assert torch.equal(found.bias, expected.bias)


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(16, padding="same", kernel_initializer="dirac"),
        Conv2D(40, padding="same", kernel_initializer="dirac"),
        Conv2D(16, padding="same", groups=4, kernel_initializer="dirac"),
        DepthwiseConv2D(padding="same", kernel_initializer="dirac"),
        SeparableConv2D(16, padding="same", kernel_initializer="dirac"),
    ],
    ids=str,
)
def test_dirac_passes_the_channels_through(layer: Layer) -> None:
    module = nn.Sequential(*(module for _, module in layer.build(IMAGE)))
    images = torch.randn(2, *IMAGE.dims)
    with torch.no_grad():
        torch.testing.assert_close(module(images)[:, :16], images)


def test_filters_beyond_the_number_of_channels_are_random_with_dirac() -> None:
    (module,) = kernels(Conv2D(40, kernel_initializer="dirac"))
    assert (module.weight[16:].flatten(1).std(1) > 0.01).all()
    (grouped,) = kernels(Conv2D(32, groups=4, kernel_initializer="dirac"))
    assert (grouped.weight.unflatten(0, (4, 8))[:, 4:].std((2, 3, 4)) > 0.01).all()


@pytest.mark.parametrize("kind", [BatchNormalization, GroupNormalization, LayerNormalization])
@pytest.mark.parametrize("shape", [IMAGE, Shape.of(16)], ids=["image", "flat"])
def test_scale_and_offset_are_trainable_only_if_enabled(
    kind: type[BatchNormalization | GroupNormalization | LayerNormalization], shape: Shape
) -> None:
    for center in (True, False):
        for scale in (True, False):
            ((_, module),) = kind(center=center, scale=scale).build(shape)
            learned = {name for name, weights in module.named_parameters() if weights.requires_grad}
            assert learned == {name for name, on in (("weight", scale), ("bias", center)) if on}


def test_layer_normalization_normalizes_each_position_separately() -> None:
    ((_, module),) = LayerNormalization(epsilon=1e-12).build(IMAGE)
    images = torch.randn(2, *IMAGE.dims) * 7 + 3
    found = module(images)
    torch.testing.assert_close(found.mean(1), torch.zeros(2, 8, 8), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.var(1, correction=0), torch.ones(2, 8, 8))


def test_whitened_patches_have_equal_variance_in_every_direction() -> None:
    shape = Shape.of(2, 12, 12)
    ((_, module),) = Whitening((2, 3), epsilon=1e-12).build(shape)
    noise = torch.randn(400, 2, 12, 12, generator=torch.Generator().manual_seed(1))
    # Correlated neighbors and channels, as in images.
    images = noise + noise.roll(1, 3) + noise.flip(1) * 0.5
    module.initialize_from(images.split(64))
    with torch.no_grad():
        found = module(images)
    count = 2 * 2 * 3
    assert found.shape == (400, 2 * count, 11, 10)
    values = found.movedim(1, 0).flatten(1)
    torch.testing.assert_close(values[count:], -values[:count])
    moments = values[:count] @ values[:count].T / values.shape[1]
    torch.testing.assert_close(moments, torch.eye(count), atol=2e-3, rtol=0)


def test_whitening_filters_are_sorted_by_variance() -> None:
    ((_, module),) = Whitening((1, 1), epsilon=1e-12).build(Shape.of(3, 8, 8))
    images = torch.randn(50, 3, 8, 8) * torch.tensor([1.0, 10.0, 0.1]).view(3, 1, 1)
    module.initialize_from([images])
    strongest = module.weight.flatten(1).abs().argmax(1)
    assert strongest.tolist() == [1, 0, 2] * 2


def test_whitening_trains_only_its_bias_and_accepts_constant_images() -> None:
    ((_, module),) = Whitening().build(Shape.of(3, 8, 8))
    module.initialize_from([torch.zeros(4, 3, 8, 8)])
    assert torch.isfinite(module.weight).all()
    learned = {name for name, weights in module.named_parameters() if weights.requires_grad}
    assert learned == {"bias"}
    assert not module.bias.any()


def test_the_generated_whitening_computes_the_same_weights() -> None:
    layer, shape = Whitening((2, 3), use_bias=False), Shape.of(3, 8, 8)
    names = {"torch": torch, "nn": nn}
    exec(layer.pytorch_helper, names)
    ((_, module),), ((_, code),) = layer.build(shape), layer.pytorch_code(shape)
    written = eval(code, names)
    images = torch.randn(50, *shape.dims)
    for each in (module, written):
        each.initialize_from(images.split(20))
    assert torch.equal(written.weight, module.weight)
