"""Averages of the weights."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import Tensor

from cnnstudio.training.model import Model, build_model
from cnnstudio.training.optimization.weight_averaging import Lookahead, WeightEma, make_ema
from cnnstudio.training.recipe.built_in import LESSON
from tests.training.networks import tiny

STEPS = 12


def make() -> Model:
    torch.manual_seed(0)
    return build_model(tiny())


def randomize(model: Model, seed: int) -> dict[str, Tensor]:
    """Changes every weight and statistic, as a step does; returns the new values."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.randn(value.shape, generator=random))
            else:
                value.fill_(seed)
    return copied(model)


def copied(model: Model) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], rtol=1e-4, atol=1e-5)


def test_there_is_no_average_unless_the_recipe_asks_for_it() -> None:
    model = make()
    assert make_ema(LESSON, model, STEPS) is None
    assert type(make_ema(LESSON.replace(average_decay=0.9), model, STEPS)) is WeightEma
    assert isinstance(make_ema(LESSON.replace(lookahead=True), model, STEPS), Lookahead)


@pytest.mark.parametrize("decay", [0.2, 0.999])
def test_the_average_follows_its_formula(decay: float) -> None:
    model = make()
    expected = copied(model)
    ema = WeightEma(model, decay)
    for step in range(1, STEPS):
        now = randomize(model, step)
        effective = min(decay, (1 + step) / (10 + step))
        expected = {
            name: effective * expected[name] + (1 - effective) * value if value.is_floating_point() else value
            for name, value in now.items()
        }
        ema.update()
    assert_same(ema.weights(), expected)


def test_running_statistics_are_averaged_and_counters_are_copied() -> None:
    model = make()
    ema = WeightEma(model, 0.5)
    randomize(model, 4)
    ema.update()
    weights, now = ema.weights(), model.state_dict()
    (mean,) = (name for name in now if name.endswith("running_mean"))
    (counter,) = (name for name in now if name.endswith("num_batches_tracked"))
    assert not torch.equal(weights[mean], now[mean])
    assert weights[counter] == now[counter] == 4


def test_the_model_has_the_average_inside_the_context_and_its_own_weights_afterwards() -> None:
    model = make()
    ema = WeightEma(model, 0.5)
    own = randomize(model, 1)
    ema.update()
    with contextlib.suppress(KeyError), ema.in_model():
        assert_same(dict(model.state_dict()), ema.weights())
        raise KeyError
    for name, value in model.state_dict().items():
        assert torch.equal(value, own[name])


@pytest.mark.parametrize("kind", [{"average_decay": 0.7}, {"lookahead": True}])
def test_an_average_continues_exactly_from_its_saved_state(kind: dict[str, object]) -> None:
    recipe, model, other = LESSON.replace(**kind), make(), make()
    whole, first = make_ema(recipe, model, STEPS), make_ema(recipe, other, STEPS)
    assert whole is not None
    assert first is not None
    for step in range(7):
        for each, ema in ((model, whole), (other, first)):
            randomize(each, step)
            ema.update()
    second = make_ema(recipe, other, STEPS)
    assert second is not None
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    for step in range(7, STEPS):
        for each, ema in ((model, whole), (other, second)):
            randomize(each, step)
            ema.update()
    for name, value in whole.weights().items():
        assert torch.equal(value, second.weights()[name])


def test_state_names_of_an_average_differ_from_weight_names() -> None:
    model = make()
    assert not WeightEma(model, 0.5).state_dict().keys() & model.state_dict().keys()


def test_missing_averages_start_from_the_model() -> None:
    model = make()
    ema = WeightEma(model, 0.5)
    randomize(model, 1)
    ema.load_state_dict({})
    assert_same(ema.weights(), dict(model.state_dict()))


def test_lookahead_resets_the_weights_every_five_steps() -> None:
    model = make()
    slow = copied(model)
    lookahead = Lookahead(model, STEPS)
    for step in range(1, STEPS + 1):
        now = randomize(model, step)
        lookahead.update()
        if step % 5 == 0:
            decay = 0.95**5 * (step / STEPS) ** 3
            slow = {
                name: decay * slow[name] + (1 - decay) * value if value.is_floating_point() else value
                for name, value in now.items()
            }
            assert_same(copied(model), slow)
        elif step < STEPS:
            assert_same(copied(model), now)
    # At the end the slow weights are the result.
    assert_same(lookahead.weights(), slow)
