"""The range test finds the rates at which a loss falls, and leaves no trace."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cnnstudio.core.progress import Cancelled
from cnnstudio.training.preflight.checks import TrainingError
from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate
from cnnstudio.training.preflight.lr_range import LrRangeTest, LrRangeTestError, rate_at, run_range_test
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe(batch_size=16, epochs=2, learning_rate=0.01)


def prepared(recipe: Recipe = RECIPE) -> PreparedTraining:
    return prepare(tiny(dropout=True), colors(), recipe, "cpu")


def interpolated(losses: dict[float, float]) -> Iterator[tuple[float, float]]:
    """Losses at 100 rates, interpolated linearly over the logarithm of the rate."""
    for step in range(100):
        rate = rate_at(step, 100)
        yield rate, float(np.interp(math.log10(rate), [*map(math.log10, losses)], [*losses.values()]))


def ignore(test: LrRangeTest) -> None:
    """A callback that does nothing."""


def test_the_suggestion_is_within_the_range_where_the_loss_falls() -> None:
    found = run_range_test(interpolated({1e-5: 2.3, 1e-4: 2.3, 1e-1: 0.8, 1.0: 9.0}), 100, ignore)
    assert found.lowest is not None
    assert found.highest is not None
    assert found.suggestion is not None
    assert 1e-4 < found.lowest < 1e-3
    assert 5e-2 < found.highest < 0.5
    assert found.suggestion == pytest.approx(found.highest / 10, rel=0.05)


def test_noise_before_the_fall_does_not_widen_the_range() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 100)
    losses = interpolated({1e-5: 2.3, 1e-3: 2.3, 1e-1: 0.8, 1.0: 9.0})
    noisy = ((rate, loss + some) for (rate, loss), some in zip(losses, noise, strict=True))
    found = run_range_test(noisy, 100, ignore)
    assert found.lowest is not None
    assert found.lowest > 5e-4


def test_a_loss_that_never_falls_gives_no_suggestion() -> None:
    found = run_range_test(interpolated({1e-5: 2.3, 1.0: 2.31, 10.0: 2.35}), 100, ignore)
    assert (found.suggestion, found.lowest, found.highest) == (None, None, None)


def test_it_ends_as_soon_as_the_loss_diverges() -> None:
    asked = []

    def losses() -> Iterator[tuple[float, float]]:
        for rate, loss in interpolated({1e-5: 2.3, 1e-2: 1.0, 1e-1: 30.0, 1.0: 300.0}):
            asked.append(rate)
            yield rate, loss

    found = run_range_test(losses(), 100, ignore)
    assert len(asked) == len(found.rates) + 1 < 80
    assert all(map(math.isfinite, found.losses))


def test_a_nan_loss_ends_it_and_is_an_error_at_the_beginning() -> None:
    steps = iter([(1e-5, 2.3), (1e-4, math.nan)])
    with pytest.raises(LrRangeTestError, match="diverges even at the lowest learning rates"):
        run_range_test(steps, 100, ignore)


def test_a_real_network_gets_a_rate_that_learns() -> None:
    reported: list[LrRangeTest] = []
    found = find_learning_rate(prepared(), threads=1, on_step=reported.append)
    assert [len(test.rates) for test in reported] == [*range(1, len(found.rates) + 1)]
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < 1.0
    listener = Listener()
    recipe = RECIPE.replace(learning_rate=found.suggestion, epochs=4)
    assert train_prepared(prepared(recipe), emit=listener, threads=1).outcome == "completed"
    losses = listener.losses()
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])


def test_a_training_afterwards_is_the_same_as_without_it() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    listener = [Listener(), Listener()]
    train_prepared(prepared(), emit=listener[0], threads=1)
    torch.manual_seed(7)
    find_learning_rate(prepared(), threads=1, steps=12)
    assert torch.equal(torch.rand(3), expected)
    train_prepared(prepared(), emit=listener[1], threads=1)
    assert listener[0].losses() == listener[1].losses()


def test_it_can_be_cancelled_at_every_step() -> None:
    reported: list[LrRangeTest] = []
    with pytest.raises(Cancelled):
        find_learning_rate(
            prepared(), threads=1, on_step=reported.append, cancelled=lambda: len(reported) == 4
        )
    assert len(reported) == 4


def test_running_out_of_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(self: TrainingStep, *batch: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(TrainingStep, "backward", exhausted)
    with pytest.raises(TrainingError, match=r"does not have enough memory for batches of 16"):
        find_learning_rate(prepared(), threads=1)
