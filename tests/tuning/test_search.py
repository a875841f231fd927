"""A search finds what is better, leaves what is hopeless, and goes on where it was stopped."""

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
from cnnstudio.runs.deletion import delete_run
from cnnstudio.runs.run import Run
from cnnstudio.training.control import Control
from cnnstudio.training.events import EpochEnded, Event, Finished, Progress, Scores
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning import search as searching
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.plan import Plan
from cnnstudio.tuning.search import Searching
from cnnstudio.tuning.search_syntax import parse_mark
from cnnstudio.tuning.space import Space
from cnnstudio.tuning.study import BEST_DESIGN, BEST_RECIPE, Study, holding, require_empty
from cnnstudio.tuning.trial import Trial
from cnnstudio.tuning.trial_runner import Workshop
from cnnstudio.tuning.verdict import conclude, repeat
from tests.training.images import colors
from tests.training.networks import tiny

guide = pytest.importorskip("cnnstudio.tuning.sampler", exc_type=ModuleNotFoundError)

HARDLY, WELL = 1e-8, 0.02
RECIPE = Recipe("mine", epochs=2, batch_size=16, learning_rate=HARDLY, seed=3)
DATA = colors()


class Ears:
    """Hears what is said, and can act on it."""

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


def begun(folder: Path, *marks: str, recipe: Recipe = RECIPE, trials: int = 2, data: Dataset = DATA) -> Study:
    space = Space(tuple(parse_mark(mark, tiny()) for mark in marks))
    study = Study(folder, tiny(), recipe, Plan(space, trials), data.name, data.fingerprint)
    study.write()
    return study


def workshop(control: Control | None = None) -> Workshop:
    return Workshop(DATA, DATA.name, "cpu", 1, control or Control())


def search(study: Study, ears: Ears | None = None, control: Control | None = None) -> str:
    return Searching(study, workshop(control), ears or Ears()).run()


def without_seconds(study: Study) -> list[Trial]:
    return [dataclasses.replace(trial, seconds=0.0) for trial in study.trials]


def test_the_better_value_is_found_and_written_as_design_and_recipe(tmp_path: Path) -> None:
    study = begun(tmp_path, f"learning_rate={HARDLY},{WELL}")
    assert search(study) == "All trials are done."
    base, other = study.trials
    assert (base.values, other.values) == ({"learning_rate": HARDLY}, {"learning_rate": WELL})
    assert base.best is not None
    assert other.best is not None
    assert other.best.accuracy > base.best.accuracy
    assert study.best == other
    assert read_recipe(tmp_path / BEST_RECIPE) == RECIPE.replace(learning_rate=WELL)
    assert read_design(tmp_path / BEST_DESIGN) == tiny()
    assert Run.open(tmp_path / "trial-002").recipe.learning_rate == WELL


def test_the_test_images_are_not_what_is_chosen_by(tmp_path: Path) -> None:
    study = begun(tmp_path, "shift=0,1", trials=1)
    search(study)
    run = study.run(study.trials[0])
    assert run.about["data"]["validation"] == 9
    assert run.about["data"]["train"] == 87
    assert study.trials[0].best == max(
        (epoch.validation for epoch in run.history), key=lambda scores: (scores.accuracy, -scores.loss)
    )
    # What is written for the user is the recipe as it was.
    assert read_recipe(tmp_path / BEST_RECIPE).validation_share == 0


def test_values_that_do_not_go_together_fail_and_the_search_goes_on(tmp_path: Path) -> None:
    study = begun(tmp_path, "conv2d_2.kernel_size=3,15", "dense_1.units=3,4", trials=9)
    assert search(study) == "All values there are have been tried."
    assert len(study.trials) == 4
    reasons = {trial.values["conv2d_2.kernel_size"][0]: trial.reason for trial in study.trials[1:]}
    assert [trial.state for trial in study.trials].count("failed") == 3
    assert "Conv2D needs an image of at least 15 × 15" in reasons[15]
    assert study.best == study.trials[0]
    assert conclude(study).text.startswith("No trial was better")


def test_too_much_memory_is_a_failed_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "free_memory", lambda device: 30_000_000)
    study = begun(tmp_path, "dense_1.use_bias=true,false", "conv2d_1.filters=8,4096")
    study.plan = study.plan.replace(trials=4)
    search(study)
    failed = [trial for trial in study.trials if trial.state == "failed"]
    assert {trial.values["conv2d_1.filters"] for trial in failed} == {4096}
    assert len(failed) == 2
    assert "of memory" in failed[0].reason


