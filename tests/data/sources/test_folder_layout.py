"""How folders are understood, as people keep their images."""

from __future__ import annotations

import base64
import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnstudio.core.progress import Cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.images import image_files
from cnnstudio.data.sources import add_folder, find_source, folder_scan
from cnnstudio.data.sources.folder_layout import Reading, role_of
from cnnstudio.data.sources.folder_scan import scan
from cnnstudio.data.sources.image_folder import ImageFolder, Listing

# 64 × 64 pixels in one red.
RED_HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAABgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "AA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw"
    "AAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHB"
    "crAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAA"
    "AAABAAEEgQIDBAAAACBtZGF0AAAAFCgBrwQY/Hk46//5Wc/AwFwhJHQ4"
)


COLORS = itertools.count()  # so that no two images are equal


def fill(folder: Path, counts: Mapping[str, int]) -> Path:
    """Creates that many different images in each of the subfolders."""
    for place, count in counts.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            color = next(COLORS).to_bytes(3, "big")
            Image.new("RGB", (4, 4), tuple(color)).save(folder / place / f"{number}.png")
    return folder


def listed(folder: Path, reading: Reading | None = None) -> Listing:
    return ImageFolder(folder, reading=reading).listing()


def sizes(listing: Listing) -> tuple[tuple[str, ...], dict[str, int]]:
    return listing.classes, {part: len(files) for part, files in listing.parts.items()}


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set", "test_set"),
        ("training_set/training_set", "test_set/test_set"),
        ("train_data", "test_data"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("TrainImages", "TestImages"),
        ("Training", "Testing"),
        ("dataset/train", "dataset/test"),
        ("archive/pets/TRAIN", "archive/pets/EVAL"),
    ],
)
def test_splits_are_recognized_by_what_they_are_called(tmp_path: Path, train: str, test: str) -> None:
    folder = fill(tmp_path, {f"{train}/cat": 3, f"{train}/dog": 4, f"{test}/cat": 2, f"{test}/dog": 1})
    found = listed(folder)
    assert sizes(found) == (("cat", "dog"), {"train": 7, "test": 3})
    assert found.question is None


@pytest.mark.parametrize("name", ["val", "valid", "validation", "dev", "valid_set"])
def test_validation_images_beside_test_images_are_used(tmp_path: Path, name: str) -> None:
    folder = fill(
        tmp_path,
        {"train/a": 4, "train/b": 4, f"{name}/a": 2, f"{name}/b": 1, "test/a": 1, "test/b": 2},
    )
    assert sizes(listed(folder)) == (("a", "b"), {"train": 8, "test": 3, "validation": 3})
    data = ImageFolder(folder).load()
    assert data.validation is not None
    assert data.validation.labels.tolist() == [0, 0, 1]
    again = ImageFolder(folder).load()  # from the cache
    assert again.validation is not None
    assert np.array_equal(again.validation.images, data.validation.images)
    assert again.fingerprint == data.fingerprint


def test_validation_images_alone_are_the_test_set_and_that_is_said(tmp_path: Path) -> None:
    found = listed(fill(tmp_path, {"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1}))
    assert sizes(found)[1] == {"train": 4, "test": 2}
    assert found.notes == ("The images in val are the test set: there is no other.",)


def test_a_class_may_be_missing_in_the_validation_images(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1, "val/a": 1, "val/c": 1})
    found = listed(folder)
    assert sizes(found) == (("a", "b"), {"train": 4, "test": 2, "validation": 1})
    assert found.notes == ("No training image is of class c: its validation images are not used.",)


def test_folders_with_the_same_classes_are_splits_whatever_they_are_called(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"part one/a": 5, "part one/b": 5, "part two/a": 1, "part two/b": 2})
    found = listed(folder)
    assert sizes(found) == (("a", "b"), {"train": 10, "test": 3})
    assert found.question is not None
    assert found.question.text == "part one and part two hold the same class folders"
    assert dict(found.question.answers)["splits"] == "part one for training and part two for testing"


def test_the_user_decides_what_the_folders_are(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"part one/a": 5, "part one/b": 4, "part two/a": 1, "part two/b": 2})
    assert sizes(listed(folder, "folders")) == (("part one", "part two"), {"train": 12})
    assert sizes(listed(folder, "subfolders")) == (("a", "b"), {"train": 12})
    assert listed(folder, "subfolders").all_notes == ()
    asked = listed(folder, "subfolders").question
    assert asked is not None
    assert (asked.assumed, asked.is_answered) == ("subfolders", True)


def test_what_the_user_decided_is_kept_with_the_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "parts", {"one/a": 5, "one/b": 5, "two/a": 2, "two/b": 2})
    add_folder(folder)
    assert len(find_source("parts").load().test) == 4
    add_folder(folder, reading="folders")
    assert find_source("parts").load().classes == ("one", "two")
    add_folder(folder)
    assert find_source("parts").load().classes == ("a", "b")


