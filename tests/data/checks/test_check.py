"""Duplicates, bad images and leaks that were planted among photo-like images are found, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from cnnstudio.core.progress import Cancelled, Progress, ignore_progress, never_cancelled
from cnnstudio.data.checks import check, duplicates
from cnnstudio.data.checks.check import check_images
from cnnstudio.data.checks.duplicates import similar_images
from cnnstudio.data.checks.leaks import binned, find_leaks, numbered
from cnnstudio.data.checks.thumbnails import small_images
from cnnstudio.data.dataset import DataError, Dataset, Split, from_channels_last
from cnnstudio.data.sources import find_source
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions.relabeling import relabel


def photo(random: np.random.Generator, size: tuple[int, int] = (48, 48)) -> Image.Image:
    """Noise with as much detail at each scale as photos have."""
    image = np.zeros((size[1], size[0], 3), np.float32)
    for side in (3, 6, 12, 24, 48):
        layer = random.uniform(-1, 1, (side, side, 3))
        smooth = [
            Image.fromarray(layer[..., channel].astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
            for channel in range(3)
        ]
        image += np.stack([np.asarray(each) for each in smooth], axis=2) * side**-0.5
    image = (image - image.min()) / (image.max() - image.min())
    return Image.fromarray((image * 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 training and 20 test photos of two classes, with flaws."""
    root = tmp_path_factory.mktemp("data") / "pets"
    random = np.random.default_rng(0)
    for part, count in (("train", 30), ("test", 10)):
        for name in ("cat", "dog"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                photo(random).save(root / part / name / f"{number}.png")
    train, test = root / "train", root / "test"
    original = Image.open(train / "cat" / "0.png")
    original.save(test / "cat" / "copied.png")
    ImageOps.mirror(Image.open(train / "cat" / "1.png")).save(test / "cat" / "mirrored.png")
    ImageEnhance.Brightness(Image.open(train / "dog" / "2.png")).enhance(0.8).save(
        test / "dog" / "darker.png"
    )
    Image.open(train / "dog" / "3.png").save(train / "dog" / "again.jpg", quality=70)
    Image.open(train / "cat" / "4.png").save(train / "cat" / "same.png")
    Image.open(train / "cat" / "5.png").save(test / "dog" / "contradicts.png")
    photo(random).point(lambda value: value // 5).save(train / "dog" / "dark.png")
    photo(random).point(lambda value: 240 + value // 17).save(train / "dog" / "bright.png")
    photo(random).resize((4, 4)).resize((48, 48), Image.Resampling.BICUBIC).save(train / "dog" / "blurry.png")
    Image.new("RGB", (48, 48), (90, 90, 90)).save(train / "dog" / "empty.png")
    photo(random, (200, 40)).save(train / "cat" / "wide.png")
    photo(random, (400, 400)).save(train / "cat" / "large.png")
    (train / "cat" / "broken.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNSTUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        return check_images(ImageFolder(folder)).to_json()


def test_images_in_two_splits_are_found_with_what_they_could_fake(found: dict[str, Any]) -> None:
    across = {
        each["file"]: (each["train_file"], each["exact"], each["mirrored"])
        for each in found["duplicates"]["across_splits"]
    }
    assert across == {
        "test/cat/copied.png": ("train/cat/0.png", True, False),
        "test/cat/mirrored.png": ("train/cat/1.png", False, True),
        "test/dog/darker.png": ("train/dog/2.png", False, False),
        "test/dog/contradicts.png": ("train/cat/5.png", True, False),
    }
    # The one that is labeled otherwise in training cannot be right from memory.
    assert found["inflated_accuracy"] == {"test": 3 / 24}


def test_duplicates_within_training_are_found(found: dict[str, Any]) -> None:
    assert sorted(map(sorted, found["duplicates"]["exact"])) == [
        ["test/cat/copied.png", "train/cat/0.png"],
        ["test/dog/contradicts.png", "train/cat/5.png"],
        ["train/cat/4.png", "train/cat/same.png"],
    ]
    assert [sorted(each["files"]) for each in found["duplicates"]["near"]] == [
        ["train/dog/3.png", "train/dog/again.jpg"]
    ]


def test_bad_images_are_found(found: dict[str, Any]) -> None:
    assert {each["file"]: each["issue"] for each in found["quality"]} == {
        "train/dog/dark.png": "dark",
        "train/dog/bright.png": "bright",
        "train/dog/blurry.png": "blurry",
        "train/dog/empty.png": "empty",
        "train/cat/wide.png": "odd shape (200 × 40)",
        "train/cat/large.png": "odd size (400 × 400)",
    }
    assert found["skipped"] == ["train/cat/broken.png"]
    assert found["classes"] == {"cat": 45, "dog": 47}
    assert (found["leaks"], found["doubts"]) == ([], [])


def test_excluded_images_are_not_checked(folder: Path, home: Path) -> None:
    source = ImageFolder(folder)
    relabel(source, {}, exclude=["test/cat/copied.png", "train/cat/same.png"])
    checked = check_images(source)
    assert "test/cat/copied.png" not in {each["file"] for each in checked.across_splits}
    assert len(checked.exact) == 1


def test_large_sets_are_compared_between_splits_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnstudio.data.checks.check.MAX_ALL_PAIRS", 10)
    checked = check_images(ImageFolder(folder))
    assert (checked.near, checked.checked_all_pairs, len(checked.across_splits)) == ([], False, 4)
    assert len(check_images(ImageFolder(folder), all_pairs=True).near) == 1


def test_a_check_reports_progress_and_can_be_cancelled(folder: Path) -> None:
    reports: list[Progress] = []
    check_images(ImageFolder(folder), reports.append)
    assert {"Looking at 92 of 92 images", "Comparing test images with training images: 24 of 24 images"} <= {
        report.text for report in reports
    }
    with pytest.raises(Cancelled):
        check_images(ImageFolder(folder), cancelled=lambda: True)


def test_sets_without_files_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnstudio.data.sources.shapes.TRAIN_PER_CLASS", 12)
    monkeypatch.setattr("cnnstudio.data.sources.shapes.TEST_PER_CLASS", 3)
    found = check_images(find_source("shapes")).to_json()
    assert sum(found["classes"].values()) == 150
    assert found["duplicates"]["exact"] == []


LABELS = np.repeat(np.arange(3), 40).astype(np.int64)


@pytest.mark.parametrize("feature", ["size", "format", "brightness", "border"])
def test_a_class_that_gives_itself_away_is_found(feature: str) -> None:
    random = np.random.default_rng(0)
    features = {name: numbered(random.integers(0, 5, 120).tolist()) for name in ("size", "format", "border")}
    features["brightness"] = binned(random.normal(120, 30, 120).astype(np.float32))
    assert find_leaks(LABELS, ("a", "b", "c"), features) == []
    if feature == "brightness":
        bright = random.normal(120, 10, 120) + 100 * (LABELS == 1)
        features["brightness"] = binned(bright.astype(np.float32))
    else:
        features[feature] = numbered(
            [(7, 8) if label == 1 else (1, index % 3) for index, label in enumerate(LABELS)]
        )
    (leak,) = find_leaks(LABELS, ("a", "b", "c"), features)
    assert (leak["class"], leak["by"]) == ("b", feature)
    assert float(str(leak["accuracy"])) > 0.9


def test_a_feature_that_differs_for_each_image_tells_nothing() -> None:
    assert find_leaks(LABELS, ("a", "b", "c"), {"size": numbered(list(range(120)))}) == []


def test_comparing_in_parts_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (90, 16, 16, 3), dtype=np.uint8)
    pixels[70:90] = pixels[:20]
    pixels[85:90] = pixels[85:90, :, ::-1]
    split = Split(from_channels_last(pixels), np.zeros(90, np.int64))
    dataset = Dataset("a", "A", ("x",), split, split.select(np.arange(50, 90)))
    small = small_images(dataset, ignore_progress, never_cancelled)
    found = []
    for columns in (1_000, 11):
        monkeypatch.setattr(duplicates, "_COLUMNS", columns)
        for others in (small["train"], small["test"]):
            pairs = similar_images(small["train"], others, "", ignore_progress, never_cancelled)
            found.append({(min(p.row, p.other), max(p.row, p.other), p.is_mirrored) for p in pairs})
    assert found[0] == found[2]
    assert found[1] == found[3]
    assert {(row, row + 70, row >= 15) for row in range(20)} <= found[0]


def test_a_set_too_large_for_the_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MAX_IMAGES", 10)
    with pytest.raises(DataError, match="at most 10 are checked at once"):
        check_images(find_source(str(folder)))
