"""Snapshots of each epoch in a short run, and a fixed share of the time in a long one."""

from __future__ import annotations

from cnnstudio.runs.epochs.snapshot_budget import SHARE, SnapshotBudget


def test_a_short_run_has_a_snapshot_of_each_epoch_although_the_first_takes_long() -> None:
    budget = SnapshotBudget(100.0, grace=3.0)
    allowed = []
    for epoch in range(9):
        allowed.append(budget.allows(100.0 + 5 * epoch))
        budget.record(1.0 if epoch == 0 else 0.2)
    assert all(allowed)


def test_a_long_run_spends_its_share_and_no_more() -> None:
    budget, cost = SnapshotBudget(0.0, grace=3.0), 0.5
    taken = 0
    for second in range(10_000):
        if budget.allows(float(second)):
            budget.record(cost)
            taken += 1
    assert SHARE * 10_000 <= cost * taken <= SHARE * 10_000 + 3.0
