"""Fakes that the tests of the window share: a session without a training, and a network to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnstudio.design.network import Network, Node
from cnnstudio.gui.compute.session import State, TrainingSession
from cnnstudio.gui.compute.training_request import TrainingRequest
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import image_folder as image_folder

TINY = Network(
    input=Shape.of(3, 8, 8),
    nodes=(
        Node("conv2d_1", Conv2D(filters=4, activation="relu")),
        Node("flatten_1", Flatten()),
        Node("dense_1", Dense(units=2)),
    ),
    name="Tiny",
)


class FakeSession(TrainingSession):
    """A session that never starts its thread and records its calls; the test sets its state."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[object] = []
        self.watched: tuple[str, int] | None = None

    def show_state(self, state: State) -> None:
        self._set_state(state)

    def start(
        self,
        network: Network,
        dataset_name: str,
        recipe: Recipe,
        seeds: int = 1,
        weights: str | None = None,
    ) -> None:
        more = [*([seeds] if seeds > 1 else []), *([] if weights is None else [weights])]
        self.calls.append((network, dataset_name, recipe, *more))

    def start_row(self, requests: Sequence[TrainingRequest]) -> None:
        self.calls.append(list(requests))

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def stop(self) -> None:
        self.calls.append("stop")

    def step(self) -> None:
        self.calls.append("step")

    def stop_after_epoch(self) -> None:
        self.calls.append("stop after epoch")

    def change(self, **fields: Any) -> None:
        super().change(**fields)
        self.calls.append(fields)

    def continue_with(self, network: Network, dataset_name: str, recipe: Recipe) -> None:
        self.calls.append(("continue", network, dataset_name, recipe))

    def watch(self, node_id: str, image: int) -> None:
        self.watched = (node_id, image)

    def unwatch(self) -> None:
        self.watched = None
