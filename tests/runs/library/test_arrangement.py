"""The table's rows: what is filtered, in which order, in which groups and with which statistics."""

from __future__ import annotations

import pytest

from cnnstudio.runs.library.arrangement import SAME_TRAINING, Arrangement, Query, arrange
from cnnstudio.runs.library.columns import FIXED, column, differing
from cnnstudio.runs.library.label import RunLabel
from tests.runs.library.listed import NOON, summary


def ids(found: Arrangement) -> list[str]:
    return [row.run.id if row.run else f"[{row.group.title}]" for row in found.rows if row.run or row.group]


RUNS = (
    summary("a", created=NOON, best_accuracy=0.7, settings={"learning_rate": 0.05}),
    summary("b", created=NOON + 60, best_accuracy=None, settings={"learning_rate": 0.05}, seed=1),
    summary("c", created=NOON + 120, best_accuracy=0.8, settings={"learning_rate": 0.1}, data="mnist"),
)


def test_the_newest_run_comes_first_and_the_order_can_be_reversed() -> None:
    assert ids(arrange(RUNS, Query())) == ["c", "b", "a"]
    assert ids(arrange(RUNS, Query(is_reversed=True))) == ["a", "b", "c"]


def test_the_best_run_comes_first_and_one_without_a_value_last_in_either_order() -> None:
    assert ids(arrange(RUNS, Query(sort="best"))) == ["c", "a", "b"]
    assert ids(arrange(RUNS, Query(sort="best", is_reversed=True))) == ["a", "c", "b"]


@pytest.mark.parametrize("key", FIXED)
def test_every_column_sorts_and_reverses(key: str) -> None:
    runs = [*RUNS, summary("d", label=RunLabel("Named", ("x",), "note")), summary("e", test_accuracy=0.5)]
    assert sorted(ids(arrange(runs, Query(sort=key)))) == ["a", "b", "c", "d", "e"]
    assert sorted(ids(arrange(runs, Query(sort=key, is_reversed=True)))) == ["a", "b", "c", "d", "e"]
    assert all(column(key).text(run) is not None for run in runs)


def test_each_word_of_the_filter_has_to_occur() -> None:
    runs = (
        summary("a", label=RunLabel("Baseline", ("keep",), "first try")),
        summary("b", recipe_name="fast-cpu", data="/home/me/Cats and dogs"),
        summary("c", status="failed", seed=7),
    )
    for text, expected in {
        "baseline": ["a"],
        "KEEP try": ["a"],
        "keep fast": [],
        "lesson": ["a", "b", "c"],
        "dogs": ["b"],
        "me": [],
        "failed": ["c"],
        "seed 7": ["c"],
        "  ": ["a", "b", "c"],
    }.items():
        assert sorted(ids(arrange(runs, Query(text=text)))) == expected, text


def test_groups_have_mean_and_deviation_and_one_axis() -> None:
    runs = (
        summary("a", created=3, best_accuracy=0.70, settings={"optimizer": "sgd"}),
        summary("b", created=2, best_accuracy=0.72, settings={"optimizer": "sgd"}),
        summary("c", created=1, best_accuracy=0.62),
        summary("d", created=0),
    )
    found = arrange(runs, Query(group="recipe.optimizer"))
    assert ids(found) == ["[Optimizer sgd]", "a", "b", "[Optimizer adam]", "c", "d"]
    first, second = (row.group for row in found.rows if row.group is not None)
    assert first.statistics is not None
    assert second.statistics is not None
    assert first.statistics.mean == pytest.approx(0.71)
    assert first.statistics.std == pytest.approx(0.014142, rel=1e-3)
    assert first.text == "2 runs · validation 71.0% ± 1.4 points"
    assert second.text == "2 runs · validation 62.0%"
    assert found.axis == (pytest.approx(0.6), pytest.approx(0.8))


def test_a_group_without_results_says_how_many_runs_it_has() -> None:
    found = arrange([summary("a")], Query(group="data"))
    assert found.rows[0].group is not None
    assert found.rows[0].group.text == "1 run"
    assert found.axis == (0.0, 1.0)


def test_a_collapsed_group_hides_its_runs_but_still_counts_them() -> None:
    opened = arrange(RUNS, Query(group="data"))
    (key,) = {row.group.key for row in opened.rows if row.group is not None and "cifar" in row.group.key}
    found = arrange(RUNS, Query(group="data", collapsed=frozenset({key})))
    assert ids(found) == ["[MNIST]", "c", "[CIFAR-10]"]
    assert [row.is_collapsed for row in found.rows] == [False, False, True]
    assert len(found.runs) == 3


def test_runs_that_differ_only_in_their_seed_are_one_group() -> None:
    runs = (
        summary("a", seed=0, settings={"seed": 0, "shift": 2}),
        summary("b", seed=1, settings={"seed": 1, "shift": 2, "accumulate": 4}),
        summary("c", seed=1, settings={"seed": 1}),
        summary("d", seed=0, settings={"seed": 0, "shift": 2}, design="other"),
    )
    found = arrange(runs, Query(group=SAME_TRAINING))
    sizes = sorted(len(row.group.runs) for row in found.rows if row.group is not None)
    assert sizes == [1, 1, 2]


def test_a_branch_hangs_below_its_parent_and_is_in_its_group() -> None:
    runs = (
        summary("a", created=1),
        summary("b", created=5, parent="a", recipe_name="other"),
        summary("c", created=3),
        summary("d", created=6, parent="b"),
        summary("e", created=4, parent="gone"),
    )
    found = arrange(runs, Query())
    assert ids(found) == ["e", "c", "a", "b", "d"]
    assert [row.depth for row in found.rows] == [0, 0, 0, 1, 2]
    grouped = arrange(runs, Query(group="recipe"))
    assert sum(row.group is not None for row in grouped.rows) == 1
    (group,) = (row.group for row in grouped.rows if row.group is not None)
    assert group.branches == 2


@pytest.mark.parametrize("parents", [("a", "b"), ("b", "a")])
def test_runs_that_claim_to_descend_from_each_other_are_all_shown(parents: tuple[str, str]) -> None:
    runs = (summary("a", parent=parents[0]), summary("b", parent=parents[1]), summary("c"))
    for query in (Query(), Query(group="data"), Query(group=SAME_TRAINING)):
        assert sorted(each for each in ids(arrange(runs, query)) if not each.startswith("[")) == [
            "a",
            "b",
            "c",
        ]


def test_only_what_differs_gets_a_column() -> None:
    runs = (
        summary(
            "a", settings={"learning_rate": 0.1, "shift": 2}, design_values={"input": "x", "dense_1": "Dense"}
        ),
        summary(
            "b",
            settings={"learning_rate": 0.1},
            design="other",
            design_values={"input": "x", "dense_1": "Dense", "dense_1 units": 10},
        ),
    )
    assert [each.key for each in differing(runs)] == ["recipe.shift", "design.dense_1 units"]
    assert [differing(runs)[1].text(run) for run in runs] == ["–", "10"]
    assert differing(runs[:1]) == []
    assert differing([]) == []


def test_a_column_is_found_by_its_key() -> None:
    assert column("recipe.epochs").text(RUNS[0]) == "10"
    with pytest.raises(KeyError):
        column("recipe.nothing")
    with pytest.raises(KeyError):
        column("nothing")
