"""The memory estimate compared with what torch saves for the backward pass."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.autograd.graph import saved_tensors_hooks  # noqa: E402  # after the skip where there is no torch

from cnnstudio.design.analysis.analysis import analyze  # noqa: E402
from cnnstudio.design.analysis.memory_estimate import estimate_memory  # noqa: E402
from cnnstudio.design.templates import template  # noqa: E402
from cnnstudio.layers.basic.dense import Dense  # noqa: E402
from cnnstudio.layers.basic.flatten import Flatten  # noqa: E402
from cnnstudio.layers.convolutional.conv2d import Conv2D  # noqa: E402
from cnnstudio.layers.groups.block import Block  # noqa: E402
from cnnstudio.layers.groups.parallel import Parallel  # noqa: E402
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D  # noqa: E402
from cnnstudio.training.model import build_model  # noqa: E402
from tests.design.builders import network  # noqa: E402

SAME = Conv2D(6, padding="same", activation="relu")
NETWORKS = [
    template("lesson-32").network,
    template("lenet-5").network,
    network(SAME, (Parallel(), SAME, (Block(), SAME, SAME)), SAME, MaxPooling2D(), Flatten(), Dense(10)),
    network(Conv2D(6, activation="gelu"), Conv2D(6, activation="elu"), Flatten(), Dense(10)),
]


@pytest.mark.parametrize("network_value", NETWORKS, ids=range(len(NETWORKS)))
def test_the_estimate_matches_what_torch_saves(network_value: Any) -> None:
    model = build_model(network_value).train()
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage
        return tensor

    images = torch.randn(4, *network_value.input.dims)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        scores = model(images)
        torch.nn.functional.cross_entropy(scores, torch.zeros(4, dtype=torch.long))
    measured = sum(storage.nbytes() for place, storage in kept.items() if place not in weights)
    estimated = estimate_memory(analyze(network_value), 4, 2).activations
    assert estimated == pytest.approx(measured, rel=0.05)
