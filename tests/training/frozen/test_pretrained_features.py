"""What the pretrained network makes of images: kept for the training that follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.adaptation import fit_to_data
from cnnstudio.design.templates import template
from cnnstudio.layers.base import Shape
from cnnstudio.training.frozen.features import FrozenFeatures
from cnnstudio.training.frozen.pretrained_features import (
    pretrained_features,
    pretrained_network,
    pretrained_recipe,
)
from cnnstudio.training.frozen.store import features_folder
from cnnstudio.training.preflight.prepare import prepare


@pytest.mark.parametrize(("side", "input_side"), [(20, 20), (12, 160)])
def test_features_are_those_of_a_training_of_the_template(
    side: int, input_side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, side, side)).astype(np.uint8)
    images = Split(pixels, np.arange(6) % 2)
    dataset = Dataset("noise", "Noise", ("a", "b"), images, images)
    found = pretrained_features(dataset, "cpu", parts=("train",))["train"]
    assert found[:].shape == (6, 1280)
    network = fit_to_data(template("efficientnet-lite0").network, 2, Shape.of(3, side, side))
    assert network == pretrained_network(dataset)
    assert network.input == Shape.of(3, input_side, input_side)
    kept = sorted(features_folder().iterdir())
    prepared = prepare(network, dataset, pretrained_recipe().replace(validation_share=0), "cpu")
    features = FrozenFeatures.of(prepared, prepared.fresh_model(), ignore_progress, never_cancelled)
    assert features is not None
    features.train_batches()
    assert sorted(features_folder().iterdir()) == kept
