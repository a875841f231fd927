"""A graphics card's ways to the same steps, tried out; here with a device and a clock that are made up."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnstudio.training import compilation as acceleration
from cnnstudio.training import run_state
from cnnstudio.training.compilation import Forward, compiled, quickest
from cnnstudio.training.hardware.torch_state import quick_kernels
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.recipe.recipe import LESSON, Recipe
from cnnstudio.training.train_step import Learner
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

PLAIN, JOINED, GRAPHS = 1.0, 0.5, 0.25
"""Seconds of a step each way."""


class World:
    """A clock that goes on with each forward pass, by how long that way takes."""

    def __init__(self, preparing: float = 10.0, fails: bool = False) -> None:
        self.now = 0.0
        self.preparing = preparing
        self.fails = fails
        self.made: list[tuple[Model, Mapping[str, Any]]] = []

    def clock(self) -> float:
        return self.now

    def compile(self, model: Model, arguments: Mapping[str, Any]) -> Forward:
        self.made.append((model, arguments))
        if self.fails and arguments:
            raise RuntimeError("no compiler here")
        seconds = GRAPHS if arguments else JOINED
        self.now += self.preparing

        def forward(images: Tensor) -> Tensor:
            # The model itself takes its time, too.
            self.now += seconds - PLAIN
            logits: Tensor = model(images)
            return logits

        return forward


@pytest.fixture
def learner() -> Learner:
    torch.manual_seed(0)
    return Learner(build_model(tiny(dropout=True)), LESSON)


def choose(world: World, learner: Learner, steps: int, monkeypatch: pytest.MonkeyPatch) -> Forward:
    forward = Model.forward

    def timed(self: Model, x: Tensor) -> Tensor:
        world.now += PLAIN
        return forward(self, x)

    monkeypatch.setattr(Model, "forward", timed)
    images, labels = torch.ones(6, 3, 8, 8), torch.arange(6) % 3
    return quickest(learner, images, labels, steps, compile=world.compile, clock=world.clock)


def test_a_long_run_takes_the_way_that_is_over_soonest(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    chosen = choose(world, learner, 1000, monkeypatch)
    assert chosen is not learner.model
    assert world.made[-1] == (learner.model, acceleration.WAYS["compiled, with CUDA graphs"])


def test_a_way_that_does_not_work_here_is_passed_over(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(fails=True)
    choose(world, learner, 1000, monkeypatch)
    assert [arguments for model, arguments in world.made if model is learner.model] == [{}]


@pytest.mark.parametrize(("steps", "preparing"), [(100, 1.0), (1000, 2000.0)])
def test_a_run_that_would_not_gain_stays_as_it_is(
    learner: Learner, monkeypatch: pytest.MonkeyPatch, steps: int, preparing: float
) -> None:
    world = World(preparing)
    assert choose(world, learner, steps, monkeypatch) is learner.model


def test_the_trial_leaves_weights_and_random_numbers_alone(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, numbers = copy.deepcopy(learner.model.state_dict()), torch.get_rng_state()
    choose(World(), learner, 1000, monkeypatch)
    for name, value in learner.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), numbers)


def test_a_compiled_model_gives_the_same_answers_and_gradients(learner: Learner) -> None:
    torch.manual_seed(1)
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    plain = Learner(copy.deepcopy(learner.model), LESSON)
    # With this backend torch follows the program and its way back as always, and leaves out the compiler.
    learner.forward = compiled(learner.model, {"backend": "aot_eager"})
    for each in (plain, learner):
        each.model.train()
        torch.manual_seed(2)
        for _ in range(2):
            each.backward(images, labels)
            each.update()
    for name, value in learner.model.state_dict().items():
        torch.testing.assert_close(value, plain.model.state_dict()[name], rtol=1e-4, atol=1e-5)


def test_a_run_is_trained_the_way_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def chosen(learner: Learner, images: Tensor, labels: Tensor, steps: int) -> Callable[[Tensor], Tensor]:
        def forward(images: Tensor) -> Tensor:
            seen.append(len(images))
            logits: Tensor = learner.model(images)
            return logits

        assert steps == 6
        return forward

    monkeypatch.setattr(run_state, "_WORTH_A_TRIAL", frozenset({"cpu"}))
    monkeypatch.setattr(run_state, "quickest", chosen)
    recipe, heard = Recipe(epochs=2, batch_size=32), Listener()
    train(tiny(), colors(), recipe, device="cpu", emit=heard)
    assert seen == [32] * 6
    monkeypatch.undo()
    plain = Listener()
    train(tiny(), colors(), recipe, device="cpu", emit=plain)
    assert heard.losses() == plain.losses()


def test_a_graphics_card_has_its_quick_kernels_while_it_trains_and_not_after() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    with quick_kernels(torch.device("cuda")):
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == ("high", True)
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before
    with quick_kernels(torch.device("cpu")):
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before
