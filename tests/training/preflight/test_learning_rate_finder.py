"""The range test finds the rates at which a loss falls, and leaves no trace."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cnnstudio.core.progress import Cancelled
from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate
from cnnstudio.training.preflight.lr_range import RateTest, RateTestError, range_test, rate_at
from cnnstudio.training.preflight.prepare import Prepared, TrainingError, prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import Learner
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe(batch_size=16, epochs=2, learning_rate=0.01)


def prepared(recipe: Recipe = RECIPE) -> Prepared:
    return prepare(tiny(dropout=True), colors(), recipe, "cpu")


def drawn(losses: dict[float, float]) -> Iterator[tuple[float, float]]:
    """Losses at 100 rates, along straight lines between the given ones over the rates' logarithms."""
    for step in range(100):
        rate = rate_at(step, 100)
        yield rate, float(np.interp(math.log10(rate), [*map(math.log10, losses)], [*losses.values()]))


def ignore(test: RateTest) -> None:
    """Nobody listens."""


def test_the_range_is_where_the_loss_falls_and_the_suggestion_lies_in_it() -> None:
    found = range_test(drawn({1e-5: 2.3, 1e-4: 2.3, 1e-1: 0.8, 1.0: 9.0}), 100, ignore)
    assert found.lowest is not None
    assert found.highest is not None
    assert found.suggestion is not None
    assert 1e-4 < found.lowest < 1e-3
    assert 5e-2 < found.highest < 0.5
    assert found.suggestion == pytest.approx(found.highest / 10, rel=0.05)


def test_noise_before_the_fall_does_not_widen_the_range() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 100)
    losses = drawn({1e-5: 2.3, 1e-3: 2.3, 1e-1: 0.8, 1.0: 9.0})
    noisy = ((rate, loss + some) for (rate, loss), some in zip(losses, noise, strict=True))
    found = range_test(noisy, 100, ignore)
    assert found.lowest is not None
    assert found.lowest > 5e-4


def test_a_loss_that_never_falls_gives_no_suggestion() -> None:
    found = range_test(drawn({1e-5: 2.3, 1.0: 2.31, 10.0: 2.35}), 100, ignore)
    assert (found.suggestion, found.lowest, found.highest) == (None, None, None)


def test_it_ends_as_soon_as_the_loss_runs_away() -> None:
    asked = []

    def losses() -> Iterator[tuple[float, float]]:
        for rate, loss in drawn({1e-5: 2.3, 1e-2: 1.0, 1e-1: 30.0, 1.0: 300.0}):
            asked.append(rate)
            yield rate, loss

    found = range_test(losses(), 100, ignore)
    assert len(asked) == len(found.rates) + 1 < 80
    assert all(map(math.isfinite, found.losses))


def test_a_loss_that_is_no_number_ends_it_and_at_once_is_said() -> None:
    steps = iter([(1e-5, 2.3), (1e-4, math.nan)])
    with pytest.raises(RateTestError, match="ran away at the lowest learning rates"):
        range_test(steps, 100, ignore)


def test_a_real_network_gets_a_rate_that_learns() -> None:
    told: list[RateTest] = []
    found = find_learning_rate(prepared(), threads=1, tell=told.append)
    assert [len(test.rates) for test in told] == [*range(1, len(found.rates) + 1)]
    assert found.suggestion is not None
    assert 1e-4 < found.suggestion < 1.0
    heard = Listener()
    recipe = RECIPE.replace(learning_rate=found.suggestion, epochs=4)
    assert train_prepared(prepared(recipe), emit=heard, threads=1).outcome == "completed"
    losses = heard.losses()
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])


def test_the_training_after_it_is_the_same_as_without_it() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    heard = [Listener(), Listener()]
    train_prepared(prepared(), emit=heard[0], threads=1)
    torch.manual_seed(7)
    find_learning_rate(prepared(), threads=1, steps=12)
    assert torch.equal(torch.rand(3), expected)
    train_prepared(prepared(), emit=heard[1], threads=1)
    assert heard[0].losses() == heard[1].losses()


def test_it_can_be_called_off_at_every_step() -> None:
    told: list[RateTest] = []
    with pytest.raises(Cancelled):
        find_learning_rate(prepared(), threads=1, tell=told.append, cancelled=lambda: len(told) == 4)
    assert len(told) == 4


def test_memory_that_runs_out_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(self: Learner, *batch: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Learner, "backward", exhausted)
    with pytest.raises(TrainingError, match=r"too little memory for batches of 16"):
        find_learning_rate(prepared(), threads=1)