def test_classes_within_groups_are_asked_about(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"animals/cat": 2, "animals/dog": 2, "plants": 3})
    found = listed(folder)
    assert found.classes == ("animals", "plants")
    assert found.question is not None
    assert found.question.text == "animals holds folders in turn"
    assert dict(found.question.answers)["subfolders"] == "cat, dog and plants are the classes"
    assert sizes(listed(folder, "subfolders")) == (("cat", "dog", "plants"), {"train": 7})
    (note,) = ImageFolder(folder).info()["notes"]
    assert note.startswith("animals holds folders in turn. Assumed: animals and plants are the classes.")


def test_folders_of_dates_are_neither_splits_nor_classes(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"a/2023": 2, "a/2024": 1, "b/2023": 1, "b/2024-05": 2})
    found = listed(folder)
    assert sizes(found) == (("a", "b"), {"train": 6})
    assert found.question is None


def test_digits_are_classes_in_named_splits(tmp_path: Path) -> None:
    folder = fill(tmp_path, {f"{split}/{digit}": 2 for split in ("train", "test") for digit in range(3)})
    assert sizes(listed(folder)) == (("0", "1", "2"), {"train": 6, "test": 6})


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    found = listed(fill(tmp_path, {"bus": 2, "car": 2, "train": 3}))
    assert sizes(found) == (("bus", "car", "train"), {"train": 7})


def test_splits_inside_of_the_classes_are_recognized(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"cat/train": 3, "cat/test": 1, "dog/train": 4, "dog/test": 2})
    assert sizes(listed(folder)) == (("cat", "dog"), {"train": 7, "test": 3})


@pytest.mark.parametrize("inner", ["", "unknown/", "test/"])
def test_a_test_folder_without_labels_is_named_and_not_used(tmp_path: Path, inner: str) -> None:
    folder = fill(tmp_path, {"train/a": 5, "train/b": 5, f"test/{inner}": 4})
    found = listed(folder)
    assert sizes(found) == (("a", "b"), {"train": 10})
    assert found.notes == ("The 4 images in test have no class folders, so they cannot be used to test.",)


def test_the_spelling_of_a_class_may_differ_between_splits(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"train/Cat": 2, "train/Dog": 2, "test/cat": 1, "test/DOG": 1})
    assert sizes(listed(folder)) == (("Cat", "Dog"), {"train": 4, "test": 2})


def test_folders_that_are_not_used_are_named(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1, "test/b": 1, "extra/x": 3})
    assert listed(folder).notes == ("The 3 images in extra are not used.",)


def test_images_outside_of_the_class_folders_are_named(tmp_path: Path) -> None:
    found = listed(fill(tmp_path, {"a": 2, "b": 2, ".": 3}))
    assert sizes(found) == (("a", "b"), {"train": 4})
    assert found.notes == ("3 images outside of the class folders are not used.",)


def test_a_folder_one_level_too_high_is_looked_into(tmp_path: Path) -> None:
    found = listed(fill(tmp_path, {"download/PetImages/Cat": 2, "download/PetImages/Dog": 2}))
    assert found.classes == ("Cat", "Dog")
    assert found.notes == ("The images are in download/PetImages.",)


def test_images_in_splits_without_class_folders_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images in class folders"):
        listed(fill(tmp_path, {"train": 3, "test": 2}))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("seg_train", "train"),
        ("TrainImages", "train"),
        ("testing", "test"),
        ("valid", "validation"),
        ("devset", None),
        ("trains", None),
        ("train_vs_test", None),
        ("contest", None),
    ],
)
def test_a_role_is_a_whole_word(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_images_without_an_extension_are_recognized_by_content(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "a" / "0.png").rename(tmp_path / "a" / "IMG_0001")
    (tmp_path / "b" / "README").write_text("not an image")
    assert sizes(listed(tmp_path))[1] == {"train": 4}
    data = ImageFolder(tmp_path).load()
    assert len(data.train) + len(data.test) == 4


def test_avif_images_are_read(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2})
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a" / "x.avif")
    assert sizes(listed(tmp_path))[1] == {"train": 5}


