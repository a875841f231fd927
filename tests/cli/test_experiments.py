"""`runs retrain` and `runs learning-curve`: trainings that are compared with a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnnstudio.cli.main import main
from cnnstudio.data.versions.evaluations import evaluation_count
from cnnstudio.runs.run import Run
from cnnstudio.tuning.errors import LearningCurveError
from cnnstudio.tuning.learning_curve import RESULT_FILE

Output = pytest.CaptureFixture[str]


@pytest.fixture
def mislabeled(tmp_path: Path, images: Path) -> Path:
    """The images, with one dark one among the bright in training and in the test set."""
    data = tmp_path / "mislabeled"
    shutil.copytree(images, data)
    for part in ("train", "test"):
        shutil.move(data / part / "dark" / "0.png", data / part / "bright" / "wrong.png")
    return data


@pytest.fixture
def run(tmp_path: Path, design: Path, mislabeled: Path, capsys: Output) -> Path:
    recipe = ["--recipe", "studio", "--epochs", "2", "--batch-size", "8", "--validation-share", "0.2"]
    arguments = [
        "train",
        str(design),
        "--data",
        str(mislabeled),
        *recipe,
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    assert main([*arguments, "--run", str(tmp_path / "before"), "--json"]) == 0
    capsys.readouterr()
    return tmp_path / "before"


def test_a_run_is_trained_again_on_corrected_images_and_both_are_compared_on_these(
    run: Path, mislabeled: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(["runs", "retrain", str(run)]) == 2
    assert "Nothing has changed in mislabeled since the run was trained on it" in capsys.readouterr().err

    labels = [f"{part}/bright/wrong.png=dark" for part in ("train", "test")]
    assert main(["data", "label", str(mislabeled), "--set", *labels, "--exclude", "train/dark/3.png"]) == 0
    capsys.readouterr()
    assert main(["runs", "retrain", str(run), "--run", str(tmp_path / "after"), "--json"]) == 0
    *events, found = map(json.loads, capsys.readouterr().out.splitlines())
    assert events[-1]["event"] == "Finished"
    assert (found["event"], found["before"], found["after"]) == (
        "Retrained",
        str(run),
        str(tmp_path / "after"),
    )
    assert found["changes"] == "2 labels corrected, 1 image excluded"
    before, after = Run.open(run), Run.open(tmp_path / "after")
    assert after.recipe == before.recipe
    assert after.network == before.network
    assert after.test is not None
    assert found["test"]["after"]["accuracy"] == pytest.approx(after.test.accuracy)
    assert (found["test"]["images"], found["validation"]["images"]) == (10, 8)
    assert before.test is not None
    assert found["recorded_test_accuracy"] == before.test.accuracy
    assert "One run of each cannot tell a difference from the chance of the seed" in found["verdict"]
    # The training of the second, and the look of the first at the corrected images.
    assert found["evaluated"] == evaluation_count(after.data_version) == 2

    # What was trained once is only compared.
    assert main(["runs", "retrain", str(run)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("after is this training on the images as they are corrected now.")
    assert "2 labels corrected, 1 image excluded." in text
    assert "The corrected test images were evaluated 2 times." in text


def test_a_learning_curve_ends_with_the_run_itself_and_is_measured_once(
    run: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["runs", "learning-curve", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["fraction"] for point in found["points"]] == [0.1, 0.25, 0.5, 1]
    assert [point["images"] for point in found["points"]] == [4, 9, 17, 32]
    assert [point["epochs"] for point in found["points"]] == [8, 8, 4, 2]
    opened = Run.open(run)
    best = next(epoch for epoch in opened.history if epoch.epoch == opened.best_epoch)
    assert found["points"][-1]["accuracy"] == best.validation.accuracy
    assert found["validation_images"] == 8
    # The test images were looked at by the training of the run alone.
    assert evaluation_count(opened.data_version) == 1

    def refuse(*arguments: object, **named: object) -> None:
        raise LearningCurveError("It is trained again.")

    monkeypatch.setattr("cnnstudio.training.trainer.train_prepared", refuse)
    assert main(["runs", "learning-curve", str(run)]) == 0
    text = capsys.readouterr().out
    assert "Validation accuracy" in text
    assert found["verdict"] in text
    (run / RESULT_FILE).write_text('{"points": [')
    assert main(["runs", "learning-curve", str(run)]) == 2
    assert "It is trained again." in capsys.readouterr().err
