"""Runs with every setting of a recipe resume bit for bit, also in the middle of an epoch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cnnstudio.training import metrics
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.control import Control
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import tiny

IMAGES = Recipe(
    "images",
    epochs=3,
    batch_size=16,
    learning_rate=0.02,
    flip="alternating",
    shift=1,
    shift_border="zero",
    crop=0.2,
    cutout=2,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    mixup=0.4,
    cutmix=1.0,
)
RECIPES = {
    "images": IMAGES,
    "muon": IMAGES.replace(optimizer="muon", weight_decay=0.01, average_decay=0.9, clip_norm=1.0),
    "rmsprop": IMAGES.replace(optimizer="rmsprop", schedule="step", step_epochs=1, warm_up=0.2),
    "lookahead": IMAGES.replace(optimizer="sgd", schedule="linear", lookahead=True, norm_bias_rate=4.0),
}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return CheckpointStore(folder / "checkpoints").load("last").weights


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("step", [4, 9])
def test_a_run_with_every_setting_resumes_from_any_step(
    name: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    network, data, recipe = tiny(dropout=True), colors(noise=120), RECIPES[name]
    train(network, data, recipe, emit=Listener(), folder=tmp_path / "whole")
    control = Control()
    stopped = Listener(stop_at(control, step=step))
    train(network, data, recipe, control=control, emit=stopped, folder=tmp_path / "parts")
    train(network, data, recipe, emit=Listener(), folder=tmp_path / "parts", resume=True)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert step <= len(stopped.losses()) < 18
    assert whole.keys() == parts.keys()
    assert all(torch.equal(value, parts[key]) for key, value in whole.items())
