"""The network as a torch module: names, orders, shapes, activations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.interchange.keras.writer import write_model
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.layers.base import Layer, Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from cnnstudio.training.model import build_model
from tests.training.networks import lesson, network, small_resnet

MONOTONIC = ["relu", "leaky_relu", "elu", "sigmoid", "tanh"]


def test_weights_are_named_by_the_id_of_their_node() -> None:
    names = set(build_model(small_resnet()).state_dict())
    assert "conv2d_1.weight" in names
    assert "residual_1.body.conv2d_2.weight" in names
    assert "repeat_1.0.residual_2.body.conv2d_3.weight" in names
    assert "repeat_1.1.residual_2.body.conv2d_3.weight" in names


@pytest.mark.parametrize("design", [lesson(), small_resnet()], ids=["lesson", "resnet"])
def test_the_model_has_as_many_parameters_as_the_analysis_counts(design: Network) -> None:
    model = build_model(design)
    assert sum(parameter.numel() for parameter in model.parameters()) == analyze(design).parameters


def test_the_final_softmax_is_left_to_the_loss() -> None:
    ends = network(Flatten(), Dense(4, activation="softmax"), input=Shape.of(1, 4, 4))
    inside = network(Flatten(), Dense(4, activation="softmax"), Dense(4), input=Shape.of(1, 4, 4))
    assert not any(isinstance(module, nn.Softmax) for module in build_model(ends).modules())
    assert any(isinstance(module, nn.Softmax) for module in build_model(inside).modules())
    assert build_model(ends).network is ends


def test_the_final_softmax_is_found_inside_blocks() -> None:
    ids = IdGenerator()
    inner = ids.node(Block(), children=(ids.node(Flatten()), ids.node(Dense(4, "softmax"))))
    empty = ids.node(Block(), children=(Node("dense_9", Dense(3), enabled=False),))
    design = Network(Shape.of(1, 4, 4), (ids.node(Block(), children=(inner, empty)), ids.node(Block())))
    model = build_model(design)
    assert not any(isinstance(module, nn.Softmax) for module in model.modules())
    assert "from_logits=False" in write_model(design)
    assert "No softmax here" in write_module(design)


def test_activations_include_branches() -> None:
    ids = IdGenerator()
    body = ids.node(Block(), children=(ids.node(Conv2D(5, padding="same")), ids.node(MaxPooling2D((1, 1)))))
    branches = (ids.node(Conv2D(4, padding="same", activation="relu")), body, ids.node(Block()))
    parallel = Node("parallel_1", Parallel(), children=branches)
    design = Network(Shape.of(3, 8, 8), (parallel, ids.node(Flatten()), ids.node(Dense(3))))
    model = build_model(design).eval()
    images = torch.randn(2, 3, 8, 8)
    found = model.activations(images)
    assert set(found) == {node.id for node in design.walk()}
    outputs = [found[branch.id] for branch in branches]
    torch.testing.assert_close(outputs[2], images)
    torch.testing.assert_close(found["parallel_1"], torch.cat(outputs, 1))
    assert "parallel_1.0.conv2d_2.weight" in model.state_dict()


def test_disabled_layers_are_left_out() -> None:
    design = network(Conv2D(4), Flatten(), Dropout(), Dense(3), input=Shape.of(1, 6, 6))
    off = [dataclasses.replace(node, enabled=node.layer != Dropout()) for node in design.nodes]
    inner = Node("dense_9", Dense(3), enabled=False)
    empty = Node("residual_1", Residual(shortcut="projection"), children=(inner,))
    model = build_model(dataclasses.replace(design, nodes=(*off, empty)))
    assert list(model.design_order) == ["conv2d_1", "flatten_1", "dense_1"]


@pytest.mark.parametrize("activation", MONOTONIC)
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pooling_before_the_activation_changes_neither_output_nor_gradient(
    activation: str, padding: str
) -> None:
    layers = [
        *(Conv2D(6, activation=activation), MaxPooling2D((3, 3), (2, 2), padding), BatchNormalization()),
        *(Activation(activation), MaxPooling2D(padding=padding), Flatten(), Dense(5)),
    ]
    design = network(*layers, input=Shape.of(3, 21, 16))
    fast, plain = build_model(design), build_model(design, reorder=False)
    plain.load_state_dict(fast.state_dict())
    assert fast.run_order.index("max_pooling2d_1") < fast.run_order.index("conv2d_1_activation")
    assert fast.run_order.index("max_pooling2d_2") < fast.run_order.index("activation_1_activation")
    assert plain.run_order == plain.design_order == fast.design_order
    images = torch.randn(8, 3, 21, 16)
    for model in (fast, plain):
        model(images).square().sum().backward()
    torch.testing.assert_close(fast.eval()(images), plain.eval()(images))
    for (name, left), right in zip(fast.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("activation", ["gelu", "silu", "softmax"])
def test_a_non_monotonic_activation_stays_before_the_pooling(activation: str) -> None:
    layers = (Conv2D(4, activation=activation), MaxPooling2D(), Flatten(), Dense(3))
    model = build_model(network(*layers, input=Shape.of(1, 8, 8)))
    assert model.run_order == model.design_order


def test_pooling_is_moved_inside_groups_too() -> None:
    ids = IdGenerator()
    inner = (ids.node(Conv2D(4, padding="same", activation="relu")), ids.node(MaxPooling2D()))
    group = Node("residual_1", Residual(shortcut="projection"), children=inner)
    design = Network(Shape.of(3, 8, 8), (group, ids.node(GlobalAveragePooling2D()), ids.node(Dense(3))))
    body = build_model(design).get_submodule("residual_1.body")
    assert body.run_order == ("conv2d_1", "max_pooling2d_1", "conv2d_1_activation")


def test_activations_are_those_of_the_design() -> None:
    design = lesson()
    model = build_model(design).eval()
    images = torch.randn(2, 3, 32, 32)
    found = model.activations(images)
    assert set(found) == {node.id for node in design.nodes}
    for report in analyze(design).reports:
        assert report.output is not None
        assert tuple(found[report.node.id].shape) == (2, *report.output.dims)
    torch.testing.assert_close(found["conv2d_1"], torch.relu(model.get_submodule("conv2d_1")(images)))
    assert found["conv2d_1"].min() == 0
    torch.testing.assert_close(found[design.nodes[-1].id], model(images))


def test_activations_include_groups_and_the_last_copy_of_a_repeat() -> None:
    model = build_model(small_resnet()).eval()
    images = torch.randn(2, 3, 16, 16)
    found = model.activations(images)
    last = model.get_submodule("repeat_1.1.residual_2")
    before = model.activations(images, ["residual_1"])["residual_1"]
    middle = model.get_submodule("repeat_1.0")(before)
    torch.testing.assert_close(found["residual_2"], last(middle))
    torch.testing.assert_close(found["repeat_1"], found["residual_2"])


def test_only_the_requested_activations_are_returned() -> None:
    found = build_model(lesson()).activations(torch.zeros(1, 3, 32, 32), ["conv2d_2", "conv2d_99"])
    assert list(found) == ["conv2d_2"]


def test_activations_leave_no_hooks_behind_even_after_an_error() -> None:
    model = build_model(lesson())
    with pytest.raises(RuntimeError):
        model.activations(torch.zeros(1, 1, 32, 32))
    assert not any(module._forward_hooks for module in model.modules())
    assert model.run_order != model.design_order
    assert model.use_design_order is False


def test_normalize_uses_mean_and_standard_deviation() -> None:
    model = build_model(lesson())
    model.set_normalization([0.5, 0.25, 0.0], [0.5, 0.25, 1.0])
    images = np.full((2, 3, 32, 32), 255, dtype=np.uint8)
    images.flags.writeable = False
    values = model.normalize(images)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values[0, :, 0, 0], torch.tensor([1.0, 3.0, 1.0]))


@pytest.mark.parametrize("layer", [Conv2D(4, activation="relu"), BatchNormalization()])
def test_the_model_has_only_the_weights_of_its_layers(layer: Layer) -> None:
    design = network(layer, Flatten(), Dense(3), input=Shape.of(1, 4, 4))
    owners = {name.split(".")[0] for name in build_model(design).state_dict()}
    assert owners <= {node.id for node in design.nodes}


def test_copies_of_a_repeat_have_separate_weights() -> None:
    ids = IdGenerator()
    group = Node("repeat_1", Repeat(3), children=(ids.node(Dense(4)),))
    model = build_model(Network(Shape.of(1, 2, 2), (ids.node(Flatten()), group)))
    weights = [model.get_submodule(f"repeat_1.{copy}.dense_1").bias for copy in range(3)]
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
