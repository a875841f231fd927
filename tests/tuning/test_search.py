"""A search finds better settings, prunes poor trials, and resumes where it was stopped."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnstudio.data.dataset import Dataset
from cnnstudio.design.file import read_design
from cnnstudio.design.network import Network
from cnnstudio.runs.library.deletion import delete_run
from cnnstudio.runs.run import Run
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress, Scores
from cnnstudio.training.preflight import checks
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning import search as search_module
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.plan import Plan
from cnnstudio.tuning.search import SearchLoop
from cnnstudio.tuning.search_syntax import parse_vary
from cnnstudio.tuning.space import Space
from cnnstudio.tuning.study import BEST_DESIGN, BEST_RECIPE, Study, locked_folder, require_empty
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.trial_runner import TrialRunner
from cnnstudio.tuning.verdict import retrain_with_other_seeds, search_verdict
from tests.training.images import colors
from tests.training.networks import tiny

sampler = pytest.importorskip("cnnstudio.tuning.sampler", exc_type=ModuleNotFoundError)

TOO_LOW, GOOD = 1e-8, 0.02
RECIPE = Recipe("mine", epochs=2, batch_size=16, learning_rate=TOO_LOW, seed=3)
DATA = colors()


class RecordingListener:
    """Records what it is notified of, and can act on it."""

    def __init__(self, act: Callable[[Trial, Event], None] = lambda trial, event: None) -> None:
        self.trials: list[Trial] = []
        self.seeds: list[tuple[int, int]] = []
        self._act = act

    def training(self, trial: Trial, event: Event) -> None:
        self._act(trial, event)

    def ended(self, trial: Trial) -> None:
        self.trials.append(trial)

    def repeated(self, trial: Trial, seed: int, finished: Finished) -> None:
        self.seeds.append((trial.number, seed))


def new_study(
    folder: Path, *varied: str, recipe: Recipe = RECIPE, trials: int = 2, data: Dataset = DATA
) -> Study:
    space = Space(tuple(parse_vary(text, tiny()) for text in varied))
    study = Study(folder, tiny(), recipe, Plan(space, trials), data.name, data.fingerprint)
    study.save()
    return study


def runner(control: Control | None = None) -> TrialRunner:
    return TrialRunner(DATA, DATA.name, "cpu", 1, control or Control())


def search(study: Study, listener: RecordingListener | None = None, control: Control | None = None) -> str:
    return SearchLoop(study, runner(control), listener or RecordingListener()).run()


def without_seconds(study: Study) -> list[Trial]:
    return [dataclasses.replace(trial, seconds=0.0) for trial in study.trials]


def test_the_better_value_is_found_and_saved_as_design_and_recipe(tmp_path: Path) -> None:
    study = new_study(tmp_path, f"learning_rate={TOO_LOW},{GOOD}")
    assert search(study) == "All trials are done."
    baseline, other = study.trials
    assert (baseline.values, other.values) == ({"learning_rate": TOO_LOW}, {"learning_rate": GOOD})
    assert baseline.best_scores is not None
    assert other.best_scores is not None
    assert other.best_scores.accuracy > baseline.best_scores.accuracy
    assert study.best == other
    assert read_recipe(tmp_path / BEST_RECIPE) == RECIPE.replace(learning_rate=GOOD)
    assert read_design(tmp_path / BEST_DESIGN) == tiny()
    assert Run.open(tmp_path / "trial-002").recipe.learning_rate == GOOD


def test_trials_are_chosen_by_validation_images(tmp_path: Path) -> None:
    study = new_study(tmp_path, "shift=0,1", trials=1)
    search(study)
    run = study.run(study.trials[0])
    assert run.metadata["data"]["validation"] == 9
    assert run.metadata["data"]["train"] == 87
    assert study.trials[0].best_scores == max(
        (epoch.validation for epoch in run.history), key=lambda scores: (scores.accuracy, -scores.loss)
    )
    # The recipe that is saved for the user has no validation split.
    assert read_recipe(tmp_path / BEST_RECIPE).validation_share == 0


def test_an_invalid_combination_is_a_failed_trial_and_the_search_continues(tmp_path: Path) -> None:
    study = new_study(tmp_path, "conv2d_2.kernel_size=3,15", "dense_1.units=3,4", trials=9)
    assert search(study) == "All combinations of values have been tried."
    assert len(study.trials) == 4
    reasons = {trial.values["conv2d_2.kernel_size"][0]: trial.reason for trial in study.trials[1:]}
    assert [trial.state for trial in study.trials].count("failed") == 3
    assert "Conv2D needs an image of at least 15 × 15" in reasons[15]
    assert study.best == study.trials[0]
    assert search_verdict(study).text.startswith("No trial was better")


def test_too_much_memory_is_a_failed_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "free_memory", lambda device: 30_000_000)
    study = new_study(tmp_path, "dense_1.use_bias=true,false", "conv2d_1.filters=8,4096")
    study.plan = study.plan.replace(trials=4)
    search(study)
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert {trial.values["conv2d_1.filters"] for trial in failed} == {4096}
    assert len(failed) == 2
    assert "of memory" in failed[0].reason


def test_a_search_in_which_every_trial_fails_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_MAX_FAILURES_IN_A_ROW", 3)
    study = new_study(tmp_path, "conv2d_1.kernel_size=13,15,17,19", "conv2d_1.padding=valid,same", trials=9)
    monkeypatch.setattr(Study, "configuration", _refuse)
    assert search(study) == "The last 3 trials all failed."
    assert study.best is None
    assert search_verdict(study).text.startswith("No trial completed")


def _refuse(study: Study, trial: Trial) -> tuple[Network, Recipe]:
    raise SearchError("no")


def test_a_poor_trial_is_pruned_unless_pruning_is_disabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "_COMPLETED_BEFORE_PRUNING", 1)
    recipe = RECIPE.replace(epochs=4, learning_rate=GOOD)
    varied = f"learning_rate={GOOD},{2 * GOOD},{TOO_LOW}"
    study = new_study(tmp_path / "pruned", varied, recipe=recipe, trials=3)
    search(study)
    assert [trial.values["learning_rate"] for trial in study.trials] == [GOOD, TOO_LOW, 2 * GOOD]
    assert [trial.state for trial in study.trials] == ["completed", "pruned", "completed"]
    assert list(study.trials[1].scores) == [1, 2]
    assert study.run(study.trials[1]).reason == "Stopped after epoch 2 of 4."
    whole = new_study(tmp_path / "whole", varied, recipe=recipe)
    whole.plan = whole.plan.replace(prune=False)
    search(whole)
    assert [trial.state for trial in whole.trials] == ["completed", "completed"]


def test_a_resumed_search_gives_the_same_trials_as_an_uninterrupted_one(tmp_path: Path) -> None:
    varied = ("learning_rate=0.0001..0.1", "conv2d_1.filters=4..16", "momentum=0.5..0.9")
    recipe = RECIPE.replace(learning_rate=0.01)
    whole = new_study(tmp_path / "whole", *varied, recipe=recipe, trials=4)
    search(whole)
    control = Control()

    def stop(trial: Trial, event: Event) -> None:
        if trial.number == 3 and isinstance(event, Progress) and event.step > 6:
            control.request_stop()

    listener = RecordingListener(stop)
    study = new_study(tmp_path / "stopped", *varied, recipe=recipe, trials=4)
    assert search(study, listener, control) == "Stopped."
    assert [trial.number for trial in listener.trials] == [1, 2]
    study = Study.open(tmp_path / "stopped")
    assert [trial.state for trial in study.trials] == ["completed", "completed", "unfinished"]
    assert len(study.run(study.trials[2]).history) == 1
    search(study)
    assert without_seconds(study) == without_seconds(whole)
    assert without_seconds(Study.open(tmp_path / "stopped")) == without_seconds(whole)


def test_files_of_a_run_that_was_never_complete_are_replaced(tmp_path: Path) -> None:
    study = new_study(tmp_path, "shift=0,1")
    study.record(Trial(1, {"shift": 0}))
    (tmp_path / "trial-001").mkdir()
    (tmp_path / "trial-001" / "design.cnn.json").write_text("{")
    search(Study.open(tmp_path))
    assert [trial.state for trial in Study.open(tmp_path).trials] == ["completed", "completed"]


def test_no_trial_starts_after_the_time_is_up(tmp_path: Path) -> None:
    study = new_study(tmp_path, "shift=0,1,2")
    assert SearchLoop(study, runner(), RecordingListener()).run(time.monotonic()) == "Time is up."
    assert study.trials == []


def test_the_baseline_and_the_best_trial_are_retrained_with_other_seeds(tmp_path: Path) -> None:
    study = new_study(tmp_path, f"learning_rate={TOO_LOW},{GOOD}")
    search(study)
    single = search_verdict(study)
    assert single.result is not None
    assert single.result.test == "two-proportion test"
    listener = RecordingListener()
    assert retrain_with_other_seeds(study, 2, runner(), listener)
    assert listener.seeds == [(1, 4), (1, 5), (2, 4), (2, 5)]
    found = search_verdict(study)
    assert found.result is not None
    assert found.result.test == "Welch's t-test"
    assert found.result.is_significant
    assert "trial 2" in found.text
    again = RecordingListener()
    assert retrain_with_other_seeds(study, 3, runner(), again)
    assert again.seeds == [(1, 6), (2, 6)]


def test_a_trial_whose_run_was_deleted_is_not_compared(tmp_path: Path) -> None:
    study = new_study(tmp_path, f"learning_rate={TOO_LOW},{GOOD}")
    search(study)
    delete_run(study.run(study.trials[1]))
    assert "cannot be compared" in search_verdict(Study.open(tmp_path)).text


def test_stopped_retraining_is_reported_and_can_be_resumed(tmp_path: Path) -> None:
    study = new_study(tmp_path, f"learning_rate={TOO_LOW},{GOOD}")
    search(study)
    control = Control()

    def stop(trial: Trial, event: Event) -> None:
        if isinstance(event, EpochEnded):
            control.request_stop()

    assert not retrain_with_other_seeds(study, 2, runner(control), RecordingListener(stop))
    listener = RecordingListener()
    assert retrain_with_other_seeds(study, 2, runner(), listener)
    assert listener.seeds == [(1, 4), (1, 5), (2, 4), (2, 5)]


def scored(number: int, rate: float, accuracy: float) -> Trial:
    return Trial(number, {"learning_rate": rate}).finish("completed", "", {1: Scores(0.0, accuracy)})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_proposals_cover_the_space(seed: int) -> None:
    varied = ("learning_rate=0.001..1", "momentum=0..0.9", "batch_size=8,16,32", "epochs=1..100:linear")
    space = Space(tuple(parse_vary(text, tiny()) for text in varied))
    first = [sampler.Sampler(space, seed, epochs=1).propose(number, 0) for number in range(1, 7)]
    assert all(values in space for values in first)
    for decade in (0.001, 0.01, 0.1):
        assert any(decade <= values["learning_rate"] < 10 * decade for values in first)
    for low in (0, 0.3, 0.6):
        assert any(low <= values["momentum"] < low + 0.3 for values in first)
    assert {values["batch_size"] for values in first} == {8, 16, 32}
    assert min(values["epochs"] for values in first) < 40
    assert max(values["epochs"] for values in first) > 60


def test_the_proposals_converge_on_the_optimum() -> None:
    found = sampler.Sampler(Space((parse_vary("learning_rate=0.00001..1", tiny()),)), seed=0, epochs=1)
    distances = []
    for number in range(1, 41):
        values = found.propose(number, 0)
        distance = abs(math.log10(values["learning_rate"]) + 2)
        distances.append(distance)
        found.add_finished_trial(scored(number, values["learning_rate"], 1 - distance / 10))
    assert sum(distances[-10:]) < sum(distances[:10]) / 2
    assert min(distances) < 0.1


def test_the_importances_identify_the_setting_that_matters() -> None:
    varied = ("learning_rate=0.0001..0.1", "momentum=0..0.9")
    found = sampler.Sampler(Space(tuple(parse_vary(text, tiny()) for text in varied)), seed=0, epochs=1)
    for number in range(1, 31):
        assert number > 4 or found.importances() == {}
        values = found.propose(number, 0)
        accuracy = 1 - abs(math.log10(values["learning_rate"]) + 2) / 4
        found.add_finished_trial(Trial(number, values).finish("completed", "", {1: Scores(0.0, accuracy)}))
    shares = found.importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["learning_rate"] > 0.8


@pytest.mark.parametrize("reported", [True, False])
def test_regions_of_failed_trials_are_avoided(reported: bool) -> None:
    """The accuracy rises with the learning rate, up to the rate at which training fails."""
    found = sampler.Sampler(Space((parse_vary("learning_rate=0.001..1", tiny()),)), seed=0, epochs=1)
    too_high = 0
    for number in range(1, 61):
        rate = found.propose(number, 0)["learning_rate"]
        trial = scored(number, rate, 1 + math.log10(rate) / 10)
        if rate < 0.1:
            found.add_finished_trial(trial)
        elif reported:
            found.add_finished_trial(trial.finish("failed", "diverged", {}))
        too_high += number > 30 and rate >= 0.1
    assert (too_high < 15) == reported


def test_an_occupied_folder_is_refused(tmp_path: Path) -> None:
    study = new_study(tmp_path / "search", "shift=0,1")
    with pytest.raises(SearchError, match="already contains a search: resume it with --resume"):
        require_empty(study.folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(SearchError, match="contains other files"):
        require_empty(tmp_path / "other")
    with pytest.raises(SearchError, match="is a file"):
        require_empty(tmp_path / "other" / "notes.txt")


def test_two_programs_cannot_search_in_one_folder(tmp_path: Path) -> None:
    with (
        locked_folder(tmp_path / "new"),
        pytest.raises(SearchError, match="in progress in another program"),
        locked_folder(tmp_path / "new"),
    ):
        pass


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "cnnstudio.run"}, "does not describe a CNN Studio search"),
        ({"version": 2}, "was written by a newer version of CNN Studio"),
        ({"data": None}, "is damaged"),
        ({"trials": [{"number": 1}]}, "is damaged"),
        ({"trials": 5}, "is damaged"),
        ({"trials": [{"number": 1, "values": {"shift": 99}, "state": "failed"}]}, "must be between"),
    ],
)
def test_a_damaged_search_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    new_study(tmp_path, "shift=0,1")
    content = json.loads((tmp_path / "study.json").read_text())
    (tmp_path / "study.json").write_text(json.dumps(content | changes))
    with pytest.raises(SearchError, match=message):
        Study.open(tmp_path)


def test_a_search_resumes_only_with_its_own_design_and_images(tmp_path: Path) -> None:
    study = new_study(tmp_path, "shift=0,1")
    study.require_design(tiny())
    study.require_dataset(DATA)
    with pytest.raises(SearchError, match="started with another design"):
        study.require_design(tiny(4))
    with pytest.raises(SearchError, match="started with other images"):
        study.require_dataset(colors(train=30))
