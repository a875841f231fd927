"""What a training takes of the memory."""

from __future__ import annotations

from cnnstudio.design.analysis.analysis import analyse
from cnnstudio.design.analysis.memory_estimate import batch_memory
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
from tests.design.builders import network, off

SAME = Conv2D(3, padding="same")
PICTURE = 3 * 32 * 32


def test_weights_gradients_and_optimizer_take_the_parameters_several_times() -> None:
    analysis = analyse(network(Flatten(), Dense(10)))
    memory = batch_memory(analysis, 1, 2)
    assert memory.weights == memory.gradients == 4 * 30_730
    assert memory.optimizer == 2 * memory.weights
    assert batch_memory(analysis, 1, 0).optimizer == 0
    assert memory.total == memory.activations + 4 * memory.weights


def test_activations_grow_with_the_batch_and_count_the_pictures_themselves() -> None:
    analysis = analyse(network(SAME, Flatten(), Dense(10)))
    assert analysis.activations == PICTURE + 10
    assert batch_memory(analysis, 1, 2).activations == 4 * (2 * PICTURE + 10)
    assert batch_memory(analysis, 64, 2).activations == 64 * 4 * (2 * PICTURE + 10)


def test_all_copies_and_joins_are_counted() -> None:
    assert analyse(network((Repeat(5), SAME))).activations == 5 * PICTURE
    assert analyse(network((Residual(), SAME))).activations == 2 * PICTURE
    assert analyse(network((Residual(shortcut="projection"), SAME))).activations == 3 * PICTURE
    joined = analyse(network((Parallel(), SAME, (Block(),), (Block(), SAME), off(SAME))))
    assert joined["parallel_1"].output == Shape.of(9, 32, 32)
    assert joined["parallel_1"].activations == joined.activations == (2 + 3) * PICTURE


def test_what_is_not_kept_is_not_counted() -> None:
    for extra in (Flatten(), Activation("relu"), off(SAME)):
        assert analyse(network(SAME, extra)).activations == PICTURE
    assert analyse(network(SAME, Activation("gelu"))).activations == 2 * PICTURE
    assert analyse(network(MaxPooling2D())).activations == 3 * (PICTURE // 4)
