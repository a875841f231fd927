"""Folders of images as data sets, complete and incomplete ones."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError, Pixels, Split
from cnnstudio.data.images import decoding
from cnnstudio.data.images import sizes as image_sizes
from cnnstudio.data.sources import add_folder, find_source, sources
from cnnstudio.data.sources.folder_list import RegisteredSet, register_set, unregister_set
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.storage.decoded_cache import clear_cache, decoded_folder

BUILT_IN = ["cifar10", "cifar100", "fashion_mnist", "mnist", "shapes"]
BUILT_IN += ["shapes-easy", "shapes-hard", "stl10"]
FOLDERS: dict[Path, int] = {}


def image(path: Path, value: int = 100, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Green and blue differ from folder to folder, by count: equal images in two classes would be noticed.
    green, blue = divmod(FOLDERS.setdefault(path.parent, len(FOLDERS)), 256)
    Image.new("RGB", size, (value, green, blue)).save(path)


def fill(folder: Path, counts: Mapping[str, int], size: tuple[int, int] = (8, 6)) -> Path:
    """Creates that many images in each of the subfolders; the n-th of each is n red."""
    for place, count in counts.items():
        for number in range(count):
            image(folder / place / f"{number:03}.png", number, size)
    return folder


COMPLETE = {"train/dog": 4, "train/cat": 3, "test/dog": 2, "test/cat": 1}


def test_after_a_change_only_new_and_changed_files_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, decoded = fill(tmp_path / "pets", COMPLETE), list[str]()
    read_channels_last = decoding.read_channels_last

    def read(path: Path, *arguments: Any) -> Pixels:
        decoded.append(path.relative_to(folder).as_posix())
        return read_channels_last(path, *arguments)

    monkeypatch.setattr(decoding, "read_channels_last", read)
    ImageFolder(folder).load()
    assert len(decoded) == 10
    decoded.clear()
    image(folder / "train/dog/new.png", 77)
    image(folder / "test/cat/000.png", 99)
    (folder / "train/cat/001.png").unlink()
    changed = ImageFolder(folder).load()
    assert sorted(decoded) == ["test/cat/000.png", "train/dog/new.png"]
    assert changed.train.images[:, 0, 0, 0].tolist() == [0, 2, 0, 1, 2, 3, 77]
    assert changed.test.images[:, 0, 0, 0].tolist() == [99, 0, 1]
    clear_cache()
    again = ImageFolder(folder).load()
    assert again.fingerprint == changed.fingerprint
    assert len(decoded) == 2 + 10
    decoded.clear()
    for path in folder.rglob("*.png"):
        Image.open(path).resize((10, 10)).save(path)
    assert ImageFolder(folder).load().shape == (3, 10, 10)
    assert len(decoded) == 10
    assert len(list(decoded_folder().rglob("about.json"))) == 1


def test_a_drive_that_disappears_meanwhile_leaves_no_copy_without_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read_channels_last = fill(tmp_path / "pets", COMPLETE), decoding.read_channels_last

    def read(path: Path, *arguments: Any) -> Pixels:
        if path.name == "003.png":
            path.unlink()
        return read_channels_last(path, *arguments)

    monkeypatch.setattr(decoding, "read_channels_last", read)
    with pytest.raises(DataError, match=r"1 file of pets disappeared .* train.dog.003\.png: connect"):
        ImageFolder(folder).load()
    assert not list(decoded_folder().rglob("*.pixels"))
    assert len(ImageFolder(folder).load().train) == 6


def test_training_and_test_folders_become_a_data_set(tmp_path: Path) -> None:
    data = ImageFolder(fill(tmp_path / "pets", COMPLETE)).load()
    assert (data.name, data.classes, data.shape) == ("pets", ("cat", "dog"), (3, 6, 8))
    assert data.train.labels.tolist() == [0] * 3 + [1] * 4
    assert data.test.labels.tolist() == [0, 1, 1]
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert data.notes == ()


@pytest.mark.parametrize("name", ["val", "Valid", "VALIDATION", "Test"])
def test_other_names_of_the_test_folder_are_recognized(tmp_path: Path, name: str) -> None:
    data = ImageFolder(fill(tmp_path, {"Train/a": 3, "Train/b": 3, f"{name}/a": 1, f"{name}/b": 2})).load()
    assert (len(data.train), len(data.test)) == (6, 3)


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_without_a_test_folder_each_class_is_split_by_seed(tmp_path: Path, prefix: str) -> None:
    folder = fill(tmp_path, {f"{prefix}a": 20, f"{prefix}b": 10})
    first, other = ImageFolder(folder).load(), ImageFolder(folder, seed=1).load()
    assert np.bincount(first.train.labels).tolist() == [16, 8]
    assert np.bincount(first.test.labels).tolist() == [4, 2]
    assert first.notes[-1] == "20% of the images of each class were held out as the test set."
    assert first.fingerprint != other.fingerprint
    assert ImageFolder(folder).load().fingerprint == first.fingerprint


def test_images_in_subfolders_of_a_class_belong_to_it(tmp_path: Path) -> None:
    listing = ImageFolder(fill(tmp_path, {"a/2023/may": 3, "a": 1, "b": 4})).listing()
    assert [label for _, label in listing.train] == [0] * 4 + [1] * 4


def test_system_files_are_ignored(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2, ".git": 1, "__MACOSX/a": 1, "a/.thumbnails": 1})
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"x")
    image(tmp_path / "b" / "._0.png")
    (tmp_path / "empty").mkdir()
    listing = ImageFolder(tmp_path).listing()
    assert listing.classes == ("a", "b")
    assert len(listing.train) == 4


def test_unreadable_images_are_skipped_and_listed(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", COMPLETE)
    (folder / "train/cat/broken.jpg").write_bytes(b"not an image")
    (folder / "test/dog/empty.png").write_bytes(b"")
    data = ImageFolder(folder).load()
    assert (len(data.train), len(data.test)) == (7, 3)
    (note,) = data.notes
    assert note.startswith("2 unreadable images were skipped: ")
    assert str(Path("train/cat/broken.jpg")) in note
    assert str(Path("test/dog/empty.png")) in note
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 3]


def test_the_fingerprint_is_that_of_the_readable_images(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", {"train/dog": 20, "train/cat": 20, "test/dog": 3, "test/cat": 3})
    whole = ImageFolder(folder).load()
    for file in ("train/dog/007.png", "test/cat/000.png"):
        (folder / file).write_bytes(b"not an image")
    found = ImageFolder(folder).load()
    for data, count in ((whole, 46), (found, 44)):
        assert data.image_count == count
        assert data.fingerprint == data.compute_fingerprint(lambda images: None)


@pytest.mark.usefixtures("no_second_pass")
def test_the_images_of_a_folder_are_hashed_and_compared_while_they_are_decoded(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", COMPLETE)
    image(folder / "test/dog/again.png", 1)
    (folder / "train/dog/again.png").write_bytes((folder / "test/dog/again.png").read_bytes())
    data = ImageFolder(folder).load()
    assert any("also in the training set" in note for note in data.notes)


@pytest.fixture
def no_second_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Split, "chunks", None)


def test_a_long_list_of_unreadable_images_is_truncated(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"a": 3, "b": 3})
    for number in range(30):
        (folder / "a" / f"x{number}.jpg").write_bytes(b"")
    (note,) = [note for note in ImageFolder(folder).load().notes if "unreadable" in note]
    assert note.startswith("30 unreadable images were skipped: ")
    assert note.endswith(" and 20 more.")


def test_the_most_common_size_is_used(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 4, "b": 4}, (8, 6))
    image(tmp_path / "a" / "large.png", size=(80, 20))
    image(tmp_path / "b" / "small.png", size=(3, 3))
    data = ImageFolder(tmp_path).load()
    assert data.shape == (3, 6, 8)
    assert "all were resized to 6 × 8 (height × width)" in data.notes[0]


def test_photos_of_different_sizes_become_small_squares(tmp_path: Path) -> None:
    for number in range(6):
        image(tmp_path / "ab"[number % 2] / f"{number}.jpg", size=(900 + number, 600 + 10 * number))
    assert ImageFolder(tmp_path).load().shape == (3, 224, 224)


def test_large_images_of_one_size_keep_their_aspect_ratio(tmp_path: Path) -> None:
    assert ImageFolder(fill(tmp_path, {"a": 2, "b": 2}, (896, 448))).load().shape == (3, 112, 224)


def test_images_of_a_huge_data_set_are_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_sizes, "_MAX_BYTES", 4 * 3 * 50 * 50)
    assert ImageFolder(fill(tmp_path, {"a": 2, "b": 2}, (100, 100))).load().shape == (3, 50, 50)


def test_images_of_mixed_modes_become_rgb(tmp_path: Path) -> None:
    for name, mode in {
        "a/1.png": "L",
        "a/2.png": "RGBA",
        "b/1.png": "P",
        "b/2.png": "I;16",
        "b/3.jpg": "CMYK",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new(mode, (5, 5)).save(tmp_path / name)
    data = ImageFolder(tmp_path).load()
    assert data.shape == (3, 5, 5)
    assert len(data.train) + len(data.test) == 5


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^There is no folder .*nowhere\.$"):
        ImageFolder(tmp_path / "nowhere").load()


def test_the_error_for_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "loose"):
        with pytest.raises(DataError, match="has no images in class folders: expected train/<class>"):
            ImageFolder(folder).load()
        image(tmp_path / "loose" / "1.png")  # the second time: images, but not in class folders


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has only one class \(cat\)"):
        ImageFolder(fill(tmp_path, {"cat": 5})).load()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"train/a": 1, "train/b": 1, "test/a": 1}, "no test images of class b"),
        ({"train/a": 1, "test/a": 1, "test/b": 1}, "no training images of class b"),
    ],
)
def test_a_class_missing_in_one_part_is_named(tmp_path: Path, counts: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        ImageFolder(fill(tmp_path, counts)).load()


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_without_a_readable_image_is_named(tmp_path: Path, part: str) -> None:
    folder = fill(tmp_path, {f"{side}/{name}": 1 for side in ("train", "test") for name in "ab"})
    (folder / part / "b" / "000.png").write_bytes(b"")
    kind = {"train": "training", "test": "test"}[part]
    with pytest.raises(DataError, match=f"None of the {kind} images of class b .* can be read"):
        ImageFolder(folder).load()


def test_a_class_with_one_image_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only one readable image of class b"):
        ImageFolder(fill(tmp_path, {"a": 5, "b": 1})).load()


@pytest.mark.parametrize("broken", range(3))
def test_each_part_gets_readable_images_whichever_one_is_broken(tmp_path: Path, broken: int) -> None:
    folder = fill(tmp_path / "pets", {"a": 10, "b": 3})
    (folder / "b" / f"{broken:03}.png").write_bytes(b"")
    data = ImageFolder(folder).load()
    for split in (data.train, data.test):
        assert np.count_nonzero(split.labels == 1) == 1
    assert len(data.train) + len(data.test) == 12
    assert data.notes[0].startswith("1 unreadable image was skipped: ")


def test_a_class_without_readable_images_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the training images of class a .* can be read"):
        ImageFolder(tmp_path).load()


def test_reading_reports_progress(tmp_path: Path) -> None:
    reports: list[Progress] = []
    folder = fill(tmp_path / "pets", {"a": 30, "b": 30})
    ImageFolder(folder).load(reports.append)
    assert reports[-1] == Progress(60, 60, "Reading pets: 60 of 60 images")
    (folder / "b" / "003.png").write_bytes(b"")
    ImageFolder(folder).load(reports.append)
    assert Progress(60, 60, "Reading pets: 60 of 60 images") in reports[1:]
    assert reports[-1] == Progress(59, 59, "Checking pets: 59 of 59 images")


def test_a_cancelled_reading_leaves_nothing(tmp_path: Path, home: Path) -> None:
    folder = fill(tmp_path / "pets", {"a": 40, "b": 40})
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        ImageFolder(folder).load(lambda report: cancel.set(), cancel.is_set)
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["lock"]


def test_the_second_load_uses_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ImageFolder(fill(tmp_path / "pets", COMPLETE))
    first = source.load()
    monkeypatch.setattr(decoding, "read_channels_last", None)
    again = source.load()
    assert again.fingerprint == first.fingerprint
    assert again.classes == first.classes


def test_a_changed_image_is_read_again(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", COMPLETE)
    changing = folder / "train/cat/zzz.bmp"  # in this format the file size does not depend on the content
    image(changing, 10)
    assert ImageFolder(folder).load().train.images[3, 0, 0, 0] == 10
    before = changing.stat()
    image(changing, 250)
    os.utime(changing, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert changing.stat().st_size == before.st_size
    assert ImageFolder(folder).load().train.images[3, 0, 0, 0] == 250
    image(folder / "train/cat/new.png", 1)
    assert len(ImageFolder(folder).load().train) == 9


def test_info_counts_without_opening_images(tmp_path: Path) -> None:
    info = ImageFolder(fill(tmp_path / "pets", COMPLETE)).info()
    assert (info["name"], info["classes"], info["train"], info["test"]) == ("pets", ["cat", "dog"], 7, 3)
    assert info["available"]
    empty = ImageFolder(tmp_path / "nowhere").info()
    assert not empty["available"]
    assert "There is no folder" in empty["problem"]


def test_an_added_folder_becomes_a_source(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", COMPLETE)
    assert add_folder(folder).name == "pets"
    assert add_folder(folder / ".." / "pets").name == "pets"
    assert [source.name for source in sources()] == [*BUILT_IN, "pets"]
    assert find_source("PETS").load().classes == ("cat", "dog")


def test_a_folder_with_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    assert add_folder(fill(tmp_path / "one" / "Shapes", COMPLETE)).name == "Shapes-2"
    assert add_folder(fill(tmp_path / "two" / "Shapes", COMPLETE)).name == "Shapes-3"


def test_a_folder_that_is_not_a_data_set_is_not_added(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DataError, match="only one class"):
        add_folder(fill(tmp_path / "pets", {"a": 3}))
    assert not home.exists()


def test_a_damaged_folder_list_is_ignored_but_not_overwritten(tmp_path: Path, home: Path) -> None:
    folder_list = home / "datasets" / "folders.json"
    folder_list.parent.mkdir(parents=True)
    for damage in ("{", "[1]", '{"folders": 3}'):
        folder_list.write_text(damage)
        assert [source.name for source in sources()] == BUILT_IN
        with pytest.raises(Exception, match=r"folders\.json"):
            add_folder(fill(tmp_path / "pets", COMPLETE))
        assert folder_list.read_text() == damage


def test_a_moved_folder_stays_listed_as_unavailable(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", COMPLETE)
    add_folder(folder)
    folder.rename(tmp_path / "elsewhere")
    (source,) = (source for source in sources() if source.name == "pets")
    assert not source.available()
    with pytest.raises(DataError, match="There is no folder"):
        source.load()


def test_a_path_can_be_used_without_adding_it(tmp_path: Path) -> None:
    source = find_source(str(fill(tmp_path / "pets", COMPLETE)))
    assert source.load().name == "pets"
    assert [source.name for source in sources()] == BUILT_IN


def test_a_folder_with_the_name_of_a_published_set_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "mnist", COMPLETE)
    monkeypatch.chdir(tmp_path)
    for written in ("./mnist", "mnist/", str(folder)):
        assert Path(getattr(find_source(written), "path", "")).resolve() == folder
    assert find_source("mnist").built_in


def test_the_error_for_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no data set or folder “cifar11”: choose cifar10, .*stl10, or a folder"
    ):
        find_source("cifar11")
    with pytest.raises(DataError, match="no data set or folder"):
        find_source("")
    image(tmp_path / "a.png")
    with pytest.raises(DataError, match="is a file"):
        find_source(str(tmp_path / "a.png"))


def test_a_removed_folder_is_no_longer_a_source_but_keeps_its_images(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", COMPLETE)
    add_folder(folder)
    unregister_set("pets")
    unregister_set("pets")
    assert [source.name for source in sources()] == BUILT_IN
    assert len(ImageFolder(folder).load().train) == 7


def test_the_error_for_an_unknown_name_stays_short(tmp_path: Path) -> None:
    for letter in "abc":
        register_set(letter * 5000, RegisteredSet(tmp_path))
    with pytest.raises(
        DataError, match=r"There is no data set or folder “xx+…”: choose cifar10, .*stl10, a+"
    ) as error:
        find_source("x" * 5000)
    assert len(str(error.value)) < 800
