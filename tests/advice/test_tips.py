"""Every tip is given on the networks that need it and on no others, and does what it promises.

`make advice` trains 600 small networks and prints what each tip is worth; the other tests here examine the
same networks without training them.
"""

from __future__ import annotations

from statistics import mean

import pytest

from cnnstudio.design.advice.advice import advise
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.findings import Advice
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import apply_fix
from cnnstudio.training.recipe.recipe import Recipe
from tests.advice.bases import BASES, CLASSES
from tests.advice.tips import TIPS, Tip
from tests.advice.training import SEEDS, accuracy

RECIPE = Recipe(epochs=10, batch_size=64, learning_rate=0.01, schedule="one_cycle")
IMAGES = 800

each_tip = pytest.mark.parametrize("tip", TIPS, ids=lambda tip: tip.rule)


def _analysis(value: Network) -> Analysis:
    return analyze(value, classes=CLASSES)


def _first(tip: Tip, value: Network) -> Advice | None:
    """The first advice of this kind on the network."""
    given = advise(_analysis(value))
    return next((advice for advice in given if advice.key.partition(":")[0] == tip.rule), None)


def followed(tip: Tip, value: Network, number: int) -> Network:
    """The network after the tip was followed, as often as it is given."""
    for _ in range(50):
        advice = _first(tip, value)
        if advice is None:
            return value
        value = tip.by_hand(value, number) if advice.fix is None else apply_fix(value, advice)
    raise AssertionError(f"{tip.rule} is never satisfied")


@pytest.mark.parametrize("base", BASES, ids=range(len(BASES)))
def test_the_networks_to_which_faults_are_added_are_sound(base: Network) -> None:
    assert _analysis(base).problems == ()
    assert advise(_analysis(base)) == ()


@each_tip
def test_a_tip_is_given_on_six_networks_and_not_on_six_that_resemble_them(tip: Tip) -> None:
    for number, base in enumerate(BASES):
        faulty, similar = tip.fault(base, number), tip.near_miss(base, number)
        assert _analysis(faulty).problems == _analysis(similar).problems == ()
        assert _first(tip, faulty), number
        assert not _first(tip, similar), number
        assert _analysis(followed(tip, faulty, number)).problems == ()


@each_tip
def test_following_a_tip_about_costs_lowers_them(tip: Tip) -> None:
    for number, base in enumerate(BASES):
        before = tip.fault(base, number)
        after = followed(tip, before, number)
        if "less" in tip.promise:
            assert _analysis(after).parameters < _analysis(before).parameters, number


@pytest.mark.slow
@pytest.mark.timeout(0)
@each_tip
def test_a_followed_tip_does_what_it_promises(tip: Tip) -> None:
    results = [result for number in range(len(BASES)) for result in _train(tip, number)]
    gains = [after - before for before, after in results]
    before, after = (mean(result[index] for result in results) for index in (0, 1))
    helped = sum(gain > 0 for gain in gains)
    print(f"\n{tip.rule}: {before:.1%} → {after:.1%}, more accurate in {helped} of {len(gains)} trainings")
    if tip.promise == "accuracy":
        assert helped > len(gains) / 2
    elif tip.promise == "no worse":
        assert mean(gains) > -0.01
    elif tip.promise == "same accuracy for less":
        assert mean(gains) > -0.03


def _train(tip: Tip, number: int) -> list[tuple[float, float]]:
    """The accuracy of the faulty network and of the one that follows the tip, for each seed."""
    faulty = tip.fault(BASES[number], number)
    networks = faulty, followed(tip, faulty, number)
    recipes = [RECIPE.replace(seed=seed) for seed in SEEDS]
    return [
        (accuracy(networks[0], recipe, IMAGES), accuracy(networks[1], recipe, IMAGES)) for recipe in recipes
    ]
