"""Which images are held out as the test set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.data.dataset import DataError
from cnnstudio.data.versions.split_plan import SplitPlan


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=8, max_size=80),
    st.integers(0, 1_000),
    st.floats(0.1, 0.9),
)
def test_images_of_a_group_are_never_in_both_splits(
    images: list[tuple[int, int]], seed: int, share: float
) -> None:
    labels = np.array([label for label, _ in images], np.int64)
    names = [f"object{group}_view{number}.jpg" for number, (_, group) in enumerate(images)]
    plan = SplitPlan(seed, share, "^[^_]+")
    try:
        train, test = plan.hold_out(labels, names)
    except DataError:
        return
    assert sorted([*train, *test]) == list(range(len(images)))
    groups = np.array([group for _, group in images])
    assert not set(groups[train]) & set(groups[test])
    assert all(
        np.array_equal(*pair) for pair in zip(plan.hold_out(labels, names), (train, test), strict=True)
    )


def test_each_class_has_about_its_share_of_test_images_and_some_for_training() -> None:
    labels = np.repeat(np.arange(3), 200)
    names = [f"{label}-{number // 5}_{number}.png" for label in range(3) for number in range(200)]
    train, test = SplitPlan(1, 0.25, "^[^_]+").hold_out(labels, names)
    assert np.bincount(labels[test]).tolist() == [50, 50, 50]
    assert np.bincount(labels[train]).tolist() == [150, 150, 150]
    other = SplitPlan(2, 0.25, "^[^_]+").hold_out(labels, names)[1]
    assert not np.array_equal(test, other)


def test_images_without_a_match_are_groups_of_their_own() -> None:
    names = [f"{number}.png" for number in range(10)]
    _, test = SplitPlan(0, 0.2, "object[0-9]+").hold_out(np.repeat([0, 1], 5), names)
    assert len(test) == 2


def test_a_pattern_that_finds_one_group_is_refused() -> None:
    with pytest.raises(DataError, match="puts all images of a class into one group"):
        SplitPlan(groups="[a-z]+$").hold_out(np.zeros(4, np.int64), ["a.png"] * 4)
    # Of one class alone as well, which would have no test images.
    names = ["a_1.png", "a_2.png", "b_1.png", "b_2.png", "x_1.png", "x_2.png", "x_3.png"]
    with pytest.raises(DataError, match="puts all images of a class into one group"):
        SplitPlan(groups="^[^_]+").hold_out(np.array([0] * 4 + [1] * 3), names)


@pytest.mark.parametrize("given", [{"share": 0.0}, {"share": 1.0}, {"seed": -1}, {"groups": "("}])
def test_impossible_plans_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(DataError):
        SplitPlan(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, {}, {"seed": "x", "share": 1, "groups": ""}, [1]])
def test_damaged_plans_count_as_none(value: object) -> None:
    assert SplitPlan.from_json(value) == SplitPlan()
    assert SplitPlan.from_json(SplitPlan(2, 0.5, "a").to_json()) == SplitPlan(2, 0.5, "a")
