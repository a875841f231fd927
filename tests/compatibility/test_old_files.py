"""What version 0.1 wrote is read and gone on with as by version 0.1 itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.cli.main import main
from cnnstudio.data.sources import find_source
from cnnstudio.design.file import design_text, read_design
from cnnstudio.runs.run import Run
from cnnstudio.training.events import event_from_json
from cnnstudio.tuning.study import Study
from tests.compatibility.old_files import IMAGE_TIME, VERSION_0_1, image_paths

Output = pytest.CaptureFixture[str]

CPU = ["--device", "cpu", "--threads", "1"]
RUNS = {
    "finished": ("Every layer", "completed", 3),
    "stopped": ("Every layer", "stopped", 2),
    "first": ("Small one", "completed", 2),
    "continued": ("Small, changed", "completed", 3),
    "failed": ("No bend", "failed", None),
}
"""Id -> name of the network, status, best epoch."""
TEST_SCORES = {
    "finished": (0.6093155940373739, 0.75),
    "stopped": (0.6739999453226725, 0.75),
    "first": (0.4951764742533366, 0.75),
    "continued": (0.8962646325429281, 0.75),
}
"""Id -> loss and accuracy on the test images."""


def run(capsys: Output, *arguments: str | Path) -> list[dict[str, Any]]:
    """What the command prints with --json, line by line; it has to succeed."""
    capsys.readouterr()
    status = main([*map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def called(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


# Runs


def test_runs_are_listed(old: Path, capsys: Output) -> None:
    (listing,) = run(capsys, "runs", "list")
    found = {each["id"]: (each["name"], each["status"], each["best_epoch"]) for each in listing["runs"]}
    assert found == RUNS
    assert [each["id"] for each in listing["runs"]] == ["failed", "continued", "first", "stopped", "finished"]


def test_a_finished_run_is_shown_epoch_by_epoch(old: Path, capsys: Output) -> None:
    (shown,) = run(capsys, "runs", "show", "finished")
    assert [epoch["validation"]["accuracy"] for epoch in shown["epochs"]] == [0.625, 0.5, 0.75, 0.625, 0.625]
    assert [epoch["best"] for epoch in shown["epochs"]] == [True, False, True, False, False]
    assert shown["data"] == "brightness"
    assert (shown["recipe"]["optimizer"], shown["recipe"]["learning_rate"]) == ("sgd", 0.1)
    assert (shown["test"]["loss"], shown["test"]["accuracy"]) == TEST_SCORES["finished"]


def test_what_was_diagnosed_is_shown(old: Path, capsys: Output) -> None:
    (shown,) = run(capsys, "runs", "show", "failed")
    assert [event["kind"] for event in shown["diagnosed"]] == ["diverged"]
    assert shown["test"] is None


def test_runs_are_compared(old: Path, capsys: Output) -> None:
    (compared,) = run(capsys, "runs", "compare", "first", "continued")
    assert [each["id"] for each in compared["runs"]] == ["first", "continued"]


SHAPES = (
    "a4eebade1dd3a932ea57adda56db2d78188c435251e9d7e8c749df1f8a0422ae",
    "62c8f5edf9cb7b57178d2ed3170292dee35f174c6102662270d83701e735c6fe",
    "cfcb5f37afca5536ffa8dee018e1f652a34544f0be5b846fe8bb499dd3dbcdf2",
)
"""Of the shapes as version 0.1 drew them with AVX-512, with AVX2 and with neither."""


def trained_on_shapes(path: Path, fingerprint: str) -> None:
    """Notes in `run.json` or `study.json` that it was trained on the shapes."""
    content = json.loads(path.read_text())
    content["data"] |= {"source": "shapes", "fingerprint": fingerprint}
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("fingerprint", SHAPES)
def test_the_shapes_are_the_images_of_old_runs_from_every_processor(old: Path, fingerprint: str) -> None:
    shapes = find_source("shapes").load()
    trained_on_shapes(old / "home" / "runs" / "finished" / "run.json", fingerprint)
    assert Run.open(old / "home" / "runs" / "finished").dataset_fingerprint == shapes.fingerprint
    search = old / "home" / "searches" / "small-search"
    trained_on_shapes(search / "study.json", fingerprint)
    Study.open(search).require_dataset(shapes)


@pytest.mark.parametrize("name", RUNS)
def test_every_event_is_known_and_says_the_same_again(name: str) -> None:
    for line in lines(VERSION_0_1 / "home" / "runs" / name / "events.jsonl"):
        assert event_from_json(line).to_json() == line


@pytest.mark.parametrize("name", TEST_SCORES)
def test_the_best_weights_reach_the_scores_that_were_noted(name: str, old: Path, capsys: Output) -> None:
    (found,) = run(capsys, "evaluate", name, *CPU)
    assert (found["loss"], found["accuracy"]) == pytest.approx(TEST_SCORES[name], abs=1e-4)
    assert found["classes"] == ["bright", "dark"]


def test_images_are_recognized_as_before(old: Path, capsys: Output) -> None:
    test = old / "brightness" / "test"
    (found,) = run(capsys, "predict", "finished", test / "bright" / "00.png", test / "dark" / "03.png", *CPU)
    bright = [each["probabilities"]["bright"] for each in found["predictions"]]
    assert bright == pytest.approx([0.54060959815979, 0.37186530232429504], abs=1e-4)


def test_a_run_is_exported_with_the_same_answers(old: Path, capsys: Output, tmp_path: Path) -> None:
    out = tmp_path / "model"
    (found,) = run(capsys, "export", "finished", "--format", "pytorch,safetensors", "--out", out)
    assert found["failures"] == []
    assert [each["format"] for each in found["exports"]] == ["pytorch", "safetensors"]
    assert max(each["largest_difference"] for each in found["exports"]) < 1e-4
    assert {path.name for path in out.iterdir()} >= {"design.cnn.json", "model.py", "model.safetensors"}


def test_a_stopped_run_goes_on_at_its_step_to_its_end(old: Path, capsys: Output) -> None:
    folder = old / "home" / "runs" / "stopped"
    before = lines(folder / "events.jsonl")
    said = run(capsys, "train", folder / "design.cnn.json", "--run", folder, "--resume", *CPU)
    (started,) = called(said, "Started")
    assert (started["steps_done"], started["first_epoch"], started["epochs"]) == (17, 3, 4)
    assert called(said, "Progress")[0]["first_step"] == 18
    (warned,) = called(said, "Warned")
    assert warned["message"].startswith("Only 12 validation images, which are the test images: ")
    assert [epoch["epoch"] for epoch in called(said, "EpochEnded")] == [3, 4]
    assert said[-1]["outcome"] == "completed"
    after = lines(folder / "events.jsonl")
    assert after[: len(before) - 1] == before[:-1], "all but its end stays"
    assert [epoch["epoch"] for epoch in called(after, "EpochEnded")] == [1, 2, 3, 4]
    assert json.loads((folder / "run.json").read_bytes())["status"] == "completed"


def test_a_finished_run_goes_on_for_more_epochs(old: Path, capsys: Output) -> None:
    folder = old / "home" / "runs" / "finished"
    resume = ["--run", folder, "--resume", "--epochs", "6"]
    said = run(capsys, "train", folder / "design.cnn.json", *resume, *CPU)
    assert called(said, "Started")[0]["steps_done"] == 30
    assert said[-1]["outcome"] == "completed"


def test_the_checkpoint_before_the_last_one_is_gone_on_from_where_that_is_damaged(
    old: Path, capsys: Output
) -> None:
    folder = old / "home" / "runs" / "finished"
    (folder / "checkpoints" / "epoch-00005.state.safetensors").unlink()
    said = run(capsys, "train", folder / "design.cnn.json", "--run", folder, "--resume", *CPU)
    assert called(said, "Started")[0]["steps_done"] == 24
    assert said[-1]["outcome"] == "completed"


def test_a_new_run_goes_on_with_what_an_old_one_has_learnt(old: Path, capsys: Output) -> None:
    design = old / "designs" / "changed.cnn.json"
    said = run(capsys, "train", design, "--continue-from", "first", "--epochs", "3", *CPU)
    (carried,) = called(said, "CarriedOver")
    assert (carried["kept"], carried["fresh"]) == (["conv2d_1"], ["dense_3", "dense_2"])
    assert (carried["step"], said[-1]["outcome"]) == (8, "completed")


def test_every_layer_keeps_its_weights_in_a_new_run(old: Path, capsys: Output) -> None:
    design = old / "designs" / "every-layer.cnn.json"
    said = run(capsys, "train", design, "--continue-from", "stopped", "--epochs", "5", *CPU)
    (carried,) = called(said, "CarriedOver")
    assert carried["fresh"] == []
    assert len(carried["kept"]) == 14
    assert said[-1]["outcome"] == "completed"


# Recipes


def test_an_own_recipe_has_all_its_values(old: Path, capsys: Output, tmp_path: Path) -> None:
    folder = tmp_path / "new-run"
    design = old / "designs" / "small.cnn.json"
    run(capsys, "train", design, "--data", "brightness", "--recipe", "mine", "--run", folder, *CPU)
    found = json.loads((folder / "recipe.json").read_bytes())
    # What is written is what "auto" comes to on this device.
    assert found.pop("precision") in ("float32", "bfloat16")
    assert found == {
        "format": "cnnstudio.recipe",
        "version": 1,
        "name": "mine",
        "epochs": 5,
        "patience": 7,
        "batch_size": 4,
        "accumulate": 2,
        "validation_share": 0.25,
        "seed": 3,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.8,
        "weight_decay": 0.0005,
        "clip_norm": 5.0,
        "norm_bias_rate": 2.0,
        "schedule": "one_cycle",
        "warm_up": 0.25,
        "warm_up_start": 0.1,
        "final_rate": 0.02,
        "step_epochs": 3,
        "step_factor": 0.25,
        "flip": "random",
        "shift": 1,
        "shift_border": "zero",
        "crop": 0.125,
        "cutout": 3,
        "brightness": 0.05,
        "contrast": 0.2,
        "saturation": 0.3,
        "mixup": 0.2,
        "cutmix": 0.5,
        "label_smoothing": 0.05,
        "class_weights": "none",
        "average_decay": 0.99,
        "lookahead": True,
        "feature_copies": 0,
        "unlock_after": 0,
        "unlock_groups": 1,
        "unlock_rate": 0.1,
        "batch_norm_statistics": "batch",
        "test_time_flip": True,
    }


# Searches


def test_a_search_goes_on_after_its_trials(old: Path, capsys: Output) -> None:
    pytest.importorskip("optuna")
    folder = old / "home" / "searches" / "small-search"
    before = json.loads((folder / "study.json").read_bytes())["trials"]
    resume = ["--run", folder, "--resume", "--trials", "4"]
    said = run(capsys, "search", old / "designs" / "small.cnn.json", *resume, *CPU)
    assert [(line["trial"], line["state"]) for line in called(said, "TrialEnded")] == [(4, "completed")]
    after = json.loads((folder / "study.json").read_bytes())["trials"]
    assert after[:3] == before
    assert [trial["number"] for trial in after] == [1, 2, 3, 4]
    (end,) = called(said, "SearchEnded")
    assert end["trials"] == {"completed": 4, "pruned": 0, "failed": 0}
    assert len(end["test"]) > 0


def test_a_search_file_says_what_another_search_varies(old: Path, capsys: Output, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    plan = old / "home" / "searches" / "small-search" / "search.json"
    what = ["--data", "brightness", "--search", plan, "--trials", "1", "--epochs", "1"]
    folder = tmp_path / "new-search"
    run(capsys, "search", old / "designs" / "small.cnn.json", *what, "--run", folder, *CPU)
    expected = json.loads(plan.read_bytes()) | {"trials": 1}
    assert json.loads((folder / "search.json").read_bytes()) == expected


# Data


def test_an_added_folder_is_a_data_set(old: Path, capsys: Output) -> None:
    (found,) = run(capsys, "data", "info", "brightness")
    assert found["available"]
    assert found["folder"] == str(old / "brightness")
    assert (found["classes"], found["train"], found["test"]) == (["bright", "dark"], 32, 12)


def test_decoded_images_are_used_as_they_are(old: Path, capsys: Output) -> None:
    for path in image_paths(old):
        # Nobody could decode these, and by size and time they are the old ones.
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=(IMAGE_TIME, IMAGE_TIME))
    (found,) = run(capsys, "evaluate", "finished", *CPU)
    assert (found["loss"], found["accuracy"]) == pytest.approx(TEST_SCORES["finished"], abs=1e-4)


def test_images_that_are_decoded_anew_are_the_same_data_set(old: Path, capsys: Output) -> None:
    run(capsys, "data", "clear")
    main(["evaluate", "finished", *CPU])
    assert "not those of the training" not in capsys.readouterr().err


# Designs


@pytest.mark.parametrize("path", sorted((VERSION_0_1 / "designs").iterdir()), ids=lambda path: path.stem)
def test_a_design_is_written_as_it_was_read(path: Path) -> None:
    assert design_text(read_design(path)) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "parameters"), [("every-layer", 787), ("small", 206), ("changed", 266), ("linear", 160)]
)
def test_a_design_has_the_same_size_as_before(name: str, parameters: int, old: Path, capsys: Output) -> None:
    (found,) = run(capsys, "summary", old / "designs" / f"{name}.cnn.json")
    assert (found["parameters"], found["problems"]) == (parameters, [])
