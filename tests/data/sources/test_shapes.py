"""The Shapes data set: reproducible, balanced, with classes that differ."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.images.shape_outlines import OUTLINES
from cnnstudio.data.sources import current_fingerprint, find_source, shapes
from cnnstudio.data.sources.shapes import FINGERPRINT, FORMER_FINGERPRINTS, Shapes, draw_split
from cnnstudio.data.storage.decoded_cache import clear_cache


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws fewer images, in the same way."""
    monkeypatch.setattr(shapes, "TRAIN_PER_CLASS", 20)
    monkeypatch.setattr(shapes, "TEST_PER_CLASS", 6)


def cached_pixels(home: Path) -> Path:
    (path,) = (home / "datasets" / "decoded" / "shapes").glob("*/train.pixels")
    return path


def test_classes_are_balanced_in_both_parts() -> None:
    data = find_source("shapes").load()
    assert data.classes == tuple(sorted(OUTLINES))
    assert np.bincount(data.train.labels).tolist() == [20] * 10
    assert np.bincount(data.test.labels).tolist() == [6] * 10
    assert data.shape == (3, 32, 32)
    assert len(set(data.train.labels[:20].tolist())) > 3  # shuffled, not class by class


def test_the_images_are_reproducible() -> None:
    first = Shapes().load().fingerprint
    clear_cache()
    assert Shapes().load().fingerprint == first


INSTRUCTIONS = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
"""The vector instructions of this processor for which numpy has functions of its own, the newest last."""


@pytest.mark.parametrize("count", range(len(INSTRUCTIONS) + 1))
def test_every_processor_draws_the_same_images(count: int) -> None:
    """Before, one value of some millions was another one without AVX-512, so that runs were refused."""
    program = (
        "from cnnstudio.data.sources.shapes import Shapes\n"
        "print(Shapes()._draw(lambda progress: None, lambda: False).fingerprint)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(INSTRUCTIONS[count:])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == FINGERPRINT


def test_the_fingerprints_of_earlier_versions_stand_for_the_same_images() -> None:
    assert {current_fingerprint(former) for former in FORMER_FINGERPRINTS} == {FINGERPRINT}
    assert current_fingerprint(FINGERPRINT) == FINGERPRINT
    assert current_fingerprint("0" * 64) == "0" * 64


def test_training_and_test_images_differ() -> None:
    data = Shapes().load()
    train = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in train for image in data.test.images)


def test_the_second_load_uses_the_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Shapes().load().fingerprint
    monkeypatch.setattr(shapes, "draw_split", None)
    assert Shapes().load().fingerprint == first


def test_a_damaged_cache_entry_is_drawn_again(home: Path) -> None:
    first = Shapes().load().fingerprint
    data = bytearray(cached_pixels(home).read_bytes())
    data[len(data) // 2] ^= 1
    cached_pixels(home).write_bytes(data)
    assert Shapes().load().fingerprint == first
    assert cached_pixels(home).read_bytes() != bytes(data)


def test_a_cache_entry_of_another_version_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    Shapes().load()
    monkeypatch.setattr(shapes, "VERSION", shapes.VERSION + 1)
    monkeypatch.setattr(shapes, "_SEED", (0, 0))
    new = Shapes().load().fingerprint
    clear_cache()
    assert new == Shapes().load().fingerprint


def test_drawing_works_without_a_writable_cache(home: Path) -> None:
    home.write_bytes(b"a file in place of the folder")
    assert len(Shapes().load().train) == 200


def test_drawing_reports_progress_and_can_be_cancelled(home: Path) -> None:
    reports: list[Progress] = []
    Shapes().load(reports.append)
    assert (reports[-1].done, reports[-1].total) == (260, 260)
    clear_cache()
    with pytest.raises(Cancelled):
        Shapes().load(cancelled=lambda: True)
    assert not list(home.rglob("*.pixels"))


def test_positions_sizes_and_colors_vary() -> None:
    images = draw_split(np.random.default_rng(0), 30, lambda images: None).images.astype(float)
    assert images.mean(axis=(2, 3)).std(axis=0).min() > 30
    assert np.abs(images[..., 1:, :] - images[..., :-1, :]).mean() > 3  # noise and edges everywhere


@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_fills_the_unit_circle(name: str) -> None:
    side = np.linspace(-1.6, 1.6, 161, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    distance = OUTLINES[name](x, y)
    assert distance.dtype == np.float32
    reach = np.hypot(x, y)[distance < 0].max()
    assert 0.8 < reach < 1.1
    area = (distance < 0).mean() * 3.2**2 / np.pi
    assert 0.1 < area < 0.8


def test_outlines_differ_from_each_other() -> None:
    side = np.linspace(-1.2, 1.2, 61, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    masks = {name: outline(x, y) < 0 for name, outline in OUTLINES.items()}
    for one, first in masks.items():
        for other, second in masks.items():
            if one < other:
                assert (first & second).sum() / (first | second).sum() < 0.85, (one, other)


def test_difficulties_differ_in_how_much_the_shapes_stand_out() -> None:
    stands_out = []
    for name in ("shapes-easy", "shapes", "shapes:hard"):
        images = find_source(name).load().train.images.astype(float)
        frame = np.concatenate([images[:, :, 0], images[:, :, -1]], axis=2).mean(axis=2)
        stands_out.append(np.abs(images - frame[:, :, None, None]).mean())
    assert stands_out[0] > stands_out[1]
    assert stands_out[1] > 1.3 * stands_out[2]
    assert find_source("shapes-hard").title == "Shapes (hard)"
