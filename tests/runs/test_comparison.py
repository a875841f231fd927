"""The results of two designs are compared by the trainings that compare best."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.runs.comparison import Results, judge, same_recipe
from cnnstudio.runs.run import list_runs
from tests.runs.written import RECIPE, WrittenRun, trained
from tests.training.networks import tiny

LOW, HIGH = (0.60, 0.61, 0.62), (0.70, 0.71, 0.69)


def smaller() -> Network:
    return edits.remove(tiny(), [tiny().nodes[1].id])


def results(folder: Path) -> Results:
    return Results(run for place in sorted(folder.iterdir()) for run in list_runs(place))


def test_a_difference_beyond_the_noise_is_told(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW)
    trained(tmp_path / "other", smaller(), HIGH)
    first, second = results(tmp_path).pair(tiny(), smaller())
    judged = judge(first, second, "several seeds")
    assert [run.recipe.seed for run in first] == [0, 1, 2]
    assert judged.verdict is not None
    assert judged.verdict.is_real
    assert judged.sentence.startswith("The second accuracy is 9.0 points higher: larger than the noise (p = ")
    assert same_recipe(first, second)


def test_single_runs_are_told_to_get_more_seeds(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW[:1])
    trained(tmp_path / "other", smaller(), HIGH[:1])
    judged = judge(*results(tmp_path).pair(tiny(), smaller()), "several seeds")
    assert judged.sentence.endswith("train both with several seeds.")


def test_the_recipe_that_both_were_trained_with_is_compared(tmp_path: Path) -> None:
    other = RECIPE.replace(name="other", learning_rate=0.5)
    trained(tmp_path / "one", tiny(), LOW)
    trained(tmp_path / "two", tiny(), LOW[:2], other)
    trained(tmp_path / "three", smaller(), HIGH, other)
    known = results(tmp_path)
    first, second = known.pair(tiny(), smaller())
    assert [run.recipe.learning_rate for run in (*first, *second)] == [0.5] * 5
    # The run that the user chose is meant, also where another one would compare better.
    chosen = tmp_path / "one" / "mine-0"
    first, second = known.pair(tiny(), smaller(), chosen)
    assert len(first) == 3
    assert not same_recipe(first, second)


def test_a_design_that_was_not_trained_has_no_result(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW)
    WrittenRun(tmp_path / "one" / "still running", smaller())
    first, second = results(tmp_path).pair(tiny(), smaller())
    judged = judge(first, second, "several seeds")
    assert (len(first), second) == (3, [])
    assert (judged.verdict, judged.sentence) == (None, "")


def test_the_same_training_twice_is_one(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW)
    first, second = results(tmp_path).pair(tiny(), tiny())
    words = "The two are the same training but for the seed: over 3 seeds the test accuracy is 61.0 ± 1.0%."
    assert judge(first, second, "several seeds").sentence == words