def test_heic_images_are_named_with_what_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    image_files.optional_formats.cache_clear()
    fill(tmp_path / "some", {"a": 2, "b": 2})
    fill(tmp_path / "all", {"a": 0, "b": 0})
    for place in ("some/a", "all/a", "all/b"):
        (tmp_path / place / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    try:
        (note,) = listed(tmp_path / "some").notes
        with pytest.raises(DataError) as error:
            listed(tmp_path / "all")
        with pytest.raises(DataError) as single:
            image_files.read_pixels(tmp_path / "all" / "a" / "IMG_1.HEIC", (3, 8, 8))
    finally:
        image_files.optional_formats.cache_clear()
    assert note == "1 HEIC image was left out: install the package pi-heif, or save them as JPEG."
    assert str(error.value).endswith(
        "Its 2 HEIC images cannot be read here: install the package pi-heif, or save them as JPEG."
    )
    assert str(single.value).endswith(
        "cannot be read as an image: it is a HEIC image: install the package pi-heif, or save it as JPEG."
    )


def test_heic_images_are_read_with_the_package_for_it(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    fill(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "a" / "IMG_1.HEIC").write_bytes(base64.b64decode(RED_HEIC))
    assert sizes(listed(tmp_path))[1] == {"train": 5}
    pixels = image_files.read_pixels(tmp_path / "a" / "IMG_1.HEIC", (3, 8, 8))
    assert pixels[:, 4, 4].tolist() == pytest.approx([200, 30, 40], abs=12)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("labels.csv", "It has labels.csv, but a table is not read with its folder"),
        ("images.zip", "It has images.zip, but archives are not opened: unpack it, or add it itself"),
        ("x_train.npy", "It has x_train.npy, but arrays are not read"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, name: str, answer: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match="has no images in class folders") as error:
        listed(tmp_path)
    assert answer in str(error.value)


def test_classes_far_apart_in_size_are_said_with_what_helps(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 20, "b": 4})
    (note,) = ImageFolder(tmp_path).info()["notes"]
    assert note == (
        "The classes differ widely in size, from 4 images of b to 20 of a: with balanced class weights "
        "(class_weights in the recipe), all classes count the same."
    )
    # A training says it itself, where it can offer the setting.
    assert "classes differ" not in " ".join(ImageFolder(tmp_path).load().notes)
    fill(tmp_path, {"b": 5})
    assert ImageFolder(tmp_path).info()["notes"] == []


def test_test_images_that_are_also_in_training_are_said(tmp_path: Path) -> None:
    fill(tmp_path, {"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2})
    (tmp_path / "test/a/copy.png").write_bytes((tmp_path / "train/a/1.png").read_bytes())
    (note,) = ImageFolder(tmp_path).load().notes
    assert note == (
        f"1 test image is also in the training set, such as {Path('test/a/copy.png')}: the test accuracy "
        "will look better than it is."
    )


def test_an_image_in_two_classes_is_said(tmp_path: Path) -> None:
    fill(tmp_path, {"train/a": 3, "train/b": 3, "test/a": 2, "test/b": 2})
    (tmp_path / "train/b/copy.png").write_bytes((tmp_path / "train/a/1.png").read_bytes())
    (note,) = ImageFolder(tmp_path).load().notes
    assert note.startswith("1 image is in more than one class, such as ")
    assert str(Path("train/a/1.png")) in note
    assert str(Path("train/b/copy.png")) in note


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there are no such folders")
@pytest.mark.parametrize("place", ["/proc/self", "/dev", "link"])
def test_folders_of_the_system_are_refused(tmp_path: Path, place: str) -> None:
    """They lead to the whole disk, again and again."""
    folder = Path(place) if place != "link" else tmp_path / "link"
    if place == "link":
        folder.symlink_to("/sys", target_is_directory=True)
    with pytest.raises(DataError, match=f"^{folder} belongs to the system and has no files of yours: choose"):
        ImageFolder(folder).listing()


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there are no such folders")
def test_links_to_the_system_or_to_the_whole_disk_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2})
    for name, target in (("c", "/proc/self"), ("d", "/"), ("e", "/dev")):
        (tmp_path / name).symlink_to(target, target_is_directory=True)
    assert sizes(listed(tmp_path)) == (("a", "b"), {"train": 4})


@pytest.mark.parametrize(("limit", "what"), [("_MAX_FOLDERS", "folders"), ("_MAX_ENTRIES", "files")])
def test_a_folder_without_an_end_is_refused(
    tmp_path: Path, limit: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, {"a": 2, "b": 2})
    # The folder itself and two in it; those two and four files.
    exactly = {"_MAX_FOLDERS": 3, "_MAX_ENTRIES": 6}[limit]
    monkeypatch.setattr(folder_scan, limit, exactly)
    assert sizes(listed(tmp_path)) == (("a", "b"), {"train": 4})
    monkeypatch.setattr(folder_scan, limit, exactly - 1)
    with pytest.raises(DataError, match=f"has more than {exactly - 1} {what}: choose the folder that the"):
        listed(tmp_path)


def test_scanning_is_canceled_within_a_folder(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number}").write_bytes(b"")
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 150

    with pytest.raises(Cancelled):
        scan(tmp_path, cancelled)
    assert asked == 151


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "c").symlink_to(tmp_path / "b", target_is_directory=True)
    assert sizes(listed(tmp_path)) == (("a", "b", "c"), {"train": 6})
