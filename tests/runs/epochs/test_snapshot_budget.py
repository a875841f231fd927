"""How often a run keeps something to look at."""

from __future__ import annotations

import pytest

from cnnstudio.runs.epochs.snapshot_budget import FIRST_EPOCHS, SHARE, SnapshotBudget


def taken(epochs: int, seconds: float, costs: list[float], *, grace: float = 3.0) -> list[int]:
    """The epochs of which a snapshot is taken; the last one of `costs` is that of all others."""
    budget, found = SnapshotBudget(100.0, grace), []
    for epoch in range(epochs):
        now = 100.0 + seconds * epoch
        if budget.allows(now):
            cost = costs[min(len(found), len(costs) - 1)]
            budget.record(cost, now + cost)
            found.append(epoch)
    return found


@pytest.mark.parametrize("first", [0.2, 1.0, 20.0])
def test_a_short_run_has_a_snapshot_of_each_epoch_although_the_first_takes_long(first: float) -> None:
    assert taken(9, 5.0, [first, 0.2]) == list(range(9))


def test_a_busy_computer_lengthens_epochs_and_snapshots_and_keeps_the_same_ones() -> None:
    assert taken(FIRST_EPOCHS, 50.0, [8.0, 2.0]) == list(range(FIRST_EPOCHS))


def test_snapshots_that_take_as_long_as_an_epoch_are_rare() -> None:
    assert len(taken(100, 5.0, [5.0])) <= 7


def test_without_grace_only_the_share_counts() -> None:
    assert taken(100, 1.0, [0.5], grace=0.0) == [0]


def test_a_long_run_spends_its_share_and_no_more() -> None:
    cost = 0.5
    spent = cost * len(taken(10_000, 1.0, [cost]))
    assert SHARE * 10_000 <= spent <= SHARE * 10_000 + 3.0
