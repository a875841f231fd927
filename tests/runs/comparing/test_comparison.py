"""The results of two designs are compared through the pair of trainings that compare best."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.runs.comparing.comparison import CompletedRuns, compare_trainings, same_recipe
from cnnstudio.runs.comparing.seeds import Training, accuracy_statistics, plan_seeds
from cnnstudio.runs.comparing.significance import format_accuracy
from cnnstudio.runs.heartbeat import this_host
from cnnstudio.runs.library.finding import list_runs
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
    assert (
        f"3 seeds of one of these designs, with another recipe, gave {format_accuracy(spread)}"
        in comparison.text
    )


def test_without_it_the_spread_of_a_template_is_given(tmp_path: Path) -> None:
    trained(tmp_path / "one", tiny(), LOW[:1])
    trained(tmp_path / "other", smaller(), HIGH[:1])
    first, second = results(tmp_path).best_pair(tiny(), smaller())
    trained(tmp_path / "template", templates()["lesson-32"].network, LOW)
    trained(tmp_path / "neither", edits.remove(tiny(), [tiny().nodes[2].id]), HIGH)
    known = [run for name in ("template", "neither") for run in list_runs(tmp_path / name)]
    text = compare_trainings(first, second, "several seeds", known=known).text
    assert "3 seeds of the template Lesson CNN, 32 × 32 gave 61.0 ± 1.0%" in text
    for run in known:
        run.metadata["data"]["fingerprint"] = "other images"
    assert "seeds of" not in compare_trainings(first, second, "several seeds", known=known).text


def plan(folder: Path, seeds: int) -> list[tuple[int, Path | None]]:
    """The seeds that a training with the runs in a folder still lacks, with the folders to resume."""
    runs = list_runs(folder)
    completed = [run for run in runs if run.status == "completed"]
    training = Training.of(runs[0])
    return [(run.training.recipe.seed, run.folder) for run in plan_seeds(training, completed, seeds, runs)]


def test_only_the_seeds_that_are_missing_are_planned(tmp_path: Path) -> None:
    trained(tmp_path, tiny(), LOW)
    assert plan(tmp_path, 5) == [(3, None), (4, None)]
    assert plan(tmp_path, 3) == plan(tmp_path, 2) == []


@pytest.mark.parametrize("completed", [1, 0])
def test_a_run_that_was_stopped_is_resumed(tmp_path: Path, completed: int) -> None:
    trained(tmp_path, tiny(), LOW[:completed])
    for name, seed, recipe, status, checkpoint in (
        ("stopped", 1, RECIPE, "stopped", True),
        ("nothing saved", 2, RECIPE, "stopped", False),
        ("failed", 3, RECIPE, "failed", True),
        ("another recipe", 4, RECIPE.replace(learning_rate=0.5), "stopped", True),
    ):
        run = WrittenRun(tmp_path / name, tiny(), recipe.replace(seed=seed))
        run.update_metadata(status=status, host=this_host())
        if checkpoint:
            (run.folder / "checkpoints").mkdir()
            (run.folder / "checkpoints" / "last.json").touch()
    first = RECIPE.replace(seed=0)
    training = Training(tiny(), first, "shapes")
    runs = list_runs(tmp_path)
    planned = plan_seeds(training, [run for run in runs if run.status == "completed"], 5, runs)
    assert [(run.training.recipe.seed, run.folder) for run in planned][-4:] == [
        (1, tmp_path / "stopped"),
        (2, None),
        (3, None),
        (4, None),
    ]
    assert len(planned) == 5 - completed


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