def test_a_search_in_which_everything_fails_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_MOST_FAILURES", 3)
    study = begun(tmp_path, "conv2d_1.kernel_size=13,15,17,19", "conv2d_1.padding=valid,same", trials=9)
    monkeypatch.setattr(Study, "setting", _refuse)
    assert search(study) == "The last 3 trials have all failed."
    assert study.best is None
    assert conclude(study).text.startswith("No trial came to its end")


def _refuse(study: Study, trial: Trial) -> tuple[Network, Recipe]:
    raise SearchError("no")


def test_a_hopeless_trial_ends_early_unless_that_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guide, "_COMPLETE_FIRST", 1)
    recipe = RECIPE.replace(epochs=4, learning_rate=WELL)
    mark = f"learning_rate={WELL},{2 * WELL},{HARDLY}"
    study = begun(tmp_path / "pruned", mark, recipe=recipe, trials=3)
    search(study)
    assert [trial.values["learning_rate"] for trial in study.trials] == [WELL, HARDLY, 2 * WELL]
    assert [trial.state for trial in study.trials] == ["completed", "pruned", "completed"]
    assert list(study.trials[1].scores) == [1, 2]
    assert study.run(study.trials[1]).reason == "Stopped after epoch 2 of 4."
    whole = begun(tmp_path / "whole", mark, recipe=recipe)
    whole.plan = whole.plan.replace(prune=False)
    search(whole)
    assert [trial.state for trial in whole.trials] == ["completed", "completed"]


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    marks = ("learning_rate=0.0001..0.1", "conv2d_1.filters=4..16", "momentum=0.5..0.9")
    recipe = RECIPE.replace(learning_rate=0.01)
    whole = begun(tmp_path / "whole", *marks, recipe=recipe, trials=4)
    search(whole)
    control = Control()

    def stop(trial: Trial, event: Event) -> None:
        if trial.number == 3 and isinstance(event, Progress) and event.step > 6:
            control.request_stop()

    ears = Ears(stop)
    study = begun(tmp_path / "stopped", *marks, recipe=recipe, trials=4)
    assert search(study, ears, control) == "Stopped."
    assert [trial.number for trial in ears.trials] == [1, 2]
    study = Study.open(tmp_path / "stopped")
    assert [trial.state for trial in study.trials] == ["completed", "completed", "unfinished"]
    assert len(study.run(study.trials[2]).history) == 1
    search(study)
    assert without_seconds(study) == without_seconds(whole)
    assert without_seconds(Study.open(tmp_path / "stopped")) == without_seconds(whole)


def test_a_run_that_was_hardly_begun_is_begun_anew(tmp_path: Path) -> None:
    study = begun(tmp_path, "shift=0,1")
    study.keep(Trial(1, {"shift": 0}))
    (tmp_path / "trial-001").mkdir()
    (tmp_path / "trial-001" / "design.cnn.json").write_text("{")
    search(Study.open(tmp_path))
    assert [trial.state for trial in Study.open(tmp_path).trials] == ["completed", "completed"]


def test_no_trial_begins_after_the_time_is_up(tmp_path: Path) -> None:
    study = begun(tmp_path, "shift=0,1,2")
    assert Searching(study, workshop(), Ears()).run(time.monotonic()) == "The time is up."
    assert study.trials == []


def test_the_base_and_the_best_are_repeated_with_other_seeds(tmp_path: Path) -> None:
    study = begun(tmp_path, f"learning_rate={HARDLY},{WELL}")
    search(study)
    single = conclude(study)
    assert single.verdict is not None
    assert single.verdict.test == "two-proportion test"
    ears = Ears()
    assert repeat(study, 2, workshop(), ears)
    assert ears.seeds == [(1, 4), (1, 5), (2, 4), (2, 5)]
    found = conclude(study)
    assert found.verdict is not None
    assert found.verdict.test == "Welch's t-test"
    assert found.verdict.is_real
    assert "trial 2" in found.text
    again = Ears()
    assert repeat(study, 3, workshop(), again)
    assert again.seeds == [(1, 6), (2, 6)]


def test_a_trial_whose_run_was_deleted_is_not_compared(tmp_path: Path) -> None:
    study = begun(tmp_path, f"learning_rate={HARDLY},{WELL}")
    search(study)
    delete_run(study.run(study.trials[1]))
    assert "cannot be compared" in conclude(Study.open(tmp_path)).text


def test_repeats_that_are_stopped_say_so(tmp_path: Path) -> None:
    study = begun(tmp_path, f"learning_rate={HARDLY},{WELL}")
    search(study)
    control = Control()

    def stop(trial: Trial, event: Event) -> None:
        if isinstance(event, EpochEnded):
            control.request_stop()

    assert not repeat(study, 2, workshop(control), Ears(stop))
    ears = Ears()
    assert repeat(study, 2, workshop(), ears)
    assert ears.seeds == [(1, 4), (1, 5), (2, 4), (2, 5)]


