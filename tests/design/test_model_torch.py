"""The analysis of whole networks matches the torch model: shapes, weights and MACs."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from hypothesis import assume, given, settings  # noqa: E402  # after the skip where there is no torch
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from cnnstudio.design.analysis.analysis import analyze  # noqa: E402
from cnnstudio.design.network import Network, Node  # noqa: E402
from cnnstudio.design.quick_fixes import apply_fix  # noqa: E402
from cnnstudio.layers.basic.activation import Activation  # noqa: E402
from cnnstudio.layers.basic.dense import Dense  # noqa: E402
from cnnstudio.layers.basic.flatten import Flatten  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.groups.block import Block  # noqa: E402
from cnnstudio.layers.groups.parallel import Parallel  # noqa: E402
from cnnstudio.layers.groups.repeat import Repeat  # noqa: E402
from cnnstudio.layers.groups.residual import Residual  # noqa: E402
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization  # noqa: E402
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D  # noqa: E402
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D  # noqa: E402
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D  # noqa: E402
from cnnstudio.layers.regularization.dropout import Dropout  # noqa: E402
from cnnstudio.training.model import build_model  # noqa: E402
from tests.design.builders import Item, disabled, network  # noqa: E402
from tests.strategies import networks  # noqa: E402

SAME = Conv2D(6, padding="same")
HALVING = Conv2D(6, padding="same", strides=(2, 2))
PROJECTION = Residual(shortcut="projection")
HEAD = (Flatten(), Dense(10, "softmax"))


def assert_model_matches_analysis(value: Network) -> None:
    """Compares the model with the analysis, in total and layer by layer, all copies included."""
    analysis = analyze(value, classes=10)
    assert analysis.problems == ()
    model = build_model(value).eval()
    learns = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    assert learns == analysis.trainable_parameters
    model = build_model(without_locks(value)).eval()
    image = torch.randn(1, *value.input.dims)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = model(image)
    trained = {name: weights for name, weights in model.named_parameters() if weights.requires_grad}
    assert tuple(output.shape[1:]) == analysis.output.dims
    assert sum(weights.numel() for weights in trained.values()) == analysis.parameters
    assert counter.get_total_flops() == 2 * analysis.macs
    outputs = model.activations(image)
    for report in analysis.reports:
        node = report.node
        own = [weights for name, weights in trained.items() if belongs_to(name, node.id)]
        assert sum(weights.numel() for weights in own) == report.parameters, node.id
        in_repeat = any(value.node(each).layer.copies() > 1 for each in value.ancestors(node.id))
        if node.id in outputs and not in_repeat and node is not value.nodes[-1]:
            assert tuple(outputs[node.id].shape[1:]) == report.output.dims, node.id


def without_locks(value: Network) -> Network:
    """The same network, of which every layer learns."""

    def unlocked(node: Node) -> Node:
        return dataclasses.replace(node, trainable=True, children=tuple(map(unlocked, node.children)))

    return dataclasses.replace(value, nodes=tuple(map(unlocked, value.nodes)))


def belongs_to(name: str, node_id: str) -> bool:
    """Whether a weight belongs to this node or to something inside it."""
    return any(part == node_id or part.startswith(f"{node_id}_") for part in name.split("."))


@pytest.mark.parametrize(
    "items",
    [
        (Conv2D(6), MaxPooling2D(), BatchNormalization(), Dropout(), *HEAD),
        (SAME, (Residual(), SAME, BatchNormalization(), Activation(), SAME), *HEAD),
        ((PROJECTION, HALVING, SAME), GlobalAveragePooling2D(), Dense(10)),
        ((PROJECTION, Conv2D(6, (1, 1), (3, 2), "same")), *HEAD),
        ((PROJECTION, SAME, AveragePooling2D(padding="same")), *HEAD),
        (GlobalAveragePooling2D(), (PROJECTION, Dense(7, "tanh"), Dense(5)), Dense(10)),
        (Flatten(), Dense(8), (Residual(activation="linear"), Dense(8)), Dense(10)),
        ((Repeat(3), Conv2D(6)), *HEAD),
        ((Repeat(2), Conv2D(6), MaxPooling2D()), *HEAD),
        ((Repeat(1), Conv2D(6)), *HEAD),
        (SAME, (Repeat(3), (Residual(), SAME)), *HEAD),
        ((Repeat(2), (PROJECTION, HALVING), (Repeat(2), (Residual(), SAME))), *HEAD),
        ((PROJECTION, (Repeat(2), HALVING)), *HEAD),
        ((PROJECTION, (PROJECTION, HALVING), (Residual(), SAME)), *HEAD),
        (SAME, (Residual(),), (Repeat(4),), (PROJECTION, (Repeat(2),), disabled(SAME)), *HEAD),
        (
            SAME,
            disabled((PROJECTION, HALVING)),
            (Residual(), disabled(HALVING), SAME),
            disabled(Dropout()),
            *HEAD,
        ),
        ((Repeat(2), (PROJECTION, (Repeat(3), disabled(SAME)))), Conv2D(2), *HEAD),
        ((Parallel(), SAME, (Block(),), (Block(), Conv2D(2, (1, 1)), SAME), disabled(SAME)), *HEAD),
        ((Parallel("add"), SAME, (Block(), Conv2D(6, (1, 1)), SAME)), *HEAD),
        ((Repeat(3), (Parallel(), (Block(),), Conv2D(2, padding="same"))), *HEAD),
        (Flatten(), (Parallel(), Dense(4), (Block(), disabled(Dense(3)))), Dense(10)),
        (SAME, (Parallel(), (PROJECTION, HALVING), (Repeat(1), HALVING), disabled((Block(), SAME))), *HEAD),
        (SAME, (Parallel(), (Repeat(2),), (Residual(),)), (Block(), (Block(), *HEAD)), disabled(Dense(3))),
        ((Repeat(2), Conv2D(4, (2, 2), (1, 1), "same", (2, 3), 1, "gelu", False)), *HEAD, disabled(Dense(3))),
    ],
    ids=str,
)
def test_groups_are_built_as_analyzed(items: list[Item]) -> None:
    assert_model_matches_analysis(network(*items, input=(3, 13, 12)))


def fix_all(value: Network) -> Network | None:
    """The network with all problems fixed; None if one of them has no fix."""
    for _ in range(4 * len(value) + 6):
        problems = analyze(value, classes=10).problems
        if not problems:
            return value
        if problems[0].fix is None:
            return None
        value = apply_fix(value, problems[0])
    return None


@settings(max_examples=40)
@given(networks(most=5, largest=5))
def test_any_network_without_problems_is_built_as_analyzed(value: Network) -> None:
    fixed_network = fix_all(value)
    assume(fixed_network is not None)
    assert_model_matches_analysis(fixed_network)
