"""Pinned images on the disk: kept, bounded, and safe to read whatever is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.files import FileError
from cnnstudio.gui.document import pinned_images
from cnnstudio.gui.document.pinned_images import PinnedImages


def image(value: int, side: int = 8, channels: int = 3) -> np.ndarray:
    return np.full((channels, side, side), value, np.uint8)


def test_images_come_back_as_they_were(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (3, 600, 300)).astype(np.uint8)
    pins = PinnedImages(tmp_path)
    pins.pin("one\nname.png", whole, image(1, channels=1))
    (found,) = PinnedImages(tmp_path).images
    assert found.name == "one name.png"
    assert max(found.whole.shape) == 256
    np.testing.assert_array_equal(found.pixels((1, 8, 8)), image(1, channels=1))
    assert found.pixels((3, 16, 16)).shape == (3, 16, 16)


def test_the_number_is_bounded_and_nothing_is_pinned_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinned_images, "MAX_PINNED", 2)
    pins = PinnedImages(tmp_path)
    for value in (1, 1, 2, 3):
        pins.pin(f"{value}.png", image(value), image(value))
    assert [each.name for each in pins.images] == ["1.png", "2.png"]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {"name": "x", "whole": "../secret.png", "fitted": "../secret.png"},
        {"name": "x", "whole": "0123456789abcdef.png", "fitted": "0123456789abcdef.png"},
        {"name": 3, "whole": [], "fitted": {}},
    ],
)
def test_what_cannot_be_read_is_left_out(tmp_path: Path, entry: object) -> None:
    pins = PinnedImages(tmp_path)
    pins.pin("good.png", image(1), image(2))
    (tmp_path / "0123456789abcdef.png").write_bytes(b"no image")
    index = tmp_path / "pinned.json"
    stored = json.loads(index.read_text())
    stored["images"].insert(0, entry)
    index.write_text(json.dumps(stored))
    assert [each.name for each in PinnedImages(tmp_path).images] == ["good.png"]


@pytest.mark.parametrize("text", ["", "[]", '{"format": "cnnstudio.pinned", "images": 3}', "\0"])
def test_a_damaged_index_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "pinned.json").write_text(text)
    assert PinnedImages(tmp_path).images == ()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    pins = PinnedImages(tmp_path / "file" / "pinned")
    with pytest.raises(FileError, match="Cannot write"):
        pins.pin("x", image(1), image(1))
    assert pins.images == ()


def test_two_windows_keep_what_the_other_one_has_pinned_and_unpinned(tmp_path: Path) -> None:
    first, second = PinnedImages(tmp_path), PinnedImages(tmp_path)
    for pins in (first, second):
        assert pins.images == ()
    first.pin("1.png", image(1), image(1))
    second.pin("2.png", image(2), image(2))
    assert [each.name for each in second.images] == ["1.png", "2.png"]
    first.pin("1 again.png", image(3), image(3))
    second.unpin(second.images[0])
    assert [each.name for each in PinnedImages(tmp_path).images] == ["2.png", "1 again.png"]
    # What one has seen removed is not there again after a change in the other.
    first.unpin(next(each for each in first.images if each.name == "2.png"))
    assert [each.name for each in first.images] == ["1 again.png"]
    assert len(list(tmp_path.glob("*.png"))) == 1
