"""About how long a training takes, without loading its images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from cnnstudio.core.progress import Cancelled
from cnnstudio.design.edits import set_trainable
from cnnstudio.layers.base import Shape
from cnnstudio.training.preflight import profiling, quick_estimate
from cnnstudio.training.preflight.quick_estimate import QuickEstimate
from cnnstudio.training.preflight.stages import Trial
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import tiny

RECIPE = Recipe(batch_size=16, epochs=3, validation_share=0.1)


def test_all_epochs_count_and_validation_images_a_third(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_estimate, "measure_speed", lambda *_: 100.0)
    found = quick_estimate.quick_estimate(tiny(), 1_000, 3, RECIPE, "cpu")
    assert found is not None
    assert found.seconds == pytest.approx(3 * (900 + 100 / 3) / 100, rel=0.05)
    assert found.summary == "about 28 s"


def test_it_measures_steps_and_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_SECONDS_PER_SIZE", 0.0)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    found = quick_estimate.quick_estimate(tiny(), 500, 3, RECIPE, "cpu")
    assert isinstance(found, QuickEstimate)
    assert found.seconds > 0
    assert torch.equal(torch.rand(3), expected)


def test_it_can_be_given_up_at_the_next_step() -> None:
    with pytest.raises(Cancelled):
        quick_estimate.quick_estimate(tiny(), 500, 3, RECIPE, "cpu", lambda: True)


def test_images_that_are_too_large_are_not_tried_by_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_estimate, "measure_speed", lambda *_: pytest.fail("measured"))
    large = dataclasses.replace(tiny(), input=Shape.of(3, 2048, 2048))
    assert quick_estimate.quick_estimate(large, 500, 3, RECIPE, "cpu") is None


def test_locked_layers_are_computed_once_for_each_copy_and_each_stage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path))
    measured: list[bool] = []

    def speed(trial: Trial, *_: object) -> float:
        measured.append(trial.features is not None)
        return 1_000.0 if trial.features is not None else 100.0

    monkeypatch.setattr(quick_estimate, "measure_speed", speed)
    monkeypatch.setattr(Trial, "seconds_per_feature", lambda trial, *_: 0.01 if trial.features else 0.0)
    network = set_trainable(tiny(), [tiny().nodes[0].id, tiny().nodes[1].id, tiny().nodes[2].id], False)
    once = RECIPE.replace(validation_share=0.0, epochs=100)
    copies = once.replace(flip="random", feature_copies=4)
    each_step = once.replace(flip="random", feature_copies=0)
    halves = once.replace(unlock_after=50, unlock_groups=1)
    all_learn = once.replace(unlock_after=50, unlock_groups=3)
    found = quick_estimate.quick_estimates(
        network, 1_000, 3, [once, copies, each_step, halves, all_learn], "cpu"
    )
    assert found is not None
    assert [each.seconds for each in found] == pytest.approx(
        [
            100 * 1_000 / 1_000 + 1_000 * 0.01,
            100 * 1_000 / 1_000 + 4 * 1_000 * 0.01,
            100 * 1_000 / 100,
            100 * 1_000 / 1_000 + 2 * 1_000 * 0.01,
            50 * 1_000 / 1_000 + 1_000 * 0.01 + 50 * 1_000 / 100,
        ],
        rel=0.05,
    )
    # The first stage of all of them is the same, and so is a step with images in which nothing is kept.
    assert measured == [True, False, True, False]


def test_features_that_are_too_large_to_be_kept_are_computed_in_each_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path))
    kept: list[bool] = []
    monkeypatch.setattr(
        quick_estimate, "measure_speed", lambda trial, *_: kept.append(trial.features is not None) or 100.0
    )
    network = set_trainable(tiny(), [tiny().nodes[0].id], False)
    for images in (1_000, 5_000_000):
        quick_estimate.quick_estimate(network, images, 3, RECIPE, "cpu")
    assert kept == [True, False]
