"""`cnnstudio train`, and the commands that use the run afterwards."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image
from send2trash import TrashPermissionError

from cnnstudio.cli.main import main
from cnnstudio.core.progress import CancelFunction, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.design.file import write_design
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.runs.run import Run

Output = pytest.CaptureFixture[str]


def lines_of(output: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.readouterr().out.splitlines()]


def error_line(output: Output) -> str:
    """The only line on standard error; standard output is empty."""
    out, err = output.readouterr()
    assert out == ""
    assert err.startswith("cnnstudio: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def train(design: Path, images: Path, tmp_path: Path) -> list[str]:
    """The arguments of a command that trains into `tmp_path / "run"`."""
    recipe = ["--recipe", "lesson", "--epochs", "2", "--batch-size", "8"]
    hardware = ["--device", "cpu", "--threads", "1", "--run", str(tmp_path / "run")]
    return ["train", str(design), "--data", str(images), *recipe, *hardware]


def test_train_prints_every_event_as_a_line_with_the_documented_keys(
    train: list[str], capsys: Output, tmp_path: Path
) -> None:
    assert main([*train, "--json"]) == 0
    events = lines_of(capsys)
    assert events[0]["event"] == "Started"
    epochs = [event for event in events if event["event"] == "EpochEnded"]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert {"train", "validation", "images_per_second", "learning_rate", "seconds"} <= set(epochs[0])
    assert set(epochs[0]["validation"]) == {"loss", "accuracy"}
    finished = events[-1]
    assert finished["event"] == "Finished"
    assert finished["outcome"] == "completed"
    assert set(finished["test"]) == {"loss", "accuracy"}
    assert finished["run"] == str(tmp_path / "run")
    assert Run.open(tmp_path / "run").status == "completed"


def test_train_prints_a_table_of_epochs_for_people(train: list[str], capsys: Output, tmp_path: Path) -> None:
    assert main(train) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "40 training images, 10 validation images (the test set)" in out
    rows = [line for line in out.splitlines() if line.strip().startswith(("Epoch", "1 ", "2 "))]
    assert len(rows) == 4
    assert "Test: accuracy" in out
    assert f"Run: {tmp_path / 'run'}" in out
    assert "\r" not in out


def test_classes_far_apart_in_size_are_said_with_the_setting_that_helps(
    train: list[str], images: Path, capsys: Output, tmp_path: Path
) -> None:
    folder = tmp_path / "uneven"
    for part, name, count in (
        ("train", "bright", 20),
        ("train", "dark", 4),
        ("test", "bright", 5),
        ("test", "dark", 5),
    ):
        (folder / part / name).mkdir(parents=True)
        for number in range(count):
            shutil.copy(images / part / name / f"{number}.png", folder / part / name)
    train[train.index(str(images))] = str(folder)
    assert main(train) == 0
    out, err = capsys.readouterr()
    said = (
        "Note: The classes differ widely in size, from 4 images of dark to 20 of bright. "
        "With balanced class weights (class_weights in the recipe), all classes count the same.\n"
    )
    assert said in out
    assert "differ widely" not in err
    assert main([*train[:-1], str(tmp_path / "balanced"), "--class-weights", "balanced"]) == 0
    assert "differ widely" not in capsys.readouterr().out


def test_options_override_the_recipe(train: list[str], tmp_path: Path) -> None:
    more = ["--optimizer", "sgd", "--learning-rate", "0.5", "--seed", "7", "--shift", "1", "--lookahead"]
    assert main([*train, *more, "--flip", "alternating"]) == 0
    recipe = Run.open(tmp_path / "run").recipe
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer) == (2, 8, "sgd")
    assert (recipe.learning_rate, recipe.seed, recipe.lookahead) == (0.5, 7, True)
    assert (recipe.flip, recipe.shift) == ("alternating", 1)


def test_a_run_is_resumed_where_it_stopped(
    train: list[str], design: Path, capsys: Output, tmp_path: Path
) -> None:
    assert main(train) == 0
    capsys.readouterr()
    resume = ["--run", str(tmp_path / "run"), "--resume", "--epochs", "3", "--device", "cpu"]
    assert main(["train", str(design), *resume, "--threads", "1", "--json"]) == 0
    epochs = [event["epoch"] for event in lines_of(capsys) if event["event"] == "EpochEnded"]
    assert epochs == [3]
    assert len(Run.open(tmp_path / "run").history) == 3


def test_runs_without_a_folder_go_into_the_runs_folder(train: list[str], capsys: Output, home: Path) -> None:
    assert main(train[: train.index("--run")]) == 0
    capsys.readouterr()
    assert main(["runs", "list", "--json"]) == 0
    (run,) = lines_of(capsys)[0]["runs"]
    assert Path(run["folder"]).parent == home / "runs"
    assert main(["runs", "show", run["id"]]) == 0
    # What a process leaves that is killed while it writes.
    (Path(run["folder"]) / ".run.json.01234567.tmp").touch()
    assert main(["runs", "delete", run["id"], "--permanently"]) == 0
    assert list((home / "runs").iterdir()) == []


def test_a_run_continues_with_a_changed_design_and_lists_what_it_keeps(
    train: list[str], design: Path, capsys: Output, tmp_path: Path
) -> None:
    assert main(train) == 0
    capsys.readouterr()
    content = json.loads(design.read_text())
    content["layers"].insert(1, {"type": "BatchNormalization"})
    changed = tmp_path / "changed.cnn.json"
    changed.write_text(json.dumps(content))
    more = ["--continue-from", str(tmp_path / "run"), "--run", str(tmp_path / "second"), "--epochs", "3"]
    assert main(["train", str(changed), *more, "--device", "cpu", "--threads", "1", "--json"]) == 0
    started, few, carried, *rest = lines_of(capsys)
    assert (started["event"], started["first_epoch"]) == ("Started", 3)
    assert (few["event"], few["message"][:5]) == ("Warned", "Only ")
    assert carried["event"] == "CarriedOver"
    assert carried["lines"][-1].startswith("Reinitialized: BatchNormalization (layer 2)")
    assert [event["epoch"] for event in rest if event["event"] == "EpochEnded"] == [3]
    assert main(["train", str(changed), *more[:2], "--run", str(tmp_path / "third")]) == 2
    assert "epochs: that run has already completed 2 epochs" in error_line(capsys)
    assert not (tmp_path / "third").exists()


def test_a_run_is_saved_as_often_as_requested(train: list[str], tmp_path: Path) -> None:
    assert main([*train, "--checkpoint-every", "2"]) == 0
    names = {path.stem.split(".")[0] for path in (tmp_path / "run" / "checkpoints").glob("*.safetensors")}
    # 40 images in batches of 8: the last epoch has 5 steps.
    assert "epoch-00002" in names
    assert "step-000000010" in names


# Invalid input


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--epochs", "0"], "--epochs: must be between 1 and 10,000, got 0"),
        (["--epochs", "two"], "--epochs: must be an integer from 1 to 10,000, got “two”"),
        (["--batch-size", "-3"], "--batch-size"),
        (["--learning-rate", "nan"], "--learning-rate"),
        (["--optimizer", "lion"], "“lion” is not valid; choose sgd, adam, adamw, rmsprop or muon"),
        (["--threads", "0"], "--threads: must be an integer from 1 to 1,024"),
        (["--device", "cuda:99"], "this machine has no “cuda:99”; available: cpu"),
        (["--recipe", "fastest"], "no recipe or file named “fastest”"),
        (["--data", "birds"], "There is no data set or folder “birds”"),
        (["--data", "mnist"], "cnnstudio data download mnist"),
        (["--data", "cifar10"], "cnnstudio data download cifar10"),
        (["--resume"], "There is no run in"),
        (
            ["--checkpoint-every", "often"],
            "--checkpoint-every: must be a number of steps such as 500 or a time such as 30s",
        ),
        (["--continue-from", "nowhere"], "There is no run “nowhere”"),
        (["--resume", "--continue-from", "nowhere"], "use either --resume"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_input_prints_one_line_and_leaves_nothing_behind(
    train: list[str], options: list[str], expected: str, capsys: Output, tmp_path: Path
) -> None:
    assert main([*train, *options]) == 2
    assert expected in error_line(capsys)
    assert not (tmp_path / "run").exists()


def test_a_design_with_problems_is_refused_before_any_image_is_read(
    capsys: Output, tmp_path: Path, images: Path
) -> None:
    ids = IdGenerator()
    path = tmp_path / "faulty.cnn.json"
    write_design(path, Network(Shape.of(3, 8, 8), (ids.node(Conv2D(4)), ids.node(Dense(2)))))
    assert main(["train", str(path), "--data", str(images)]) == 2
    assert "Dense takes a flat vector, but gets 4 × 6 × 6 from Conv2D: insert Flatten" in error_line(capsys)


def test_a_design_for_another_number_of_classes_is_refused(capsys: Output, images: Path) -> None:
    assert main(["train", "lesson-32", "--data", str(images), "--device", "cpu"]) == 2
    assert "outputs 10 scores, but the data has 2 classes" in error_line(capsys)


def test_an_existing_run_is_not_overwritten(train: list[str], trained: Path, capsys: Output) -> None:
    before = (trained / "run.json").read_bytes()
    capsys.readouterr()
    assert main([*train, "--run", str(trained)]) == 2
    assert str(trained) in error_line(capsys)
    assert (trained / "run.json").read_bytes() == before


def test_a_loss_that_is_not_finite_exits_with_1(train: list[str], capsys: Output, tmp_path: Path) -> None:
    ids = IdGenerator()
    layers = (Conv2D(4), Conv2D(4), Flatten(), Dense(2))
    train[1] = str(tmp_path / "wild.cnn.json")
    write_design(Path(train[1]), Network(Shape.of(3, 8, 8), tuple(map(ids.node, layers))))
    # Each step makes the weights 99 times larger.
    wild = ["--optimizer", "sgd", "--learning-rate", "100", "--weight-decay", "1", "--epochs", "50"]
    assert main([*train, *wild, "--json"]) == 1
    assert lines_of(capsys)[-1]["outcome"] == "failed"


# Stopping


class SignalAtAnEpoch(io.StringIO):
    """Standard output that sends this process a signal when the first epoch is printed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.is_sent = False

    def write(self, text: str) -> int:
        if '"EpochEnded"' in text and not self.is_sent:
            self.is_sent = True
            os.kill(os.getpid(), self.number)
        return super().write(text)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_with_a_checkpoint(
    train: list[str], number: int, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, out = signal.getsignal(number), SignalAtAnEpoch(number)
    monkeypatch.setattr(sys, "stdout", out)
    assert main([*train, "--epochs", "10000", "--json"]) == 130
    assert signal.getsignal(number) is before
    assert capsys.readouterr().err == ""
    assert json.loads(out.getvalue().splitlines()[-1])["outcome"] == "stopped"
    run = Run.open(tmp_path / "run")
    assert run.status == "stopped"
    run.model("best")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_signal_while_images_are_loading_leaves_nothing_behind(
    train: list[str], capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: ImageFolder, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            raise_if_cancelled(cancelled)

    monkeypatch.setattr(ImageFolder, "load", load)
    assert main(train) == 130
    assert error_line(capsys) == "cnnstudio: stopped\n"
    assert not (tmp_path / "run").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_closed_pipe_stops_the_run(train: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnnstudio", *train, "--epochs", "10000", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as errors:
        assert errors.read() == ""
    assert process.wait(240) == 130
    assert Run.open(tmp_path / "run").status == "stopped"


# Afterwards


def test_evaluate_has_the_documented_keys(trained: Path, capsys: Output) -> None:
    assert main(["evaluate", str(trained), "--json"]) == 0
    (result,) = lines_of(capsys)
    assert set(result["per_class"]) == {"bright", "dark"}
    for scores in result["per_class"].values():
        assert list(scores) == ["accuracy", "precision", "recall", "f1", "support"]
        assert scores["support"] == 5
    assert sum(map(sum, result["confusion"])) == 10
    assert sum(row["count"] for row in result["calibration"]["bins"]) == 10
    assert 0 <= result["calibration"]["ece"] <= 1
    test = Run.open(trained).test
    assert test is not None
    assert result["accuracy"] == pytest.approx(test.accuracy)
    assert result["loss"] == pytest.approx(test.loss, rel=1e-4)
    assert result["images"] == 10


def test_evaluate_shows_each_class(trained: Path, capsys: Output) -> None:
    assert main(["evaluate", str(trained), "--split", "train"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Small, epoch 3, on 40 training images of brightness\n")
    assert "\nbright " in out
    assert "\nAccuracy " in out


def test_each_evaluation_on_the_test_set_is_counted(train: list[str], capsys: Output, tmp_path: Path) -> None:
    assert main(train) == 0
    run = str(tmp_path / "run")
    capsys.readouterr()
    for split, expected in (("test", 2), ("train", None), ("test", 3)):
        assert main(["evaluate", run, "--split", split, "--json"]) == 0
        assert lines_of(capsys)[0]["test_evaluations"] == expected
    assert main(["evaluate", run]) == 0
    assert capsys.readouterr().out.endswith("\nTest set evaluated 4 times\n")
    assert main(["runs", "show", run]) == 0
    assert "Test set       evaluated 4 times\n" in capsys.readouterr().out
    assert main(["runs", "show", run, "--json"]) == 0
    assert lines_of(capsys)[0]["test_evaluations"] == 4
    export = ["export", run, "--format", "safetensors", "--no-verify", "--out", str(tmp_path / "exported")]
    assert main(export) == 0
    assert re.search(
        r"Test accuracy [0-9.]+%, of the best epoch on the test images, evaluated 4 times\.",
        capsys.readouterr().out,
    )


def test_evaluate_on_other_classes_is_refused(trained: Path, capsys: Output) -> None:
    assert main(["evaluate", str(trained), "--data", "shapes"]) == 2
    assert "the run has the classes bright, dark, but Shapes has arrow" in error_line(capsys)


def test_predict_names_the_class_of_each_image(trained: Path, capsys: Output, tmp_path: Path) -> None:
    images = []
    for name, level in (("white", 220), ("black", 30)):
        images.append(str(tmp_path / f"{name}.png"))
        Image.new("RGB", (30, 20), (level, level, level)).save(images[-1])
    assert main(["predict", str(trained), *images, "--json"]) == 0
    (result,) = lines_of(capsys)
    assert [entry["image"] for entry in result["predictions"]] == images
    assert [entry["class"] for entry in result["predictions"]] == ["bright", "dark"]
    assert sum(result["predictions"][0]["probabilities"].values()) == pytest.approx(1)
    assert main(["predict", str(trained), *images]) == 0
    assert capsys.readouterr().out.startswith(f"{images[0]}: bright ")


def test_a_folder_of_unlabeled_images_is_predicted_into_a_table(
    trained: Path, capsys: Output, tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    (folder / "more").mkdir(parents=True)
    Image.new("RGB", (30, 20), (220, 220, 220)).save(folder / "=white.png")
    Image.new("RGB", (30, 20), (30, 30, 30)).save(folder / "more" / "black.png")
    (folder / "broken.png").write_bytes(b"no image")
    out = tmp_path / "predictions.csv"
    assert main(["predict", str(trained), str(folder), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{out}: 2 images, most often ")
    assert "broken.png" in printed.err
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(Path(row["file"]).name, row["label"]) for row in rows] == [
        ("=white.png", "bright"),
        ("black.png", "dark"),
    ]
    assert float(rows[0]["bright"]) == float(rows[0]["probability"]) > 0.5
    assert main(["predict", str(trained), str(folder), "--json"]) == 0
    (result,) = lines_of(capsys)
    assert [Path(entry["image"]).name for entry in result["skipped"]] == ["broken.png"]
    assert main(["predict", str(trained), str(tmp_path), "--out", str(folder)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_an_image_that_cannot_be_read_is_named(trained: Path, capsys: Output, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"\x89PNG\r\n")
    assert main(["predict", str(trained), str(path)]) == 2
    assert str(path) in error_line(capsys)


def test_export_writes_and_verifies(trained: Path, capsys: Output, tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert main(["export", str(trained), "--format", "safetensors", "--out", str(out), "--json"]) == 0
    (result,) = lines_of(capsys)
    (export,) = result["exports"]
    assert export["format"] == "safetensors"
    assert export["largest_difference"] == 0
    assert {Path(path).name for path in export["files"]} == {path.name for path in out.iterdir()}


def test_a_failed_export_exits_with_1_and_the_others_are_written(
    trained: Path, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnstudio.export import ExportFailed, exporters

    def fail(verification: object) -> None:
        raise ExportFailed("the exported model gives other results")

    monkeypatch.setattr(exporters()["pytorch"], "verify", fail)
    out = tmp_path / "model"
    assert main(["export", str(trained), "--format", "pytorch,safetensors", "--out", str(out)]) == 1
    printed, err = capsys.readouterr()
    assert err == "cnnstudio: PyTorch: the exported model gives other results\n"
    assert printed.startswith("Weights: ")
    written = {"design.cnn.json", "model.safetensors", "training-features.safetensors"}
    assert {path.name for path in out.iterdir()} == written


@pytest.mark.parametrize(
    ("formats", "out", "expected"),
    [
        ("pt2", "model", "there is no export format “pt2”; choose from safetensors, onnx, pytorch"),
        (",", "model", "no export format is given"),
        ("onnx", "file", "is a file; choose a folder"),
        ("onnx", "file/below", "is not writable"),
    ],
)
def test_an_invalid_export_prints_one_line(
    trained: Path, formats: str, out: str, expected: str, capsys: Output, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["export", str(trained), "--format", formats, "--out", str(tmp_path / out)]) == 2
    assert expected in error_line(capsys)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["file"]


def test_two_runs_are_compared_side_by_side(trained: Path, train: list[str], capsys: Output) -> None:
    assert main([*train, "--seed", "5"]) == 0
    capsys.readouterr()
    other = train[train.index("--run") + 1]
    assert main(["runs", "compare", str(trained), other]) == 0
    rows = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["Seed"].endswith("≠")
    assert not rows["Batch size"].endswith("≠")
    assert main(["runs", "compare", str(trained), other, "--json"]) == 0
    (result,) = lines_of(capsys)
    assert [run["recipe"]["seed"] for run in result["runs"]] == [0, 5]


def test_runs_show_lists_every_epoch(trained: Path, capsys: Output) -> None:
    assert main(["runs", "show", str(trained), "--json"]) == 0
    (result,) = lines_of(capsys)
    assert [epoch["epoch"] for epoch in result["epochs"]] == [1, 2, 3]
    assert re.fullmatch("[0-9a-f]{16}", result["data_version"])
    assert main(["runs", "show", str(trained)]) == 0
    printed = capsys.readouterr().out
    assert "Network        Small, " in printed
    assert f"Data version   {result['data_version']}" in printed


def test_the_window_opens_a_run_by_its_name(
    train: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str | None] = []
    window = ModuleType("cnnstudio.gui.shell.app")
    monkeypatch.setitem(sys.modules, "cnnstudio.gui.shell.app", window)
    monkeypatch.setattr(window, "main", lambda path: opened.append(path) or 0, raising=False)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert main([*train[: train.index("--run")], "--run", str(home / "runs" / "mine")]) == 0
    assert main(["gui", "mine"]) == 0
    assert main([train[1]]) == 0
    assert main([]) == 0
    assert opened == [str(home / "runs" / "mine"), train[1], None]


@pytest.mark.parametrize(
    "command",
    ["evaluate nowhere", "predict nowhere a.png", "runs show nowhere", "runs delete nowhere"],
)
def test_a_missing_run_is_named(command: str, capsys: Output) -> None:
    assert main(command.split()) == 2
    assert "There is no run “nowhere”" in error_line(capsys)


@pytest.mark.parametrize("options", [[], ["--permanently"]])
def test_deleting_a_run_keeps_the_users_own_files(
    options: list[str], trained: Path, train: list[str], tmp_path: Path
) -> None:
    assert main(train) == 0
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert main(["runs", "delete", str(tmp_path / "run"), *options]) == 0
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


def test_a_deleted_run_is_in_the_trash_as_it_was(
    train: list[str], capsys: Output, tmp_path: Path, trash: Path
) -> None:
    assert main(train) == 0
    files = sorted(path.name for path in (tmp_path / "run").iterdir())
    capsys.readouterr()
    assert main(["runs", "delete", str(tmp_path / "run"), "--json"]) == 0
    assert lines_of(capsys) == [{"deleted": str(tmp_path / "run"), "permanently": False}]
    assert not (tmp_path / "run").exists()
    assert sorted(path.name for path in (trash / "run").iterdir()) == files


def test_without_a_trash_a_run_is_deleted_only_permanently(
    train: list[str], capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise TrashPermissionError("")

    monkeypatch.setattr("cnnstudio.runs.library.trash._send", refuse)
    assert main(train) == 0
    capsys.readouterr()
    assert main(["runs", "delete", str(tmp_path / "run")]) == 2
    assert "--permanently" in error_line(capsys)
    assert (tmp_path / "run" / "run.json").exists()
    assert main(["runs", "delete", str(tmp_path / "run"), "--permanently"]) == 0
    assert not (tmp_path / "run").exists()


def test_a_run_is_labeled_and_shown_with_its_label(train: list[str], capsys: Output, tmp_path: Path) -> None:
    assert main(train) == 0
    run = str(tmp_path / "run")
    capsys.readouterr()
    assert main(["runs", "label", run, "--title", "Baseline", "--tags", "good, keep,good", "--json"]) == 0
    assert lines_of(capsys) == [{"run": run, "title": "Baseline", "tags": ["good", "keep"], "note": ""}]
    assert main(["runs", "label", run, "--note", "First try."]) == 0
    assert main(["runs", "show", run]) == 0
    printed = capsys.readouterr().out
    for text in ("Baseline", "good, keep", "First try."):
        assert text in printed
    assert main(["runs", "label", run]) == 2
    assert "--title, --tags or --note" in error_line(capsys)


def test_a_packed_run_is_used_like_its_folder(
    train: list[str], capsys: Output, tmp_path: Path, home: Path
) -> None:
    assert main(train) == 0
    run, packed = tmp_path / "run", str(tmp_path / "handed over.zip")
    assert main(["runs", "pack", str(run), "--out", packed]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    (expected,) = lines_of(capsys)
    shutil.rmtree(run)
    assert main(["evaluate", packed, "--json"]) == 0
    (found,) = lines_of(capsys)
    again = expected["test_evaluations"] + 1
    assert {**found, "run": ""} == {**expected, "run": "", "test_evaluations": again}
    assert main(["runs", "show", packed, "--json"]) == 0
    assert lines_of(capsys)[0]["id"] == "run"
    assert main(["export", packed, "--format", "safetensors", "--out", str(tmp_path / "model")]) == 0
    for command in (["runs", "delete", packed], ["runs", "label", packed, "--title", "x"]):
        capsys.readouterr()
        assert main(command) == 2
        assert "was opened from a zip file" in error_line(capsys)
    assert not (home / "runs").exists()
