"""Every diagnosis is made of the trainings that have the problem and of no others, and its remedy helps.

`make advice` trains 300 small networks for this, and prints what each diagnosis is worth.
"""

from __future__ import annotations

from statistics import mean

import pytest

from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.training.diagnosis.remedies import remedy
from tests.advice.symptoms import SYMPTOMS, Case, Symptom
from tests.advice.training import SEEDS, Outcome, diagnosed_run

_MAX_CLICKS = 3
_NO_WORSE = 0.01

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.kind)
def test_a_diagnosis_is_made_where_it_is_right_and_its_remedy_helps(
    symptom: Symptom, monkeypatch: pytest.MonkeyPatch
) -> None:
    if symptom.kind in ("dead_units", "rate_too_high"):
        # After every epoch, however short it is: dead units are counted only if there is time for it.
        monkeypatch.setattr(snapshot_budget, "GRACE_SECONDS", 1e9)
    gains, missed, wrong = [], 0, 0
    for seed in SEEDS:
        for case in symptom.sick:
            outcome = _run(case, seed)
            if symptom.kind in outcome.diagnosed:
                gains.append(_treated(symptom, case, seed).accuracy - outcome.accuracy)
            else:
                missed += 1
        for case in symptom.healthy:
            wrong += symptom.kind in _run(case, seed).diagnosed
    helped = sum(gain > 0 for gain in gains)
    sick, healthy = len(gains) + missed, len(SEEDS) * len(symptom.healthy)
    print(
        f"\n{symptom.kind}: made in {len(gains)} of {sick} trainings with the problem and in {wrong} of "
        f"{healthy} others; its remedy helps {helped} of {len(gains)}, by {mean(gains):+.1%} in the mean"
    )
    assert not wrong
    assert len(gains) > 2 * missed
    if symptom.promise == "accuracy":
        assert helped > len(gains) / 2
    else:
        assert mean(gains) > -_NO_WORSE


def _run(case: Case, seed: int) -> Outcome:
    return diagnosed_run(case.network, case.recipe.replace(seed=seed), case.images)


def _treated(symptom: Symptom, case: Case, seed: int) -> Outcome:
    """The last run after one click on the remedy, and another as long as the diagnosis is made again."""
    network, recipe = case.network, case.recipe.replace(seed=seed)
    for _ in range(_MAX_CLICKS):
        found = remedy(symptom.kind, recipe, network)
        assert found is not None
        network, recipe = found.network or network, found.apply_to(recipe)
        outcome = diagnosed_run(network, recipe, case.images)
        if symptom.kind not in outcome.diagnosed:
            break
    return outcome
