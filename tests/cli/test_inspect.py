"""`cnnstudio inspect`, and `cnnstudio evaluate` at an epoch."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.core.files import write_json
from cnnstudio.data.dataset import ResizeMode, Split
from cnnstudio.data.images import image_files
from cnnstudio.insight.catalog import instruments
from cnnstudio.insight.predictions import evaluate
from cnnstudio.runs.epochs.kept_weights import kept_epochs
from cnnstudio.runs.event_log import read_events
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.events import Started
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.networks import tiny

Output = pytest.CaptureFixture[str]
CPU = ("--device", "cpu", "--threads", "1")


def inspect(capsys: Output, run: Path, *arguments: str) -> dict[str, Any]:
    assert main(["inspect", str(run), *arguments, "--json", *CPU]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: Output, *arguments: str) -> str:
    assert main(["inspect", *arguments]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize("name", instruments())
def test_every_instrument_is_shown_as_text_json_and_image(
    trained: Path, capsys: Output, tmp_path: Path, name: str
) -> None:
    image = tmp_path / "drawn.png"
    found = inspect(capsys, trained, "--instrument", name, "--out", str(image))
    assert list(found) == ["run", "epoch", "instrument", "layer", "data"]
    assert (found["run"], found["instrument"]) == (str(trained), name)
    assert found["epoch"] == Run.open(trained).best_epoch
    with Image.open(image) as drawn:
        assert drawn.mode == "RGB"
        assert len(drawn.getcolors(2**24)) > 1, "it is a blank image"
    assert main(["inspect", str(trained), "--instrument", name, *CPU]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Small, epoch {found['epoch']}: ")
    assert text.endswith(".\n")


def test_pixels_are_only_in_the_image(trained: Path, capsys: Output) -> None:
    data = inspect(capsys, trained, "--instrument", "feature_maps")["data"]
    assert data["maps"] == {"shape": [4, 6, 6]}
    data = inspect(capsys, trained, "--instrument", "mistakes")["data"]
    assert list(data["unsure_images"]) == ["shape"]
    assert data["unsure_index"]["shape"] == [len(data["unsure_index"]["values"])]


def test_the_epoch_can_be_chosen(trained: Path, capsys: Output) -> None:
    first, last = kept_epochs(trained)[0], kept_epochs(trained)[-1]
    before, after = (
        inspect(capsys, trained, "--instrument", "filters", "--epoch", str(epoch)) for epoch in (first, last)
    )
    assert (before["epoch"], after["epoch"], before["layer"]) == (first, last, "conv2d_1")
    assert before["data"]["norms"] != after["data"]["norms"]
    change = inspect(capsys, trained, "--instrument", "filters", "--epoch", str(last), "--since", str(first))[
        "data"
    ]["change"]
    assert min(change["values"]) > 0


def test_layer_image_and_split_can_be_chosen(trained: Path, capsys: Output, images: Path) -> None:
    image = str(images / "test" / "bright" / "0.png")
    maps = inspect(
        capsys,
        trained,
        *("--instrument", "feature_maps", "--layer", "max_pooling2d_1", "--image", image),
    )
    assert (maps["layer"], maps["data"]["node_id"]) == ("max_pooling2d_1", "max_pooling2d_1")
    predictions = inspect(capsys, trained, "--instrument", "predictions", "--image", image)
    assert predictions["layer"] is None
    assert predictions["data"]["labels"]["values"] == [-1]
    test = inspect(capsys, trained, "--instrument", "confusion", "--split", "test")
    assert np.sum(test["data"]["counts"]["values"]) == 10
    train = inspect(capsys, trained, "--instrument", "confusion", "--split", "train")
    assert np.sum(train["data"]["counts"]["values"]) == 40


def test_wrong_input_is_one_sentence(trained: Path, capsys: Output, tmp_path: Path) -> None:
    run = str(trained)
    assert "choose one of feature_maps, filters" in refused(capsys, run, "--instrument", "x-ray")
    assert "no layer “dense_7”; choose one of conv2d_1" in refused(
        capsys, run, "--instrument", "filters", "--layer", "dense_7"
    )
    assert "dense_1 has no kernels" in refused(capsys, run, "--instrument", "filters", "--layer", "dense_1")
    assert "epoch 99 were not kept; there are those of epochs 0" in refused(
        capsys, run, "--instrument", "filters", "--epoch", "99"
    )
    assert "ends in .png" in refused(capsys, run, "--instrument", "filters", "--out", str(tmp_path / "a.jpg"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n")
    assert "broken.png" in refused(capsys, run, "--instrument", "predictions", "--image", str(broken))
    assert not list(tmp_path.glob("*.jpg"))


def test_damaged_weights_are_one_sentence(trained: Path, capsys: Output, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(trained, run)
    (run / "weights" / "epoch-000.safetensors").write_bytes(b"\0" * 64)
    text = refused(capsys, str(run), "--instrument", "filters", "--epoch", "0")
    assert text == "cnnstudio: The kept weights in epoch-000.safetensors are damaged.\n"


def test_a_run_without_kept_weights_shows_its_best(trained: Path, capsys: Output, tmp_path: Path) -> None:
    run = tmp_path / "copy"
    shutil.copytree(trained, run)
    shutil.rmtree(run / "weights")
    assert inspect(capsys, run, "--instrument", "filters")["epoch"] == Run.open(run).best_epoch


def test_evaluate_at_an_epoch_gives_the_recorded_figures(trained: Path, capsys: Output) -> None:
    for ended in Run.open(trained).history:
        if ended.epoch not in kept_epochs(trained):
            continue
        arguments = ["evaluate", str(trained), "--split", "validation", "--epoch", str(ended.epoch)]
        assert main([*arguments, "--json", *CPU]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["epoch"], result["split"]) == (ended.epoch, "validation")
        assert result["accuracy"] == pytest.approx(ended.validation.accuracy, abs=0.001)
        assert result["loss"] == pytest.approx(ended.validation.loss, abs=0.001)
    assert main(["evaluate", str(trained), "--epoch", "77", *CPU]) == 2
    assert "epoch 77 were not kept" in capsys.readouterr().err


def test_the_text_names_the_epoch_of_the_weights(trained: Path, capsys: Output) -> None:
    assert main(["evaluate", str(trained), *CPU]) == 0
    epoch = Run.open(trained).best_epoch
    assert capsys.readouterr().out.startswith(f"Small, epoch {epoch}, on 10 test images")


def test_predictions_of_a_run_with_test_time_flips_are_those_that_evaluate_counts(
    capsys: Output, tmp_path: Path
) -> None:
    recipe = Recipe(epochs=1, batch_size=16, learning_rate=0.05, test_time_flip=True)
    start_run(tiny(), colors(), recipe, RunOptions(folder=tmp_path / "run"))
    run, image = Run.open(tmp_path / "run"), tmp_path / "ramp.png"
    channels, height, width = run.network.input.dims
    pixels = np.arange(channels * height * width).astype(np.uint8).reshape(height, width, channels)
    Image.fromarray(pixels).save(image)
    assert main(["predict", str(run.folder), str(image), "--json", *CPU]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    split = Split(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None], np.array([0]))
    loss = evaluate(run.model(), split, run.classes, flip=True).loss
    assert -math.log(found["probabilities"][run.classes[0]]) == pytest.approx(loss, abs=1e-5)
    unflipped = evaluate(run.model(), split, run.classes).loss
    assert loss != pytest.approx(unflipped, abs=1e-4)


@pytest.mark.parametrize("command", ["evaluate", "predict", "inspect", "export"])
def test_commands_say_that_a_run_failed(
    trained: Path, images: Path, capsys: Output, tmp_path: Path, command: str
) -> None:
    run = tmp_path / "failed-run"
    shutil.copytree(trained, run)
    description = json.loads((run / "run.json").read_text())
    reason = "The weights of epoch 3 could not be saved.\x1b[31m"
    write_json(run / "run.json", {**description, "status": "failed", "reason": reason})
    more = {
        "evaluate": CPU,
        "predict": [str(images / "test" / "dark" / "0.png"), *CPU],
        "inspect": ["--instrument", "filters", *CPU],
        "export": ["--format", "safetensors", "--no-verify", "--out", str(tmp_path / "out")],
    }[command]
    assert main([command, str(run), *more]) == 0
    captured = capsys.readouterr()
    told = "Note: the run failed-run failed. The weights of epoch 3 could not be saved.\n"
    assert captured.err.replace(" [31m", "") == told


def test_new_images_are_resized_as_those_of_the_training_were(
    capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = dataclasses.replace(colors(), resize="fit")
    start_run(tiny(), data, Recipe(epochs=1, batch_size=16), RunOptions(folder=tmp_path / "run"))
    run = Run.open(tmp_path / "run")
    assert run.resize == "fit"
    Image.new("RGB", (60, 20), (220, 220, 220)).save(tmp_path / "wide.png")
    modes: list[ResizeMode] = []
    resize_image = image_files.resize_image

    def resize(image: Image.Image, size: tuple[int, int], mode: ResizeMode) -> Image.Image:
        modes.append(mode)
        return resize_image(image, size, mode)

    monkeypatch.setattr(image_files, "resize_image", resize)
    assert main(["predict", str(run.folder), str(tmp_path / "wide.png")]) == 0
    inspect = [
        "inspect",
        str(run.folder),
        "--instrument",
        "predictions",
        "--image",
        str(tmp_path / "wide.png"),
    ]
    assert main(inspect) == 0
    assert modes == ["fit", "fit"]
    (started,) = read_events(run.folder / "events.jsonl", Started)
    assert started.resize == "fit"
