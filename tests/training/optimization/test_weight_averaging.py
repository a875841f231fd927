"""Averages of the weights."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import Tensor

from cnnstudio.training.model import Model, build_model
from cnnstudio.training.optimization.weight_averaging import Lookahead, WeightAverage, make_average
from cnnstudio.training.recipe.recipe import LESSON
from tests.training.networks import tiny

STEPS = 12


def make() -> Model:
    torch.manual_seed(0)
    return build_model(tiny())


def wander(model: Model, seed: int) -> dict[str, Tensor]:
    """Gives every weight and statistic another value, as a step does; what they are now."""
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


def test_there_is_no_average_unless_it_is_asked_for() -> None:
    model = make()
    assert make_average(LESSON, model, STEPS) is None
    assert type(make_average(LESSON.replace(average_decay=0.9), model, STEPS)) is WeightAverage
    assert isinstance(make_average(LESSON.replace(lookahead=True), model, STEPS), Lookahead)


@pytest.mark.parametrize("decay", [0.2, 0.999])
def test_the_average_follows_its_formula(decay: float) -> None:
    model = make()
    expected = copied(model)
    average = WeightAverage(model, decay)
    for step in range(1, STEPS):
        now = wander(model, step)
        share = min(decay, (1 + step) / (10 + step))
        expected = {
            name: share * expected[name] + (1 - share) * value if value.is_floating_point() else value
            for name, value in now.items()
        }
        average.update()
    assert_same(average.weights(), expected)


def test_running_statistics_are_averaged_and_counters_are_taken() -> None:
    model = make()
    average = WeightAverage(model, 0.5)
    wander(model, 4)
    average.update()
    weights, now = average.weights(), model.state_dict()
    (mean,) = (name for name in now if name.endswith("running_mean"))
    (counter,) = (name for name in now if name.endswith("num_batches_tracked"))
    assert not torch.equal(weights[mean], now[mean])
    assert weights[counter] == now[counter] == 4


def test_inside_the_model_has_the_average_and_afterwards_its_own() -> None:
    model = make()
    average = WeightAverage(model, 0.5)
    own = wander(model, 1)
    average.update()
    with contextlib.suppress(KeyError), average.in_model():
        assert_same(dict(model.state_dict()), average.weights())
        raise KeyError
    for name, value in model.state_dict().items():
        assert torch.equal(value, own[name])


@pytest.mark.parametrize("kind", [{"average_decay": 0.7}, {"lookahead": True}])
def test_an_average_goes_on_from_its_tensors_as_if_nothing_had_been(kind: dict[str, object]) -> None:
    recipe, model, other = LESSON.replace(**kind), make(), make()
    whole, first = make_average(recipe, model, STEPS), make_average(recipe, other, STEPS)
    assert whole is not None
    assert first is not None
    for step in range(7):
        for each, average in ((model, whole), (other, first)):
            wander(each, step)
            average.update()
    second = make_average(recipe, other, STEPS)
    assert second is not None
    second.restore({name: value.clone() for name, value in first.tensors().items()})
    for step in range(7, STEPS):
        for each, average in ((model, whole), (other, second)):
            wander(each, step)
            average.update()
    for name, value in whole.weights().items():
        assert torch.equal(value, second.weights()[name])


def test_names_of_an_average_are_no_names_of_weights() -> None:
    model = make()
    assert not WeightAverage(model, 0.5).tensors().keys() & model.state_dict().keys()


def test_what_is_not_there_begins_anew() -> None:
    model = make()
    average = WeightAverage(model, 0.5)
    wander(model, 1)
    average.restore({})
    assert_same(average.weights(), dict(model.state_dict()))


def test_lookahead_puts_the_weights_back_every_five_steps() -> None:
    model = make()
    slow = copied(model)
    lookahead = Lookahead(model, STEPS)
    for step in range(1, STEPS + 1):
        now = wander(model, step)
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
