"""Every layer type matches its torch modules: shapes, costs, generated code, training."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip where there is no torch
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from cnnstudio.layers.base import Layer, NamedModules, Shape  # noqa: E402
from tests.layers.cases import LAYERS, taken  # noqa: E402

by_layer = pytest.mark.parametrize("layer", LAYERS, ids=str)


def sequential(modules: NamedModules) -> nn.Sequential:
    """The modules in sequence under their names; the one named "" is called "weights"."""
    return nn.Sequential(OrderedDict((name or "weights", module) for name, module in modules))


def built(layer: Layer, shape: Shape) -> nn.Sequential:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sequential(layer.build(shape))


def batch(shape: Shape, size: int = 3) -> torch.Tensor:
    return torch.randn(size, *shape.dims, generator=torch.Generator().manual_seed(size))


@by_layer
def test_shape_parameters_and_macs_match_torch(layer: Layer) -> None:
    for shape in taken(layer):
        module = built(layer, shape).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            output = module(batch(shape, 1))
        learned = [weights.numel() for weights in module.parameters() if weights.requires_grad]
        assert tuple(output.shape[1:]) == layer.output_shape(shape).dims
        assert sum(learned) == layer.parameter_count(shape)
        assert counter.get_total_flops() == 2 * layer.macs(shape)


@by_layer
def test_the_generated_code_builds_the_same_module(layer: Layer) -> None:
    for shape in taken(layer):
        modules, code = layer.build(shape), layer.pytorch_code(shape)
        assert [name for name, _ in code] == [name for name, _ in modules]
        assert len({name for name, _ in code}) == len(code)
        drawn = sequential(modules)
        names = names_for(layer)
        written = sequential([(name, eval(expression, names)) for name, expression in code])
        written.load_state_dict(drawn.state_dict())
        for mode in (True, False):
            # With the same seed, dropout drops the same values.
            expected, found = (run(module.train(mode), shape) for module in (drawn, written))
            assert torch.equal(found, expected)
        kept = drawn.state_dict()
        assert all(torch.equal(value, kept[name]) for name, value in written.state_dict().items())
        assert trained(written) == trained(drawn)


def names_for(layer: Layer) -> dict[str, Any]:
    """The names its code may use: torch, nn and the helpers that it declares."""
    names: dict[str, Any] = {"torch": torch, "nn": nn}
    for source in layer.pytorch_helpers():
        exec(source, names)
    return names


def trained(module: nn.Module) -> list[str]:
    return [name for name, weights in module.named_parameters() if weights.requires_grad]


def run(module: nn.Module, shape: Shape) -> torch.Tensor:
    torch.manual_seed(2)
    with torch.no_grad():
        return module(batch(shape))


@by_layer
def test_the_module_accepts_channels_last_and_returns_finite_values(layer: Layer) -> None:
    for shape in taken(layer):
        module, images = built(layer, shape).eval(), batch(shape)
        expected = module(images)
        assert torch.isfinite(expected).all()
        if shape.is_image:
            module = module.to(memory_format=torch.channels_last)
            other = module(images.to(memory_format=torch.channels_last))
            torch.testing.assert_close(other, expected)


@by_layer
def test_the_module_can_be_trained_in_bfloat16(layer: Layer) -> None:
    shape = taken(layer)[0]
    module = built(layer, shape).train()
    images = batch(shape, 4).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = module(images)
    assert found.shape[1:] == layer.output_shape(shape).dims
    found.float().sum().backward()
    assert all(
        torch.isfinite(weights.grad).all() for weights in module.parameters() if weights.grad is not None
    )


TRAINABLE = [
    layer
    for layer in LAYERS
    if layer.parameter_count(taken(layer)[0])
    # If all weights are zero, a relu after them has no gradient.
    if getattr(layer, "kernel_initializer", "auto") != "zeros"
]


@pytest.mark.parametrize("layer", TRAINABLE, ids=str)
def test_a_gradient_step_lowers_the_loss(layer: Layer) -> None:
    shape = taken(layer)[0]
    lone = layer.output_shape(shape).channels == 1 and getattr(layer, "activation", "") == "softmax"
    torch.manual_seed(0)
    module = built(layer, shape).double()
    images, target = batch(shape, 16).double(), batch(layer.output_shape(shape), 16).double() + 1
    before = nn.functional.mse_loss(module(images), target)
    before.backward()
    learned = [weights for weights in module.parameters() if weights.requires_grad]
    slope = sum(float(weights.grad.square().sum()) for weights in learned)
    # For a step this small the loss is practically linear, so it has to fall.
    torch.optim.SGD(learned, lr=1e-4).step()
    after = nn.functional.mse_loss(module(images), target)
    # A softmax over a single value is always 1, whatever the weights are.
    assert lone or (slope > 0 and after.item() < before.item())


def test_every_type_with_weights_is_covered_by_the_gradient_test() -> None:
    weighty = {type(layer) for layer in LAYERS if any(map(layer.parameter_count, taken(layer)))}
    assert {type(layer) for layer in TRAINABLE} == weighty
    assert len(weighty) >= 3
