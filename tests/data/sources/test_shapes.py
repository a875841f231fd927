"""The Shapes set: the same on every run, balanced, and drawn so that the classes differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.images.shape_outlines import OUTLINES
from cnnstudio.data.sources import find_source, shapes
from cnnstudio.data.sources.shapes import Shapes, draw_split
from cnnstudio.data.storage.decoded_cache import clear


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer images, drawn in the same way."""
    monkeypatch.setattr(shapes, "TRAIN_PER_CLASS", 20)
    monkeypatch.setattr(shapes, "TEST_PER_CLASS", 6)


def kept_pixels(home: Path) -> Path:
    (path,) = (home / "datasets" / "decoded" / "shapes").glob("*/train.pixels")
    return path


def test_each_class_has_its_share_in_both_parts() -> None:
    data = find_source("shapes").load()
    assert data.classes == tuple(sorted(OUTLINES))
    assert np.bincount(data.train.labels).tolist() == [20] * 10
    assert np.bincount(data.test.labels).tolist() == [6] * 10
    assert data.shape == (3, 32, 32)
    assert len(set(data.train.labels[:20].tolist())) > 3  # mixed, not class by class


def test_the_same_images_come_out_of_every_run() -> None:
    first = Shapes().load().fingerprint
    clear()
    assert Shapes().load().fingerprint == first


def test_training_and_test_images_differ() -> None:
    data = Shapes().load()
    train = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in train for image in data.test.images)


def test_the_second_loading_reads_what_the_first_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Shapes().load().fingerprint
    monkeypatch.setattr(shapes, "draw_split", None)
    assert Shapes().load().fingerprint == first


def test_a_damaged_copy_is_drawn_again(home: Path) -> None:
    first = Shapes().load().fingerprint
    data = bytearray(kept_pixels(home).read_bytes())
    data[len(data) // 2] ^= 1
    kept_pixels(home).write_bytes(data)
    assert Shapes().load().fingerprint == first
    assert kept_pixels(home).read_bytes() != bytes(data)


def test_a_copy_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Shapes().load().fingerprint
    monkeypatch.setattr(shapes, "VERSION", shapes.VERSION + 1)
    assert Shapes().load().fingerprint != first


def test_drawing_works_where_nothing_can_be_kept(home: Path) -> None:
    home.write_bytes(b"a file stands where the folder should be")
    assert len(Shapes().load().train) == 200


def test_drawing_tells_how_far_it_is_and_can_be_cancelled(home: Path) -> None:
    heard: list[Progress] = []
    Shapes().load(heard.append)
    assert (heard[-1].done, heard[-1].total) == (260, 260)
    clear()
    with pytest.raises(Cancelled):
        Shapes().load(cancelled=lambda: True)
    assert not list(home.rglob("*.pixels"))


def test_places_sizes_and_colors_vary() -> None:
    images = draw_split(np.random.default_rng(0), 30, lambda count: None).images.astype(float)
    assert images.mean(axis=(2, 3)).std(axis=0).min() > 30
    assert np.abs(images[..., 1:, :] - images[..., :-1, :]).mean() > 3  # noise and edges everywhere


@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_fills_its_circle_and_stays_within(name: str) -> None:
    side = np.linspace(-1.6, 1.6, 161, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    distance = OUTLINES[name](x, y)
    assert distance.dtype == np.float32
    reach = np.hypot(x, y)[distance < 0].max()
    assert 0.8 < reach < 1.1
    share = (distance < 0).mean() * 3.2**2 / np.pi
    assert 0.1 < share < 0.8


def test_no_two_outlines_cover_nearly_the_same() -> None:
    side = np.linspace(-1.2, 1.2, 61, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    covers = {name: outline(x, y) < 0 for name, outline in OUTLINES.items()}
    for one, first in covers.items():
        for other, second in covers.items():
            if one < other:
                assert (first & second).sum() / (first | second).sum() < 0.85, (one, other)
