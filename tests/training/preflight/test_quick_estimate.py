"""About how long a training takes, without loading its images."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from cnnstudio.core.progress import Cancelled
from cnnstudio.design.edits import set_trainable
from cnnstudio.layers.base import Shape
from cnnstudio.training.preflight import profiling, quick_estimate
from cnnstudio.training.preflight.quick_estimate import QuickEstimate
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


def test_locked_layers_are_computed_once_and_count_again_with_each_copy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quick_estimate, "measure_speed", lambda *_: 100.0)
    network = set_trainable(tiny(), [tiny().nodes[0].id], False)
    once = RECIPE.replace(validation_share=0.0, epochs=100)
    copies = once.replace(flip="random", feature_copies=4)
    each_step = once.replace(flip="random", feature_copies=0)
    halves = once.replace(unlock_after=50, unlock_groups=1)
    found = quick_estimate.quick_estimates(
        network, 1_000, 3, [once, copies, each_step, halves, each_step.replace(epochs=200)], "cpu"
    )
    assert found is not None
    kept, copied, computed, staged, twice = (each.seconds for each in found)
    # A step takes what was measured; without the locked layer, whatever the rest takes.
    assert computed == pytest.approx(100 * 1_000 / 100)
    assert twice == pytest.approx(2 * computed)
    assert kept < copied < computed
    # A second stage in which everything learns has nothing that could be kept, and a backward pass of it.
    assert staged > computed / 2