def scored(number: int, rate: float, accuracy: float) -> Trial:
    return Trial(number, {"learning_rate": rate}).ended("completed", "", {1: Scores(0.0, accuracy)})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_proposals_lie_all_over_the_space(seed: int) -> None:
    marks = ("learning_rate=0.001..1", "momentum=0..0.9", "batch_size=8,16,32", "epochs=1..100:linear")
    space = Space(tuple(parse_mark(mark, tiny()) for mark in marks))
    first = [guide.Guide(space, seed, epochs=1).proposal(number, 0) for number in range(1, 7)]
    assert all(values in space for values in first)
    for decade in (0.001, 0.01, 0.1):
        assert any(decade <= values["learning_rate"] < 10 * decade for values in first)
    for low in (0, 0.3, 0.6):
        assert any(low <= values["momentum"] < low + 0.3 for values in first)
    assert {values["batch_size"] for values in first} == {8, 16, 32}
    assert min(values["epochs"] for values in first) < 40
    assert max(values["epochs"] for values in first) > 60


def test_the_proposals_close_in_on_what_is_good() -> None:
    found = guide.Guide(Space((parse_mark("learning_rate=0.00001..1", tiny()),)), seed=0, epochs=1)
    distances = []
    for number in range(1, 41):
        values = found.proposal(number, 0)
        distance = abs(math.log10(values["learning_rate"]) + 2)
        distances.append(distance)
        found.remember(scored(number, values["learning_rate"], 1 - distance / 10))
    assert sum(distances[-10:]) < sum(distances[:10]) / 2
    assert min(distances) < 0.1


def test_the_importances_tell_what_matters_from_what_does_not() -> None:
    marks = ("learning_rate=0.0001..0.1", "momentum=0..0.9")
    found = guide.Guide(Space(tuple(parse_mark(mark, tiny()) for mark in marks)), seed=0, epochs=1)
    for number in range(1, 31):
        assert number > 4 or found.importances() == {}
        values = found.proposal(number, 0)
        accuracy = 1 - abs(math.log10(values["learning_rate"]) + 2) / 4
        found.remember(Trial(number, values).ended("completed", "", {1: Scores(0.0, accuracy)}))
    shares = found.importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["learning_rate"] > 0.8


@pytest.mark.parametrize("remembered", [True, False])
def test_what_failed_is_kept_away_from(remembered: bool) -> None:
    """The accuracy rises with the rate, up to where the training fails."""
    found = guide.Guide(Space((parse_mark("learning_rate=0.001..1", tiny()),)), seed=0, epochs=1)
    beyond = 0
    for number in range(1, 61):
        rate = found.proposal(number, 0)["learning_rate"]
        trial = scored(number, rate, 1 + math.log10(rate) / 10)
        if rate < 0.1:
            found.remember(trial)
        elif remembered:
            found.remember(trial.ended("failed", "diverged", {}))
        beyond += number > 30 and rate >= 0.1
    assert (beyond < 15) == remembered


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    study = begun(tmp_path / "search", "shift=0,1")
    with pytest.raises(SearchError, match="let it go on with --resume"):
        require_empty(study.folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(SearchError, match="holds other files"):
        require_empty(tmp_path / "other")
    with pytest.raises(SearchError, match="is a file"):
        require_empty(tmp_path / "other" / "notes.txt")


def test_two_programs_do_not_search_in_one_folder(tmp_path: Path) -> None:
    with (
        holding(tmp_path / "new"),
        pytest.raises(SearchError, match="by another program"),
        holding(tmp_path / "new"),
    ):
        pass


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "cnnstudio.run"}, "does not describe a search"),
        ({"version": 2}, "was written by a newer CNN Studio"),
        ({"data": None}, "is damaged"),
        ({"trials": [{"number": 1}]}, "is damaged"),
        ({"trials": 5}, "is damaged"),
        ({"trials": [{"number": 1, "values": {"shift": 99}, "state": "failed"}]}, "out of range"),
    ],
)
def test_a_damaged_search_is_refused_in_a_sentence(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    begun(tmp_path, "shift=0,1")
    content = json.loads((tmp_path / "study.json").read_text())
    (tmp_path / "study.json").write_text(json.dumps(content | changes))
    with pytest.raises(SearchError, match=sentence):
        Study.open(tmp_path)


def test_another_design_or_other_images_do_not_go_on(tmp_path: Path) -> None:
    study = begun(tmp_path, "shift=0,1")
    study.require_design(tiny())
    study.require_images(DATA)
    with pytest.raises(SearchError, match="begun with another design"):
        study.require_design(tiny(4))
    with pytest.raises(SearchError, match="begun with other images"):
        study.require_images(colors(train=30))
