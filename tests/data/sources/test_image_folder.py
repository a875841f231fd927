"""Folders of the user's own images, orderly ones and others."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.images import decoding
from cnnstudio.data.sources import add_folder, find_source, sources
from cnnstudio.data.sources.folder_list import forget_folder
from cnnstudio.data.sources.image_folder import ImageFolder


def image(path: Path, value: int = 100, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def fill(folder: Path, counts: Mapping[str, int], size: tuple[int, int] = (8, 6)) -> Path:
    """A folder with so many images in each of the given folders; the n-th of each has gray level n."""
    for place, count in counts.items():
        for number in range(count):
            image(folder / place / f"{number:03}.png", number, size)
    return folder


ORDERLY = {"train/dog": 4, "train/cat": 3, "test/dog": 2, "test/cat": 1}


def test_training_and_test_folders_become_a_data_set(tmp_path: Path) -> None:
    data = ImageFolder(fill(tmp_path / "pets", ORDERLY)).load()
    assert (data.name, data.classes, data.shape) == ("pets", ("cat", "dog"), (3, 6, 8))
    assert data.train.labels.tolist() == [0] * 3 + [1] * 4
    assert data.test.labels.tolist() == [0, 1, 1]
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert data.notes == ()


@pytest.mark.parametrize("name", ["val", "Valid", "VALIDATION", "Test"])
def test_other_names_for_the_test_images_are_understood(tmp_path: Path, name: str) -> None:
    data = ImageFolder(fill(tmp_path, {"Train/a": 3, "Train/b": 3, f"{name}/a": 1, f"{name}/b": 2})).load()
    assert (len(data.train), len(data.test)) == (6, 3)


@pytest.mark.parametrize("prefix", ["", "train/"])
def test_one_level_is_split_by_seed_class_by_class(tmp_path: Path, prefix: str) -> None:
    folder = fill(tmp_path, {f"{prefix}a": 20, f"{prefix}b": 10})
    first, other = ImageFolder(folder).load(), ImageFolder(folder, seed=1).load()
    assert np.bincount(first.train.labels).tolist() == [16, 8]
    assert np.bincount(first.test.labels).tolist() == [4, 2]
    assert "One in five" in first.notes[-1]
    assert first.fingerprint != other.fingerprint
    assert ImageFolder(folder).load().fingerprint == first.fingerprint


def test_images_in_folders_within_a_class_belong_to_it(tmp_path: Path) -> None:
    listing = ImageFolder(fill(tmp_path, {"a/2023/may": 3, "a": 1, "b": 4})).listing()
    assert [label for _, label in listing.train] == [0] * 4 + [1] * 4


def test_what_systems_leave_behind_is_no_class_and_no_image(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 2, "b": 2, ".git": 1, "__MACOSX/a": 1, "a/.thumbnails": 1})
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"x")
    image(tmp_path / "b" / "._0.png")
    (tmp_path / "empty").mkdir()
    listing = ImageFolder(tmp_path).listing()
    assert listing.classes == ("a", "b")
    assert len(listing.train) == 4


def test_unreadable_images_are_skipped_counted_and_listed(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ORDERLY)
    (folder / "train/cat/broken.jpg").write_bytes(b"no image")
    (folder / "test/dog/empty.png").write_bytes(b"")
    data = ImageFolder(folder).load()
    assert (len(data.train), len(data.test)) == (7, 3)
    (note,) = data.notes
    assert note.startswith("2 unreadable images were skipped: ")
    assert str(Path("train/cat/broken.jpg")) in note
    assert str(Path("test/dog/empty.png")) in note
    assert data.train.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 3]


def test_a_long_list_of_unreadable_images_is_cut_short(tmp_path: Path) -> None:
    folder = fill(tmp_path, {"a": 3, "b": 3})
    for number in range(30):
        (folder / "a" / f"x{number}.jpg").write_bytes(b"")
    note = ImageFolder(folder).load().notes[0]
    assert note.startswith("30 unreadable images were skipped: ")
    assert note.endswith(" and 20 more.")


def test_the_most_common_size_is_taken(tmp_path: Path) -> None:
    fill(tmp_path, {"a": 4, "b": 4}, (8, 6))
    image(tmp_path / "a" / "large.png", size=(80, 20))
    image(tmp_path / "b" / "small.png", size=(3, 3))
    data = ImageFolder(tmp_path).load()
    assert data.shape == (3, 6, 8)
    assert "each was brought to 8 × 6" in data.notes[0]


def test_photographs_of_all_sizes_become_small_squares(tmp_path: Path) -> None:
    for number in range(6):
        image(tmp_path / "ab"[number % 2] / f"{number}.jpg", size=(900 + number, 600 + 10 * number))
    assert ImageFolder(tmp_path).load().shape == (3, 224, 224)


def test_large_images_of_one_size_keep_their_proportions(tmp_path: Path) -> None:
    assert ImageFolder(fill(tmp_path, {"a": 2, "b": 2}, (896, 448))).load().shape == (3, 112, 224)


def test_a_set_beyond_memory_is_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MOST_BYTES", 4 * 3 * 50 * 50)
    assert ImageFolder(fill(tmp_path, {"a": 2, "b": 2}, (100, 100))).load().shape == (3, 50, 50)


def test_mixed_modes_all_become_color(tmp_path: Path) -> None:
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


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^There is no folder .*nowhere\.$"):
        ImageFolder(tmp_path / "nowhere").load()


def test_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "loose"):
        with pytest.raises(DataError, match="holds no images in class folders: expected train/<class>"):
            ImageFolder(folder).load()
        image(tmp_path / "loose" / "1.png")  # the second time: images, but not in class folders


def test_one_class_only_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds only one class \(cat\)"):
        ImageFolder(fill(tmp_path, {"cat": 5})).load()


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"train/a": 1, "train/b": 1, "test/a": 1}, "no test images of the class b"),
        ({"train/a": 1, "test/a": 1, "test/b": 1}, "no training images of the class b"),
    ],
)
def test_a_class_missing_on_one_side_is_named(tmp_path: Path, counts: dict[str, int], words: str) -> None:
    with pytest.raises(DataError, match=words):
        ImageFolder(fill(tmp_path, counts)).load()


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_class_without_a_readable_image_is_named(tmp_path: Path, part: str) -> None:
    folder = fill(tmp_path, {f"{side}/{name}": 1 for side in ("train", "test") for name in "ab"})
    (folder / part / "b" / "000.png").write_bytes(b"")
    words = {"train": "training", "test": "test"}[part]
    with pytest.raises(DataError, match=f"None of the {words} images of the class b .* can be read"):
        ImageFolder(folder).load()


def test_one_image_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only one readable image of the class b"):
        ImageFolder(fill(tmp_path, {"a": 5, "b": 1})).load()


@pytest.mark.parametrize("broken", range(3))
def test_whichever_image_of_a_class_is_unreadable_each_part_gets_another(tmp_path: Path, broken: int) -> None:
    folder = fill(tmp_path / "pets", {"a": 10, "b": 3})
    (folder / "b" / f"{broken:03}.png").write_bytes(b"")
    data = ImageFolder(folder).load()
    for split in (data.train, data.test):
        assert np.count_nonzero(split.labels == 1) == 1
    assert len(data.train) + len(data.test) == 12
    assert data.notes[0].startswith("1 unreadable image was skipped: ")


def test_no_readable_image_at_all_is_one_sentence(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the training images of the class a .* can be read"):
        ImageFolder(tmp_path).load()


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    heard: list[Progress] = []
    ImageFolder(fill(tmp_path / "pets", {"a": 30, "b": 30})).load(heard.append)
    assert Progress(60, 60, "Reading pets: 60 of 60 images") in heard
    assert heard[-1] == Progress(60, 60, "Checking pets: 60 of 60 images")


def test_reading_can_be_cancelled_and_keeps_nothing(tmp_path: Path, home: Path) -> None:
    folder = fill(tmp_path / "pets", {"a": 40, "b": 40})
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        ImageFolder(folder).load(lambda news: cancel.set(), cancel.is_set)
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["lock"]


def test_the_second_loading_reads_what_the_first_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ImageFolder(fill(tmp_path / "pets", ORDERLY))
    first = source.load()
    monkeypatch.setattr(decoding, "read_pixels", None)
    again = source.load()
    assert again.fingerprint == first.fingerprint
    assert again.classes == first.classes


def test_a_changed_image_is_read_again(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ORDERLY)
    changing = folder / "train/cat/zzz.bmp"  # a kind of file whose length does not change with its content
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
    info = ImageFolder(fill(tmp_path / "pets", ORDERLY)).info()
    assert (info["name"], info["classes"], info["train"], info["test"]) == ("pets", ["cat", "dog"], 7, 3)
    assert info["available"]
    empty = ImageFolder(tmp_path / "nowhere").info()
    assert not empty["available"]
    assert "There is no folder" in empty["problem"]


def test_an_added_folder_is_remembered(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ORDERLY)
    assert add_folder(folder).name == "pets"
    assert add_folder(folder / ".." / "pets").name == "pets"
    assert [source.name for source in sources()] == ["cifar10", "shapes", "pets"]
    assert find_source("PETS").load().classes == ("cat", "dog")


def test_a_second_folder_of_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    assert add_folder(fill(tmp_path / "one" / "Shapes", ORDERLY)).name == "Shapes-2"
    assert add_folder(fill(tmp_path / "two" / "Shapes", ORDERLY)).name == "Shapes-3"


def test_a_folder_that_is_no_data_set_is_not_remembered(tmp_path: Path, home: Path) -> None:
    with pytest.raises(DataError, match="only one class"):
        add_folder(fill(tmp_path / "pets", {"a": 3}))
    assert not home.exists()


def test_a_damaged_list_of_folders_hides_nothing_else_and_is_not_overwritten(
    tmp_path: Path, home: Path
) -> None:
    listed = home / "datasets" / "folders.json"
    listed.parent.mkdir(parents=True)
    for damage in ("{", "[1]", '{"folders": 3}'):
        listed.write_text(damage)
        assert [source.name for source in sources()] == ["cifar10", "shapes"]
        with pytest.raises(Exception, match=r"folders\.json"):
            add_folder(fill(tmp_path / "pets", ORDERLY))
        assert listed.read_text() == damage


def test_a_folder_that_went_away_stays_listed_but_not_available(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ORDERLY)
    add_folder(folder)
    folder.rename(tmp_path / "elsewhere")
    (source,) = (source for source in sources() if source.name == "pets")
    assert not source.available()
    with pytest.raises(DataError, match="There is no folder"):
        source.load()


def test_a_path_is_a_source_without_being_added(tmp_path: Path) -> None:
    source = find_source(str(fill(tmp_path / "pets", ORDERLY)))
    assert source.load().name == "pets"
    assert [source.name for source in sources()] == ["cifar10", "shapes"]


def test_an_unknown_name_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no data set or folder “cifar11”: there are cifar10, shapes, or give"
    ):
        find_source("cifar11")
    with pytest.raises(DataError, match="no data set or folder"):
        find_source("")
    image(tmp_path / "a.png")
    with pytest.raises(DataError, match="is a file"):
        find_source(str(tmp_path / "a.png"))


def test_a_forgotten_folder_is_no_source_any_more_but_keeps_its_images(tmp_path: Path) -> None:
    folder = fill(tmp_path / "pets", ORDERLY)
    add_folder(folder)
    forget_folder("pets")
    forget_folder("pets")
    assert [source.name for source in sources()] == ["cifar10", "shapes"]
    assert len(ImageFolder(folder).load().train) == 7
