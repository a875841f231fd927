"""The results of two designs are compared through the pair of trainings that compare best."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.runs.comparison import CompletedRuns, compare_trainings, same_recipe
from cnnstudio.runs.run import list_runs
from cnnstudio.runs.seeds import accuracy_statistics
from cnnstudio.runs.significance import format_accuracy
from tests.runs.written import RECIPE, WrittenRun, trained
from tests.training.networks import tiny

LOW, HIGH = (0.60, 0.61, 0.62), (0.70, 0.71, 0.69)


def smaller() -> Network:
    return edits.remove(tiny(), [tiny().nodes[1].id])


def results(folder: Path) -> CompletedRuns:
    return CompletedRuns(run for parent in sorted(folder.iterdir()) for run in list_runs(parent))


def test_a_significant_difference_is_reported(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW)
    trained(tmp_path / "other", smaller(), HIGH)
    first, second = results(tmp_path).best_pair(tiny(), smaller())
    comparison = compare_trainings(first, second, "several seeds")
    assert [run.recipe.seed for run in first] == [0, 1, 2]
    assert comparison.result is not None
    assert comparison.result.is_significant
    assert comparison.text.startswith(
        "The second accuracy is 9.0 points higher, a significant difference (p = "
    )
    assert same_recipe(first, second)


def test_single_runs_come_with_advice_to_train_more_seeds(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW[:1])
    trained(tmp_path / "other", smaller(), HIGH[:1])
    comparison = compare_trainings(*results(tmp_path).best_pair(tiny(), smaller()), "several seeds")
    assert comparison.text.endswith("train both with several seeds.")
    assert comparison.result is not None
    assert not comparison.result.is_significant


def test_single_runs_come_with_the_spread_of_seeds_that_is_known(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW[:1])
    trained(tmp_path / "other", smaller(), HIGH[:1])
    first, second = results(tmp_path).best_pair(tiny(), smaller())
    trained(tmp_path / "another recipe", tiny(), LOW, RECIPE.replace(name="other", learning_rate=0.5))
    known = list_runs(tmp_path / "another recipe")
    comparison = compare_trainings(first, second, "several seeds", known=known)
    spread = accuracy_statistics(known)
    assert spread is not None
    assert f"3 seeds of one of these designs gave {format_accuracy(spread)}" in comparison.text


def test_trainings_with_the_same_recipe_are_preferred(tmp_path: Path) -> None:
    other = RECIPE.replace(name="other", learning_rate=0.5)
    trained(tmp_path / "one", tiny(), LOW)
    trained(tmp_path / "two", tiny(), LOW[:2], other)
    trained(tmp_path / "three", smaller(), HIGH, other)
    known = results(tmp_path)
    first, second = known.best_pair(tiny(), smaller())
    assert [run.recipe.learning_rate for run in (*first, *second)] == [0.5] * 5
    # The run that the user chose counts, even if another one would compare better.
    chosen = tmp_path / "one" / "mine-0"
    first, second = known.best_pair(tiny(), smaller(), chosen)
    assert len(first) == 3
    assert not same_recipe(first, second)


def test_an_untrained_design_has_no_result(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW)
    WrittenRun(tmp_path / "one" / "still running", smaller())
    first, second = results(tmp_path).best_pair(tiny(), smaller())
    comparison = compare_trainings(first, second, "several seeds")
    assert (len(first), second) == (3, [])
    assert (comparison.result, comparison.text) == (None, "")


def test_the_same_training_twice_is_reported_as_one(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW)
    first, second = results(tmp_path).best_pair(tiny(), tiny())
    text = "Both are the same training except for the seed. Test accuracy over 3 seeds: 61.0 ± 1.0%."
    assert compare_trainings(first, second, "several seeds").text == text
