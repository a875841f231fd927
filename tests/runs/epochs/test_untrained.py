"""Weights that were not trained are said where they are taken elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch

from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.export import exporters
from cnnstudio.runs.epochs import untrained
from cnnstudio.runs.epochs.untrained import describe_untrained
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training import metrics
from cnnstudio.training.control import Control
from cnnstudio.training.events import Warned
from cnnstudio.training.model import build_model
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.images import colors
from tests.training.listeners import stop_at
from tests.training.networks import tiny

RECIPE = Recipe("test", epochs=1, batch_size=16)


def _run(folder: Path, network: Network, weights: str | None = None) -> Run:
    start_run(network, colors(), RECIPE, RunOptions(folder=folder, threads=1, weights=weights))
    return Run.open(folder)


def test_a_run_without_a_completed_epoch_says_so_when_it_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    control = Control()
    options = RunOptions(folder=tmp_path / "run", threads=1)
    start_run(tiny(), colors(), RECIPE, options, control=control, emit=stop_at(control, step=1))
    result = exporters()["safetensors"].export(Run.open(tmp_path / "run"), tmp_path / "out", verify=False)
    assert (
        "The run has not completed an epoch, so the network has learned little or nothing." in result.message
    )


def test_a_locked_head_with_random_weights_is_named_when_it_is_exported(tmp_path: Path) -> None:
    state = build_model(tiny(classes=5)).state_dict()
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    network = edits.set_trainable(tiny(), ["conv2d_1", "dense_1"], False)
    run = _run(tmp_path / "run", network, str(tmp_path / "w.safetensors"))
    expected = "Dense (layer 6) was locked and has random weights."
    assert describe_untrained(run) == expected
    result = exporters()["safetensors"].export(run, tmp_path / "out", verify=False)
    assert expected in result.message


def test_locked_layers_of_a_network_that_started_at_random_are_named(tmp_path: Path) -> None:
    network = edits.set_trainable(tiny(), ["conv2d_1", "batch_normalization_1"], False)
    text = describe_untrained(_run(tmp_path / "run", network))
    assert text == "Conv2D (layer 1) and BatchNormalization (layer 2) were locked and have random weights."


def test_locked_layers_that_a_second_stage_has_trained_are_not_called_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = edits.set_trainable(tiny(), ["conv2d_1", "conv2d_2"], False)
    recipe = RECIPE.replace(epochs=2, unlock_after=1, unlock_groups=1)
    start_run(network, colors(), recipe, RunOptions(folder=tmp_path / "run", threads=1))
    run = Run.open(tmp_path / "run")
    (warning,) = [event.message for event in run.events_of(Warned) if "locked" in event.message]
    assert warning.startswith("1 locked layer starts from random weights and never learns: Conv2D (layer 1).")
    monkeypatch.setattr(untrained, "saved_best_epoch", lambda run: 2)
    assert describe_untrained(run) == "Conv2D (layer 1) was locked and has random weights."
    monkeypatch.setattr(untrained, "saved_best_epoch", lambda run: 1)
    assert describe_untrained(run).startswith("Conv2D (layer 1) and Conv2D (layer 3) were locked")


def test_trained_weights_are_exported_without_a_word(tmp_path: Path) -> None:
    assert describe_untrained(_run(tmp_path / "run", tiny())) == ""
