"""The locked beginning of a network, computed once: the same as computing it with every step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.layers.activations import ACTIVATIONS
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.basic.scale import Scale
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.depthwise_conv2d import DepthwiseConv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.training.evaluation import evaluation_mode
from cnnstudio.training.frozen.folding import folded
from cnnstudio.training.frozen.frozen_part import FrozenPart, RestOfModel, frozen_length
from cnnstudio.training.model import LayerSequence, Model, build_model
from tests.training.networks import network, small_resnet, tiny


def _with_statistics(model: Model) -> Model:
    """The model with weights and running statistics as after some training."""
    random = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value, low in ((module.running_mean, -1.0), (module.running_var, 0.3)):
                assert value is not None
                value.uniform_(low, low + 2, generator=random)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5, generator=random)
                nn.init.uniform_(module.bias, -0.5, 0.5, generator=random)
    return model.eval()


@pytest.mark.parametrize("activation", ["relu6", "relu", "leaky_relu"])
def test_folding_normalizations_changes_nothing_but_the_speed(activation: str) -> None:
    assert activation in ACTIVATIONS
    convolution = Conv2D(6, padding="same", strides=(2, 2), use_bias=False)
    model = _with_statistics(
        build_model(
            network(
                *(convolution, BatchNormalization(), Activation(activation)),
                *(DepthwiseConv2D(padding="same"), BatchNormalization(scale=False), Activation(activation)),
                *(Conv2D(4), BatchNormalization(center=False, scale=False), Flatten(), Dense(3)),
                input=Shape.of(3, 17, 16),
            )
        )
    )
    faster = folded(model)
    assert not [each for each in faster.modules() if isinstance(each, nn.BatchNorm2d)]
    images = torch.randn(3, 3, 17, 16)
    with torch.inference_mode():
        assert torch.allclose(faster(images), model(images), atol=1e-5)
    assert [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", ["resnet", "mobilenet"])
def test_folding_inside_groups_changes_nothing(name: str) -> None:
    design = small_resnet() if name == "resnet" else template("mobilenet-small").network
    model = _with_statistics(build_model(design))
    images = torch.randn(2, *design.input.dims)
    before = images.clone()
    with torch.inference_mode():
        assert torch.allclose(folded(model)(images), model(images), atol=1e-4)
    assert torch.equal(images, before)


def test_the_beginning_ends_where_something_learns_or_is_random() -> None:
    def names(design: Network) -> tuple[str, ...]:
        model = build_model(design)
        return model.run_order[: frozen_length(model)]

    assert names(tiny()) == ()
    assert names(edits.set_trainable(tiny(), ["conv2d_1"], False)) == ("conv2d_1",)
    two = edits.set_trainable(tiny(dropout=True), ["conv2d_1", "batch_normalization_1", "conv2d_2"], False)
    assert names(two)[0] == "conv2d_1"
    assert names(two)[-1].startswith("flatten")
    # A later layer that is locked does not make a beginning, and neither do layers without weights.
    assert names(edits.set_trainable(tiny(), ["conv2d_2"], False)) == ()
    first = network(Dropout(0.5), Conv2D(4), Flatten(), Dense(3))
    assert names(edits.set_trainable(first, ["conv2d_1"], False)) == ()


def test_beginning_and_rest_together_are_the_model() -> None:
    design = edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1"], False)
    model = _with_statistics(build_model(design))
    length = frozen_length(model)
    images = torch.randn(4, 3, 8, 8)
    part, rest = FrozenPart(model, length), RestOfModel(model, length)
    with torch.inference_mode():
        assert torch.allclose(rest(part(images)), model(images), atol=1e-5)


def test_evaluating_the_rest_leaves_all_modules_in_the_mode_that_they_had() -> None:
    # The second normalization is locked behind a layer that learns, so that it belongs to the rest.
    layers = Conv2D(4), Conv2D(4), BatchNormalization(), Flatten(), Dense(3)
    design = network(*layers, input=Shape.of(3, 8, 8))
    model = build_model(edits.set_trainable(design, ["conv2d_1", "batch_normalization_1"], False))
    rest = RestOfModel(model, frozen_length(model))
    before = {name: module.training for name, module in model.named_modules()}
    assert (before["conv2d_2"], before["batch_normalization_1"]) == (True, False)
    with evaluation_mode(rest):
        assert not any(module.training for module in rest.modules())
        assert model.get_submodule("conv2d_1").training, "it does not run, so there is nothing to switch"
    assert {name: module.training for name, module in model.named_modules()} == before


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_the_example_is_like_what_is_computed_of_images(layers: int, half: bool) -> None:
    design = tiny()
    locked = edits.set_trainable(design, [node.id for node in design.nodes[:layers]], False)
    model = build_model(locked)
    part = FrozenPart(model, frozen_length(model), bfloat16=half)
    found, computed = part.example(design.input.dims), part(torch.randn(4, 3, 8, 8))
    assert (found.shape[1:], found.dtype) == (computed.shape[1:], computed.dtype)
    assert model.training


def test_half_precision_is_close_to_full_precision() -> None:
    design = edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1"], False)
    model = _with_statistics(build_model(design))
    images = torch.randn(4, 3, 8, 8)
    exact, half = (FrozenPart(model, 2, bfloat16=each)(images) for each in (False, True))
    assert (exact.dtype, half.dtype) == (torch.float32, torch.bfloat16)
    # bfloat16 has 8 significant bits.
    assert (half - exact).abs().max() < 0.02 * exact.abs().max()


def test_the_key_changes_with_all_that_the_features_depend_on() -> None:
    design = edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1"], False)
    model = build_model(design)
    keys = {FrozenPart(model, 1).key, FrozenPart(model, 2).key, FrozenPart(model, 2, bfloat16=True).key}
    model.set_normalization((0.5,) * 3, (0.25,) * 3)
    keys.add(FrozenPart(model, 2).key)
    with torch.no_grad():
        model.get_parameter("conv2d_1.weight")[0, 0, 0, 0] += 0.5
    keys.add(FrozenPart(model, 2).key)
    assert len(keys) == 5
    assert FrozenPart(model, 2).key in keys


def test_the_key_changes_with_settings_that_no_weight_shows() -> None:
    keys = set()
    for factor in (2.0, 5.0):
        design = network(Conv2D(4), Scale(factor, trainable=False), Flatten(), Dense(3))
        design = edits.set_trainable(design, ["conv2d_1"], False)
        torch.manual_seed(0)
        model = build_model(design)
        assert frozen_length(model) >= 2
        keys.add(FrozenPart(model, 2).key)
    assert len(keys) == 2


def test_the_model_itself_stays_as_it_was() -> None:
    model = build_model(edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1"], False))
    FrozenPart(model, 2)
    assert isinstance(model.get_submodule("batch_normalization_1"), nn.BatchNorm2d)
    assert all(isinstance(each, LayerSequence) for each in model.modules() if hasattr(each, "run_order"))
