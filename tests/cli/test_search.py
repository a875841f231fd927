"""`cnnstudio search`: output, exit statuses, and refused input."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.cli.main import main
from cnnstudio.runs.run import Run

Output = pytest.CaptureFixture[str]


@pytest.fixture
def search(design: Path, images: Path, tmp_path: Path) -> list[str]:
    """The arguments of a command that searches in `tmp_path / "search"`."""
    pytest.importorskip("optuna")
    recipe = ["--recipe", "lesson", "--epochs", "1"]
    run = ["--device", "cpu", "--threads", "1", "--run", str(tmp_path / "search")]
    return ["search", str(design), "--data", str(images), *recipe, *run]


@pytest.fixture
def resume(design: Path, tmp_path: Path) -> list[str]:
    return ["search", str(design), "--run", str(tmp_path / "search"), "--resume", "--threads", "1"]


def lines_of(output: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.readouterr().out.splitlines()]


def error_line(output: Output) -> str:
    """The only line on standard error; standard output is empty."""
    out, err = output.readouterr()
    assert out == ""
    assert err.startswith("cnnstudio: ")
    assert err.count("\n") == 1
    return err


def test_every_trial_is_a_line_and_the_last_line_is_the_summary(
    search: list[str], capsys: Output, tmp_path: Path
) -> None:
    marks = ["--vary", "batch_size=4,8", "--vary", "conv2d_1.kernel_size=3,9"]
    assert main([*search, *marks, "--trials", "9", "--json"]) == 0
    *trials, end = lines_of(capsys)
    assert {line["event"] for line in trials} == {"TrialEnded"}
    # The baseline is not one of the four combinations.
    assert [line["trial"] for line in trials] == [1, 2, 3, 4, 5]
    assert trials[0]["values"] == {"batch_size": 32, "conv2d_1.kernel_size": [3, 3]}
    assert [line["state"] for line in trials].count("failed") == 2
    assert end["event"] == "SearchEnded"
    assert (end["outcome"], end["trials"]) == ("completed", {"completed": 3, "pruned": 0, "failed": 2})
    assert end["reason"] == "All combinations of values have been tried."
    assert end["validation_share"] == 0.1
    best = next(line for line in trials if line["trial"] == end["best"]["trial"])
    assert best["validation"] == end["best"]["validation"]
    assert Run.open(Path(end["best"]["run"])).status == "completed"
    assert main(["summary", end["design"]]) == 0


def test_the_text_output_shows_the_search_space_and_the_significance(
    search: list[str], capsys: Output, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.json"
    slow.write_text(json.dumps({"format": "cnnstudio.recipe", "version": 1, "learning_rate": 1e-8}))
    arguments = [str(slow) if word == "lesson" else word for word in search]
    options = ["--vary", "learning_rate=0.02,0.00000001", "--trials", "2", "--epochs", "3", "--seeds", "2"]
    assert main([*arguments, *options, "--vary", "batch_size=8,9"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "learning_rate: 0.02, 1e-08" in out
    assert "Trials are compared on 10% of the training images, set aside so that the test images" in out
    assert "with seed 2: " in out
    assert "On the test images, which played no part in the search" in out
    assert "for 2 and 2 runs, Welch's t-test" in out
    assert f"Best: {tmp_path / 'search' / 'best.cnn.json'}" in out


def test_without_other_seeds_the_command_that_trains_them_is_named(
    search: list[str], capsys: Output, tmp_path: Path
) -> None:
    options = ["--vary", "learning_rate=0.02,0.00000001", "--trials", "2", "--epochs", "3", "--json"]
    slow = tmp_path / "slow.json"
    slow.write_text(json.dumps({"format": "cnnstudio.recipe", "version": 1, "learning_rate": 1e-8}))
    assert main([*(str(slow) if word == "lesson" else word for word in search), *options]) == 0
    end = lines_of(capsys)[-1]
    assert end["test"]["comparison"]["larger_than_noise"] is False
    command = re.search(r"other seeds \(cnnstudio (.* --seeds 3)\)\.$", end["conclusion"])
    assert command is not None
    assert main([*shlex.split(command[1]), "--json"]) == 0
    assert "for 3 and 3 runs" in lines_of(capsys)[-1]["conclusion"]


def test_a_search_can_be_repeated_from_its_own_file(
    search: list[str], design: Path, images: Path, capsys: Output, tmp_path: Path
) -> None:
    assert main([*search, "--vary", "learning_rate=0.001..0.1", "--trials", "2", "--json"]) == 0
    first = lines_of(capsys)
    folder = tmp_path / "search"
    arguments = ["search", str(folder / "base.cnn.json"), "--recipe", str(folder / "base.recipe.json")]
    again = ["--search", str(folder / "search.json"), "--run", str(tmp_path / "again"), "--threads", "1"]
    assert main([*arguments, *again, "--data", str(images), "--device", "cpu", "--json"]) == 0
    for before, now in zip(first[:-1], lines_of(capsys)[:-1], strict=True):
        for key in ("trial", "values", "validation", "state"):
            assert before[key] == now[key]


def test_a_search_is_resumed_with_more_trials(
    search: list[str], resume: list[str], capsys: Output, tmp_path: Path
) -> None:
    assert main([*search, "--trials", "1", "--json"]) == 0
    assert len(lines_of(capsys)) == 2
    assert main([*resume, "--trials", "3", "--no-prune", "--json"]) == 0
    assert [line.get("trial") for line in lines_of(capsys)] == [2, 3, None]
    plan = json.loads((tmp_path / "search" / "search.json").read_text())
    assert (plan["trials"], plan["prune"]) == (3, False)
    assert [mark["parameter"] for mark in plan["vary"]] == ["learning_rate", "weight_decay", "batch_size"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_a_signal_stops_the_search_with_a_checkpoint(
    search: list[str], resume: list[str], capsys: Output, tmp_path: Path
) -> None:
    arguments = [*search, "--epochs", "10000", "--trials", "2", "--vary", "batch_size=4,8", "--json"]
    events = tmp_path / "search" / "trial-001" / "events.jsonl"

    def send_after_an_epoch() -> None:
        while "EpochEnded" not in (events.read_text() if events.exists() else ""):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send_after_an_epoch, daemon=True)
    sender.start()
    assert main(arguments) == 130
    sender.join()
    (end,) = lines_of(capsys)
    assert (end["event"], end["outcome"], end["best"]) == ("SearchEnded", "stopped", None)
    assert Run.open(tmp_path / "search" / "trial-001").status == "stopped"
    assert main([*resume, "--recipe", "studio"]) == 2
    assert "--recipe cannot be changed with --resume" in error_line(capsys)


def test_a_search_without_completed_trials_has_failed(
    search: list[str], capsys: Output, tmp_path: Path
) -> None:
    recipe = tmp_path / "wild.json"
    recipe.write_text(
        json.dumps({"format": "cnnstudio.recipe", "version": 1, "optimizer": "sgd", "learning_rate": 100})
    )
    arguments = [str(recipe) if word == "lesson" else word for word in search]
    wild = ["--vary", "momentum=0.99,0.999", "--vary", "learning_rate=99,98", "--trials", "2"]
    assert main([*arguments, *wild, "--epochs", "100", "--json"]) == 1
    *trials, end = lines_of(capsys)
    assert [line["state"] for line in trials] == ["failed", "failed"]
    assert "became NaN or infinite" in trials[0]["reason"]
    assert (end["outcome"], end["best"], end["design"]) == ("failed", None, None)


def test_without_optuna_the_error_says_what_to_install(
    design: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "cnnstudio.tuning.sampler", raising=False)
    assert main(["search", str(design), "--run", str(tmp_path / "search")]) == 2
    assert "pip install 'cnnstudio[search]'" in error_line(capsys)
    assert not (tmp_path / "search").exists()
    assert main(["search", "--help"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--vary", "learning_rate=1..5000"],
            "--vary: learning_rate: must be between 1e-08 and 100, got 5,000",
        ),
        (["--vary", "epochs=1,2", "--vary", "epochs=3,4"], "--vary: epochs is varied twice"),
        (["--search", "none.json"], "There is no file none.json"),
        (["--vary", "epochs=1,2", "--search", "none.json"], "not allowed with"),
        (["--trials", "0"], "trials: must be between 1 and 10,000, got 0"),
        (["--minutes", "0"], "--minutes: must be greater than 0, got 0"),
        (["--minutes", "nan"], "--minutes: must be a number, got “nan”"),
        (["--epochs", "0"], "must be between 1 and 10,000, got 0"),
        (["--seeds", "-2"], "--seeds: must be an integer from 1"),
        (["--resume", "--vary", "epochs=1,2"], "--vary cannot be changed with --resume"),
        (["--threads", "0"], "--threads: must be an integer from 1"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_invalid_input_prints_one_line_and_leaves_nothing_behind(
    search: list[str], capsys: Output, tmp_path: Path, arguments: list[str], message: str
) -> None:
    if "--resume" in arguments:
        del search[search.index("--epochs") : search.index("--epochs") + 2]
        del search[search.index("--recipe") : search.index("--recipe") + 2]
    assert main([*search, *arguments]) == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "search").exists()


def test_an_error_in_every_trial_is_reported_before_the_first(
    search: list[str], capsys: Output, tmp_path: Path
) -> None:
    arguments = ["lesson-32" if word.endswith(".cnn.json") else word for word in search]
    assert main(arguments) == 2
    assert "outputs 10 scores, but the data has 2 classes" in error_line(capsys)
    assert not (tmp_path / "search").exists()


def test_resuming_needs_the_folder_of_a_search(
    search: list[str], design: Path, capsys: Output, tmp_path: Path
) -> None:
    assert main(["search", str(design), "--resume"]) == 2
    assert "--resume needs --run FOLDER" in error_line(capsys)
    assert main(["search", str(design), "--resume", "--run", str(tmp_path)]) == 2
    assert f"there is no search in {tmp_path}" in error_line(capsys)
