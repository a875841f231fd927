"""The estimate of the memory that training takes."""

from __future__ import annotations

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.analysis.memory_estimate import estimate_memory
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.design.builders import disabled, network

SAME = Conv2D(3, padding="same")
IMAGE = 3 * 32 * 32


def test_weights_gradients_and_optimizer_state_are_multiples_of_the_parameters() -> None:
    analysis = analyze(network(Flatten(), Dense(10)))
    memory = estimate_memory(analysis, 1, 2)
    assert memory.weights == memory.gradients == 4 * 30_730
    assert memory.optimizer == 2 * memory.weights
    assert estimate_memory(analysis, 1, 0).optimizer == 0
    assert memory.total == memory.activations + 4 * memory.weights


def test_activations_scale_with_the_batch_and_include_the_images() -> None:
    analysis = analyze(network(SAME, Flatten(), Dense(10)))
    assert analysis.activations == IMAGE + 10
    assert estimate_memory(analysis, 1, 2).activations == 4 * (2 * IMAGE + 10)
    assert estimate_memory(analysis, 64, 2).activations == 64 * 4 * (2 * IMAGE + 10)


def test_copies_and_joined_outputs_are_counted() -> None:
    assert analyze(network((Repeat(5), SAME))).activations == 5 * IMAGE
    assert analyze(network((Residual(), SAME))).activations == 2 * IMAGE
    assert analyze(network((Residual(shortcut="projection"), SAME))).activations == 3 * IMAGE
    joined = analyze(network((Parallel(), SAME, (Block(),), (Block(), SAME), disabled(SAME))))
    assert joined["parallel_1"].output == Shape.of(9, 32, 32)
    assert joined["parallel_1"].activations == joined.activations == (2 + 3) * IMAGE


def test_values_that_are_not_kept_are_not_counted() -> None:
    for extra in (Flatten(), Activation("relu"), disabled(SAME)):
        assert analyze(network(SAME, extra)).activations == IMAGE
    assert analyze(network(SAME, Activation("gelu"))).activations == 2 * IMAGE
    assert analyze(network(MaxPooling2D())).activations == 3 * (IMAGE // 4)
