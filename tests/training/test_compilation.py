"""The choice of a compilation mode by a trial; here with a fake compiler and a fake clock."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnstudio.training import compilation, run_state
from cnnstudio.training.compilation import ForwardFunction, compile_if_faster, compile_model
from cnnstudio.training.hardware.torch_state import fast_kernels
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

PLAIN, COMPILED, WITH_GRAPHS = 1.0, 0.5, 0.25
"""Seconds of a step in each mode."""


class FakeCompiler:
    """A compiler with a clock that each forward pass advances by the time that its mode takes."""

    def __init__(self, preparing: float = 10.0, fails: bool = False) -> None:
        self.now = 0.0
        self.preparing = preparing
        self.fails = fails
        self.made: list[tuple[Model, Mapping[str, Any]]] = []

    def clock(self) -> float:
        return self.now

    def compile(self, model: Model, arguments: Mapping[str, Any]) -> ForwardFunction:
        self.made.append((model, arguments))
        if self.fails and arguments:
            raise RuntimeError("no compiler here")
        seconds = WITH_GRAPHS if arguments else COMPILED
        self.now += self.preparing

        def forward(images: Tensor) -> Tensor:
            # The model inside advances the clock as well.
            self.now += seconds - PLAIN
            logits: Tensor = model(images)
            return logits

        return forward


@pytest.fixture
def training_step() -> TrainingStep:
    torch.manual_seed(0)
    return TrainingStep(build_model(tiny(dropout=True)), LESSON)


def choose(
    compiler: FakeCompiler, training_step: TrainingStep, steps: int, monkeypatch: pytest.MonkeyPatch
) -> ForwardFunction:
    forward = Model.forward

    def timed(self: Model, x: Tensor) -> Tensor:
        compiler.now += PLAIN
        return forward(self, x)

    monkeypatch.setattr(Model, "forward", timed)
    images, labels = torch.ones(6, 3, 8, 8), torch.arange(6) % 3
    return compile_if_faster(
        training_step, images, labels, steps, compile=compiler.compile, clock=compiler.clock
    )


def test_a_long_run_uses_the_fastest_mode(
    training_step: TrainingStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = FakeCompiler()
    chosen = choose(compiler, training_step, 1000, monkeypatch)
    assert chosen is not training_step.model
    assert compiler.made[-1] == (training_step.model, compilation.COMPILE_MODES["compiled, with CUDA graphs"])


def test_a_mode_that_fails_is_skipped(training_step: TrainingStep, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = FakeCompiler(fails=True)
    choose(compiler, training_step, 1000, monkeypatch)
    assert [arguments for model, arguments in compiler.made if model is training_step.model] == [{}]


@pytest.mark.parametrize(("steps", "preparing"), [(100, 1.0), (1000, 2000.0)])
def test_a_run_that_would_not_gain_is_not_compiled(
    training_step: TrainingStep, monkeypatch: pytest.MonkeyPatch, steps: int, preparing: float
) -> None:
    compiler = FakeCompiler(preparing)
    assert choose(compiler, training_step, steps, monkeypatch) is training_step.model


def test_the_trial_changes_neither_weights_nor_random_numbers(
    training_step: TrainingStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, numbers = copy.deepcopy(training_step.model.state_dict()), torch.get_rng_state()
    choose(FakeCompiler(), training_step, 1000, monkeypatch)
    for name, value in training_step.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), numbers)


def test_a_compiled_model_gives_the_same_steps(training_step: TrainingStep) -> None:
    torch.manual_seed(1)
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    plain = TrainingStep(copy.deepcopy(training_step.model), LESSON)
    # With this backend torch traces the forward and backward pass as usual, but does not compile them.
    training_step.forward = compile_model(training_step.model, {"backend": "aot_eager"})
    for each in (plain, training_step):
        each.model.train()
        torch.manual_seed(2)
        for _ in range(2):
            each.backward(images, labels)
            each.update()
    for name, value in training_step.model.state_dict().items():
        torch.testing.assert_close(value, plain.model.state_dict()[name], rtol=1e-4, atol=1e-5)


def test_a_run_uses_the_chosen_forward_function(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def chosen(
        training_step: TrainingStep, images: Tensor, labels: Tensor, steps: int
    ) -> Callable[[Tensor], Tensor]:
        def forward(images: Tensor) -> Tensor:
            seen.append(len(images))
            logits: Tensor = training_step.model(images)
            return logits

        assert steps == 6
        return forward

    monkeypatch.setattr(run_state, "_COMPILING_DEVICES", frozenset({"cpu"}))
    monkeypatch.setattr(run_state, "compile_if_faster", chosen)
    recipe, listener = Recipe(epochs=2, batch_size=32), Listener()
    train(tiny(), colors(), recipe, device="cpu", emit=listener)
    assert seen == [32] * 6
    monkeypatch.undo()
    plain = Listener()
    train(tiny(), colors(), recipe, device="cpu", emit=plain)
    assert listener.losses() == plain.losses()


def test_fast_kernels_are_set_for_cuda_and_restored() -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    with fast_kernels(torch.device("cuda")):
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == ("high", True)
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before
    with fast_kernels(torch.device("cpu")):
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark) == before
