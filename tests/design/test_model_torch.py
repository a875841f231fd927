"""What the analysis says of whole networks is what the trained model is: shapes, weights, multiply-adds."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hypothesis import assume, given, settings  # noqa: E402  # after the skip where there is no torch
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from cnnstudio.design.analysis.analysis import analyze  # noqa: E402
from cnnstudio.design.network import Network  # noqa: E402
from cnnstudio.design.quick_fixes import fixed  # noqa: E402
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
from tests.design.builders import Item, network, off  # noqa: E402
from tests.strategies import networks  # noqa: E402

SAME = Conv2D(6, padding="same")
HALVING = Conv2D(6, padding="same", strides=(2, 2))
PROJECTION = Residual(shortcut="projection")
HEAD = (Flatten(), Dense(10, "softmax"))


def compare(value: Network) -> None:
    """The model against the analysis, in total, layer by layer and copy by copy."""
    analysis = analyze(value, classes=10)
    assert analysis.problems == ()
    model = build_model(value).eval()
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
        own = [weights for name, weights in trained.items() if belongs(name, node.id)]
        assert sum(weights.numel() for weights in own) == report.parameters, node.id
        in_repeat = any(value.node(each).layer.copies() > 1 for each in value.ancestors(node.id))
        if node.id in outputs and not in_repeat and node is not value.nodes[-1]:
            assert tuple(outputs[node.id].shape[1:]) == report.output.dims, node.id


def belongs(name: str, node_id: str) -> bool:
    """Whether a weight is of this node, or of what is in it."""
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
        (SAME, (Residual(),), (Repeat(4),), (PROJECTION, (Repeat(2),), off(SAME)), *HEAD),
        (SAME, off((PROJECTION, HALVING)), (Residual(), off(HALVING), SAME), off(Dropout()), *HEAD),
        ((Repeat(2), (PROJECTION, (Repeat(3), off(SAME)))), Conv2D(2), *HEAD),
        ((Parallel(), SAME, (Block(),), (Block(), Conv2D(2, (1, 1)), SAME), off(SAME)), *HEAD),
        ((Parallel("add"), SAME, (Block(), Conv2D(6, (1, 1)), SAME)), *HEAD),
        ((Repeat(3), (Parallel(), (Block(),), Conv2D(2, padding="same"))), *HEAD),
        (Flatten(), (Parallel(), Dense(4), (Block(), off(Dense(3)))), Dense(10)),
        (SAME, (Parallel(), (PROJECTION, HALVING), (Repeat(1), HALVING), off((Block(), SAME))), *HEAD),
        (SAME, (Parallel(), (Repeat(2),), (Residual(),)), (Block(), (Block(), *HEAD)), off(Dense(3))),
        ((Repeat(2), Conv2D(4, (2, 2), (1, 1), "same", (2, 3), 1, "gelu", False)), *HEAD, off(Dense(3))),
    ],
    ids=str,
)
def test_drawn_groups_are_the_built_ones(items: list[Item]) -> None:
    compare(network(*items, input=(3, 13, 12)))


def whole(value: Network) -> Network | None:
    """The network with all fixes; None where something is left that has to be fixed by hand."""
    for _ in range(4 * len(value) + 6):
        problems = analyze(value, classes=10).problems
        if not problems:
            return value
        if problems[0].fix is None:
            return None
        value = fixed(value, problems[0])
    return None


@settings(max_examples=40)
@given(networks(most=5, largest=5))
def test_any_network_without_problems_is_built_as_analyzed(value: Network) -> None:
    repaired = whole(value)
    assume(repaired is not None)
    compare(repaired)
