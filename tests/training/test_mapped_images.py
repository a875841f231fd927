"""Training from images that are mapped, beside images in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnstudio.data.dataset import Dataset
from cnnstudio.data.storage.decoded_cache import kept_or_made
from cnnstudio.data.storage.memmap import map_pixels
from cnnstudio.training.hardware.device_memory import PeakMemory
from cnnstudio.training.model import Model
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import STUDIO
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.networks import tiny


def trained(data: Dataset, validation_share: float) -> tuple[dict[str, Tensor], object]:
    recipe = STUDIO.replace(epochs=2, batch_size=16, seed=3, validation_share=validation_share)
    prepared = prepare(tiny(dropout=True), data, recipe, "cpu")
    weights: dict[str, Tensor] = {}

    def keep(epoch: int, model: Model) -> None:
        weights.update({name: value.clone() for name, value in model.state_dict().items()})

    finished = train_prepared(prepared, emit=lambda event: None, after_epoch=keep)
    return weights, finished.test


@pytest.mark.parametrize("validation_share", [0.0, 0.25])
def test_training_from_a_map_ends_with_the_same_bits(validation_share: float) -> None:
    data = colors()
    mapped = kept_or_made("here", "key", lambda drafts: drafts.take(data))
    (left, left_test), (right, right_test) = (
        trained(data, validation_share),
        trained(mapped, validation_share),
    )
    assert left_test == right_test
    assert all(torch.equal(value, right[name]) for name, value in left.items())


def test_images_set_aside_stay_where_they_are() -> None:
    data = colors()
    prepared = prepare(tiny(), data, STUDIO.replace(validation_share=0.25), "cpu")
    assert prepared.train is data.train
    assert len(prepared.validation) == 24
    assert len(prepared.train_rows) == 72
    seen = torch.cat([labels for _, labels in prepared.unshuffled(prepared.validation).epoch(0)])
    assert seen.bincount().tolist() == [8, 8, 8]


@pytest.mark.parametrize(("free", "uploaded"), [(None, True), (10**9, True), (50_000, False)])
def test_only_what_an_accelerator_has_room_for_is_uploaded(
    monkeypatch: pytest.MonkeyPatch, free: int | None, uploaded: bool
) -> None:
    told = []

    def listen(*arguments: object, uploaded: bool, **settings: object) -> None:
        told.append(uploaded)

    prepared = prepare(tiny(), colors(), STUDIO, "cpu")
    object.__setattr__(prepared, "device", torch.device("cuda:0"))  # which this machine need not have
    monkeypatch.setattr(preflight, "free_memory", lambda device: free)
    monkeypatch.setattr(preflight, "Batches", listen)
    prepared.batches()
    prepared.unshuffled(prepared.test)
    # 96 training images of 3 × 8 × 8 are more than a quarter of 50 kB, 48 test images are not.
    assert told == [uploaded, True]


@pytest.mark.skipif(PeakMemory(torch.device("cpu")).used() is None, reason="only Linux tells its peak")
def test_mapped_images_are_no_memory_that_a_training_needs(tmp_path: Path) -> None:
    path = tmp_path / "pixels"
    with path.open("wb") as file:
        file.truncate(60_000_000)
    pixels = map_pixels(path, (20_000, 100, 10, 3))
    peak = PeakMemory(torch.device("cpu"))
    assert pixels[::1].max() == 0  # looked at, all of them
    assert (peak.used() or 0) < 20_000_000
    torch.ones(8_000_000)
    assert (peak.used() or 0) > 25_000_000
    assert np.shares_memory(pixels, pixels[:1])
