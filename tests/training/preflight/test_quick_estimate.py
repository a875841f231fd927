"""About how long a training takes, without loading its images."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from cnnstudio.core.progress import Cancelled
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
