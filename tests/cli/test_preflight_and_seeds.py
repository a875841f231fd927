"""`cnnstudio train`: the preflight checks, and training with several seeds."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.cli.main import main
from cnnstudio.runs.epochs.kept_weights import kept_epochs
from cnnstudio.runs.library.finding import list_runs
from cnnstudio.runs.run import Run
from cnnstudio.training.preflight import profiling
from tests.gui.canned import started
from tests.runs.library.listed import ended
from tests.runs.written import WrittenRun
from tests.training.networks import tiny

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _measure_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_SECONDS_PER_SIZE", 0.0)


@pytest.fixture
def train(design: Path, images: Path) -> list[str]:
    recipe = ["--recipe", "lesson", "--epochs", "1", "--batch-size", "8"]
    return ["train", str(design), "--data", str(images), *recipe, "--device", "cpu", "--threads", "1"]


def last_line(output: Output) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(output.readouterr().out.splitlines()[-1])
    return found


def test_a_learning_rate_is_suggested_and_nothing_is_trained(
    train: list[str], capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path))
    assert main([*train, "--find-learning-rate", "--json"]) == 0
    found = last_line(capsys)
    assert found["suggestion"] is not None
    assert found["lowest"] <= found["suggestion"] <= found["highest"]
    assert len(found["rates"]) == len(found["losses"])
    assert main([*train, "--find-learning-rate"]) == 0
    text = capsys.readouterr().out
    assert f"Suggested: --learning-rate {found['suggestion']:g} (the recipe has 0.001)" in text
    assert not list_runs()


def test_the_preflight_check_reports_time_memory_and_batch_sizes(
    train: list[str], capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine one size may measure much slower than a smaller one, which would end the list early.
    monkeypatch.setattr(profiling, "_TOO_SLOW", 0.0)
    assert main([*train, "--preflight", "--json"]) == 0
    found = last_line(capsys)
    assert found["part"] == 8
    assert found["fits"]
    assert [one["size"] for one in found["sizes"]] == [8, 16, 32]
    assert found["seconds"] == pytest.approx(found["seconds_per_epoch"])
    assert main([*train, "--preflight"]) == 0
    text = capsys.readouterr().out
    for text_part in (
        "the recipe’s",
        "fastest",
        "An epoch takes ",
        "The largest batch that fits is about",
    ):
        assert text_part in text


def test_two_preflight_checks_at_once_are_refused(train: list[str], capsys: Output) -> None:
    assert main([*train, "--preflight", "--find-learning-rate"]) == 2
    assert "not allowed with" in capsys.readouterr().err


def test_batch_size_auto_splits_the_recipes_batch_into_parts_that_fit(
    train: list[str], capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(profiling, "_may_fit", lambda prepared, size, free, found: size <= 10)
    monkeypatch.setattr(profiling, "_extrapolate_largest", lambda base, slope, free, done: 10)
    monkeypatch.setattr(profiling, "_SIZES", (2, 4, 8))
    arguments = [*train, "--batch-size", "auto", "--run", str(tmp_path / "run"), "--json"]
    assert main(arguments) == 0
    recipe = Run.open(tmp_path / "run").recipe
    assert (recipe.batch_size, recipe.accumulate) == (32, 4)
    assert main([*train, "--batch-size", "automatic"]) == 2


def test_seeds_train_that_many_runs_and_report_mean_and_standard_deviation(
    train: list[str], capsys: Output, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    assert main([*train, "--seeds", "3", "--seed", "5", "--run", str(folder), "--json"]) == 0
    found = last_line(capsys)
    assert (found["event"], found["seeds"]) == ("Repeated", [5, 6, 7])
    runs = [Run.open(folder / f"seed-{seed}") for seed in (5, 6, 7)]
    assert found["runs"] == [str(run.folder) for run in runs]
    assert not any(kept_epochs(run.folder) for run in runs), "only the results of several seeds are looked at"
    accuracies = [run.test.accuracy for run in runs if run.test]
    assert found["test"]["accuracy"]["values"] == accuracies
    assert found["test"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 3)
    assert main(["runs", "compare", str(runs[0].folder), str(runs[1].folder), "--json"]) == 0
    compared = last_line(capsys)
    assert [each["repeats"] for each in compared["runs"]] == [["seed-5", "seed-6", "seed-7"]] * 2
    assert compared["comparison"] is None
    assert main(["runs", "compare", str(runs[0].folder), str(runs[1].folder)]) == 0
    assert "the same training except for the seed. Test accuracy over 3 seeds" in capsys.readouterr().out


def test_different_recipes_are_compared_with_all_their_seeds(
    train: list[str], capsys: Output, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    quick = [*train, "--epochs", "3", "--learning-rate", "0.02", "--seeds", "2"]
    assert main([*quick, "--run", str(good)]) == 0
    assert "Test accuracy over 2 runs: " in capsys.readouterr().out
    assert main([*train, "--learning-rate", "0.0000001", "--seeds", "2", "--run", str(bad)]) == 0
    capsys.readouterr()
    assert main(["runs", "compare", str(good / "seed-0"), str(bad / "seed-1")]) == 0
    text = capsys.readouterr().out
    assert "All seeds" in text
    assert "for 2 and 2 runs, Welch's t-test" in text


def test_a_comparison_shows_designs_curves_and_confusions(tmp_path: Path, capsys: Output) -> None:
    networks = tiny(), dataclasses.replace(tiny(), nodes=tiny().nodes[1:])
    for name, network, images in zip(("one", "two"), networks, (100, 200), strict=True):
        run = WrittenRun(tmp_path / name, network)
        run.update_metadata(status="completed")
        begin = dataclasses.replace(started(), train_images=images)
        run.append(begin, *(ended(epoch, 2.0, 0.1 * epoch) for epoch in (1, 2, 3)))
    command = ["runs", "compare", str(tmp_path / "one"), str(tmp_path / "two")]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "Design, from the first to the second:" in text
    assert re.search(r"^ *3 +2 +30\.0% +2 +30\.0%$", text, re.M)
    assert "Neither run has saved a confusion matrix." in text
    assert main([*command, "--align", "images"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^ *200 +2 +20\.0% +2 +10\.0%$", text, re.M)
    assert re.search(r"^ *600 +2 +30\.0%$", text, re.M)
    assert main([*command, "--align", "images", "--json"]) == 0
    found = last_line(capsys)
    assert found["curves"][1] == {
        "epoch": 2.0,
        "runs": [{"epoch": 2, "loss": 2.0, "accuracy": 0.2}, {"epoch": 1, "loss": 2.0, "accuracy": 0.1}],
    }
    assert found["recipe"] == []
    assert any("removed" in line.lower() for line in found["design"])


def test_one_command_trains_the_seeds_that_a_comparison_lacks(
    train: list[str], capsys: Output, tmp_path: Path
) -> None:
    one, other = tmp_path / "it's one", tmp_path / "other"
    assert main([*train, "--run", str(one)]) == 0
    assert main([*train, "--learning-rate", "0.0000001", "--seed", "7", "--run", str(other)]) == 0
    capsys.readouterr()
    assert main(["runs", "compare", str(one), str(other)]) == 0
    text = capsys.readouterr().out
    command = re.search(r"more seeds \((cnnstudio runs compare .* --seeds 3)\)\.$", text.strip())
    assert command is not None
    words = shlex.split(command[1])
    assert words == ["cnnstudio", "runs", "compare", str(one), str(other), "--seeds", "3"]
    assert main([*words[1:], "--json"]) == 0
    *events, compared = map(json.loads, capsys.readouterr().out.splitlines())
    assert len([event for event in events if event["event"] == "Finished"]) == 4
    assert [len(each["repeats"]) for each in compared["runs"]] == [3, 3]
    runs = list_runs(tmp_path)
    assert sorted(run.recipe.seed for run in runs if run.recipe.learning_rate < 1e-6) == [7, 8, 9]
    assert {run.metadata["threads"] for run in runs} == {1}
    trained = [run for run in runs if f"-seed-{run.recipe.seed}" in run.id]
    assert len(trained) == 4
    assert not any(kept_epochs(run.folder) for run in trained)
    assert kept_epochs(one)
    assert "for 3 and 3 runs" in compared["conclusion"]
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(words[1:]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_seeds_of_runs_that_cannot_be_compared_are_refused(
    train: list[str], capsys: Output, tmp_path: Path
) -> None:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    assert main([*train, "--run", one]) == 0
    assert main([*train, "--seed", "7", "--run", other]) == 0
    capsys.readouterr()
    for options, reason in (
        (["--seeds", "3"], "differ in nothing but their seed"),
        (["--seeds", "1"], "must be an integer from 2 to 1,000, got 1"),
    ):
        assert main(["runs", "compare", one, other, *options]) == 2
        assert reason in capsys.readouterr().err


def test_accuracies_on_other_images_are_not_compared(
    train: list[str], design: Path, images: Path, capsys: Output, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(images, other)
    next((other / "test" / "dark").iterdir()).unlink()
    assert main([*train, "--run", str(tmp_path / "one")]) == 0
    elsewhere = [str(other) if word == str(images) else word for word in train]
    assert main([*elsewhere, "--run", str(tmp_path / "two")]) == 0
    capsys.readouterr()
    assert main(["runs", "compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    assert "accuracies cannot be compared" in capsys.readouterr().out


@pytest.mark.parametrize("seeds", ["0", "-1", "5000", "two"])
def test_an_invalid_number_of_seeds_is_refused(train: list[str], capsys: Output, seeds: str) -> None:
    assert main([*train, "--seeds", seeds]) == 2
    assert "--seeds" in capsys.readouterr().err


def test_resuming_seeds_finishes_the_missing_runs(
    train: list[str], design: Path, capsys: Output, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train += ["--epochs", "2", "--seed", "5"]
    assert main([*train, "--seeds", "3", "--run", str(whole), "--json"]) == 0
    expected = last_line(capsys)
    assert main([*train, "--seeds", "2", "--run", str(parts)]) == 0
    # The state after a stop within the second run.
    shutil.rmtree(parts / "seed-6")
    assert main([*train, "--epochs", "1", "--seed", "6", "--run", str(parts / "seed-6")]) == 0
    capsys.readouterr()
    resume = ["train", str(design), "--run", str(parts), "--seeds", "3", "--resume", "--epochs", "2"]
    assert main([*resume, "--device", "cpu", "--threads", "1", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["epoch"] for event in events if event["event"] == "EpochEnded"] == [2, 1, 2]
    assert events[-1]["seeds"] == [5, 6, 7]
    assert events[-1]["test"] == expected["test"]


def test_seeds_without_a_run_cannot_be_resumed(train: list[str], capsys: Output, tmp_path: Path) -> None:
    assert main([*train, "--seeds", "2", "--resume", "--run", str(tmp_path)]) == 2
    assert f"There are no runs to resume in {tmp_path}" in capsys.readouterr().err


def test_checks_measure_from_the_weights_that_are_named(
    train: list[str], capsys: Output, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    assert main([*train, "--run", str(first), "--json"]) == 0

    def losses(*options: str) -> list[float]:
        assert main([*train, "--find-learning-rate", "--json", *options]) == 0
        found: list[float] = last_line(capsys)["losses"]
        return found

    assert losses("--weights", str(first)) != losses()
    assert main([*train, "--preflight", "--weights", str(first)]) == 0
    capsys.readouterr()
    for check in ("--preflight", "--find-learning-rate", "--batch-size=auto"):
        assert main([*train, check, "--weights", str(tmp_path / "nothing")]) == 2
        assert "nothing" in capsys.readouterr().err
