"""Training from memory-mapped images, compared with images in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnstudio.data.dataset import Dataset
from cnnstudio.data.storage.decoded_cache import get_or_create
from cnnstudio.data.storage.memmap import map_pixels
from cnnstudio.training.hardware.device_memory import PeakMemory
from cnnstudio.training.model import Model
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import STUDIO
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
def test_training_from_mapped_images_gives_the_same_bits(validation_share: float) -> None:
    data = colors()
    mapped = get_or_create("here", "key", lambda writer: writer.write(data))
    (left, left_test), (right, right_test) = (
        trained(data, validation_share),
        trained(mapped, validation_share),
    )
    assert left_test == right_test
    assert all(torch.equal(value, right[name]) for name, value in left.items())


def test_validation_images_are_not_copied() -> None:
    data = colors()
    prepared = prepare(tiny(), data, STUDIO.replace(validation_share=0.25), "cpu")
    assert prepared.train is data.train
    assert len(prepared.validation) == 24
    assert len(prepared.train_rows) == 72
    seen = torch.cat([labels for _, labels in prepared.unshuffled(prepared.validation).epoch(0)])
    assert seen.bincount().tolist() == [8, 8, 8]


@pytest.mark.parametrize(("free", "uploaded"), [(None, True), (10**9, True), (50_000, False)])
def test_only_splits_that_fit_are_uploaded_to_an_accelerator(
    monkeypatch: pytest.MonkeyPatch, free: int | None, uploaded: bool
) -> None:
    seen = []

    def record(*arguments: object, uploaded: bool, **settings: object) -> None:
        seen.append(uploaded)

    prepared = prepare(tiny(), colors(), STUDIO, "cpu")
    object.__setattr__(prepared, "device", torch.device("cuda:0"))  # which this machine may not have
    monkeypatch.setattr(preflight, "free_memory", lambda device: free)
    monkeypatch.setattr(preflight, "Batches", record)
    prepared.batches()
    prepared.unshuffled(prepared.test)
    # 96 training images of 3 × 8 × 8 are more than a quarter of 50 kB, 48 test images are not.
    assert seen == [uploaded, True]


@pytest.mark.skipif(PeakMemory(torch.device("cpu")).used() is None, reason="only Linux reports the peak")
def test_mapped_images_do_not_count_as_used_memory(tmp_path: Path) -> None:
    path = tmp_path / "pixels"
    with path.open("wb") as file:
        file.truncate(60_000_000)
    pixels = map_pixels(path, (20_000, 100, 10, 3))
    peak = PeakMemory(torch.device("cpu"))
    assert pixels[::1].max() == 0  # reads all of them
    assert (peak.used() or 0) < 20_000_000
    # Large, because pages of torch's own code that the system dropped and now reads again are subtracted too:
    # up to some 100 MB.
    torch.ones(80_000_000)
    assert (peak.used() or 0) > 200_000_000
    assert np.shares_memory(pixels, pixels[:1])
