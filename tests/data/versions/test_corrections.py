"""Corrected labels, excluded images, and the versions of a data set that they make."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnstudio.core.progress import ignore_progress, never_cancelled
from cnnstudio.data.dataset import DataError, Dataset
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.sources.image_table import ImageTable
from cnnstudio.data.versions import correcting, relabeling
from cnnstudio.data.versions.corrections import corrections_path, read_corrections
from cnnstudio.data.versions.relabeling import relabel, undo_relabeling
from cnnstudio.data.versions.version import (
    compare_versions,
    describe_difference,
    list_versions,
    read_version,
    versions_folder,
)


@pytest.fixture
def source(tmp_path: Path) -> ImageFolder:
    """Ten cats, red from 0 to 9, and ten dogs, red from 10 to 19."""
    for number in range(20):
        path = tmp_path / "pets" / ("cat" if number < 10 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (number, 50, 90)).save(path)
    return ImageFolder(tmp_path / "pets")


def labels_by_red(data: Dataset) -> dict[int, int]:
    return {
        int(red): int(label)
        for split in data.splits.values()
        for red, label in zip(split.images[:, 0, 0, 0], split.labels, strict=True)
    }


def test_corrections_change_labels_and_leave_out_images_but_not_the_split(source: ImageFolder) -> None:
    before = source.load()
    files = {path: path.read_bytes() for path in source.folder.rglob("*.png")}
    relabel(source, {"cat/3.png": "dog", "dog/12.png": "cat"}, exclude=["cat/5.png"])
    after = source.load()
    expected = labels_by_red(before) | {3: 1, 12: 0}
    del expected[5]
    assert labels_by_red(after) == expected
    reds = {int(red) for red in before.test.images[:, 0, 0, 0]} - {5}
    assert {int(red) for red in after.test.images[:, 0, 0, 0]} == reds
    assert {path: path.read_bytes() for path in files} == files
    assert "2 labels and 1 exclusion" in after.notes[-1]
    assert after.fingerprint != before.fingerprint
    assert source.info()["train"] == 19


def test_the_cached_copy_without_excluded_images_is_the_same(
    source: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    relabel(source, {"cat/3.png": "dog"}, exclude=["cat/5.png", "dog/17.png"])
    in_memory = source.load()
    monkeypatch.setattr(correcting, "_MIN_CACHED_BYTES", 0)
    for _ in range(2):
        cached = source.load()
        assert labels_by_red(cached) == labels_by_red(in_memory)
        assert (cached.fingerprint, cached.version) == (in_memory.fingerprint, in_memory.version)
        assert cached.notes == in_memory.notes


def test_images_and_their_files_belong_together(source: ImageFolder) -> None:
    (source.folder / "cat" / "0.png").write_bytes(b"no image")
    relabel(source, {}, exclude=["dog/11.png"])
    data, files = source.load_with_files()
    for part, split in data.splits.items():
        assert [Path(name).stem for name in files[part]] == [str(red) for red in split.images[:, 0, 0, 0]]


def test_a_change_is_undone_as_a_whole_and_a_correction_can_be_dropped(source: ImageFolder) -> None:
    before = source.load()
    relabel(source, {"cat/3.png": "dog"})
    relabel(source, {"cat/4.png": "dog", "cat/3.png": "cat"}, exclude=["dog/15.png"])
    assert sorted(read_corrections(source.path).entries) == ["cat/4.png", "dog/15.png"]
    undo_relabeling(source)
    assert list(read_corrections(source.path).entries) == ["cat/3.png"]
    relabel(source, {}, reset=["cat/3.png"])
    after = source.load()
    assert (after.fingerprint, after.version) == (before.fingerprint, before.version)
    for _ in range(2):
        undo_relabeling(source)
    with pytest.raises(DataError, match="no change of labels to undo"):
        undo_relabeling(source)


def test_corrections_of_files_that_are_gone_or_changed_are_said_and_ignored(source: ImageFolder) -> None:
    relabel(source, {f"cat/{number}.png": "dog" for number in (1, 2, 3)})
    (source.folder / "cat" / "1.png").unlink()
    Image.new("RGB", (6, 6), (2, 50, 91)).save(source.folder / "cat" / "2.png")
    # Copied from a backup: another time, but the same content.
    kept = source.folder / "cat" / "3.png"
    shutil.copy(kept, source.folder.parent / "copy.png")
    (source.folder.parent / "copy.png").replace(kept)
    data = source.load()
    assert {red: label for red, label in labels_by_red(data).items() if red < 4} == {0: 0, 2: 0, 3: 1}
    assert data.notes[-1] == (
        "2 corrections are ignored: cat/1.png (the file is gone), cat/2.png (the file has changed)."
    )


@pytest.mark.parametrize(
    ("file", "label", "problem"),
    [
        ("cat/33.png", "dog", "no image “cat/33.png”; did you mean cat/3.png"),
        ("../../etc/passwd", "dog", "has no image"),
        ("cat/3.png", "cow", "has no class “cow”: use cat, dog"),
    ],
)
def test_unknown_files_and_classes_are_refused_before_anything_changes(
    source: ImageFolder, file: str, label: str, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        relabel(source, {"cat/1.png": "dog", file: label})
    assert not corrections_path(source.path).exists()


def test_the_last_image_of_a_class_in_a_split_is_kept(tmp_path: Path) -> None:
    for name in ("train/cat/0", "train/cat/1", "train/dog/2", "test/cat/3", "test/dog/4"):
        path = tmp_path / "pets" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (int(name[-1]), 50, 90)).save(path)
    source = ImageFolder(tmp_path / "pets")
    with pytest.raises(DataError, match="no test images of class “dog” any more: nothing was changed"):
        relabel(source, {}, exclude=["test/dog/4.png"])
    with pytest.raises(DataError, match="no training images of class “dog”"):
        relabel(source, {"train/dog/2.png": "cat"})
    assert not corrections_path(source.path).exists()
    relabel(source, {"test/cat/3.png": "dog", "test/dog/4.png": "cat"}, exclude=["train/cat/0.png"])
    assert len(source.load().train) == 2


def test_a_class_without_images_after_corrections_is_named(
    source: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the other images could be read when these were excluded.
    monkeypatch.setattr(relabeling, "_require_images", lambda *_: None)
    relabel(source, {}, exclude=[f"cat/{number}.png" for number in range(10)])
    with pytest.raises(DataError, match="no training images of class cat: undo the last one"):
        source.load()


@pytest.mark.parametrize("content", ["[]", "{", '{"corrections": {"a": {}}, "undo": []}'])
def test_damaged_corrections_are_named_and_not_lost(source: ImageFolder, content: str) -> None:
    path = corrections_path(source.path)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(Exception, match=path.name):
        source.load()
    assert source.info()["available"] is False
    assert path.read_text() == content


def test_the_same_images_are_the_same_version_anywhere(source: ImageFolder, tmp_path: Path) -> None:
    shutil.copytree(source.folder, tmp_path / "elsewhere" / "animals")
    copied = ImageFolder(tmp_path / "elsewhere" / "animals")
    assert source.load().version == copied.load().version
    for each in (source, copied):
        relabel(each, {"cat/3.png": "dog"})
    assert source.load().version == copied.load().version != ""
    assert resize(source.load(), (1, 4, 4)).version == source.load().version


def test_two_versions_can_be_compared(source: ImageFolder) -> None:
    first = source.load().version
    relabel(source, {"cat/3.png": "dog"}, exclude=["dog/12.png"])
    second = source.load().version
    found = compare_versions(read_version(first[:8]), read_version(second))
    assert found["corrections"] == {"cat/3.png": [False, "dog"], "dog/12.png": [False, None]}
    assert (found["same"], found["files"], found["split"]) == (False, False, False)
    text = "\n".join(describe_difference(read_version(first), read_version(second)))
    assert "cat/3.png: as in the files → dog" in text
    assert "dog/12.png: as in the files → excluded" in text
    other = ImageFolder(source.folder, seed=1).load().version
    found = compare_versions(read_version(second), read_version(other))
    assert (found["files"], found["split"]) == (False, True)
    Image.new("RGB", (6, 6), (77, 50, 90)).save(source.folder / "cat" / "new.png")
    third = source.load().version
    found = compare_versions(read_version(second), read_version(third))
    assert found["files"]
    assert sum(sum(changes.values()) for changes in found["counts"].values()) == 1
    assert [version["id"] for version in list_versions("pets")].count(third) == 1


def test_other_labels_in_a_table_are_not_taken_for_other_images(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (6, 6), (number, 50, 90)).save(tmp_path / f"{number}.png")
    versions = []
    for swapped in ("owl", "jay"):
        rows = [f"{number}.png,{'owl' if number % 2 else 'jay'}" for number in range(5)]
        (tmp_path / "birds.csv").write_text("\n".join(["file,label", *rows, f"5.png,{swapped}"]))
        versions.append(read_version(ImageTable(tmp_path / "birds.csv").load().version))
    assert (compare_versions(*versions)["files"], compare_versions(*versions)["labels"]) == (False, True)
    assert describe_difference(*versions)[0] == "The same files have other labels or classes."
    assert "images differ" not in " ".join(describe_difference(*versions))


def test_a_damaged_or_unknown_version_is_named(source: ImageFolder) -> None:
    version = source.load().version
    path = versions_folder() / f"{version}.json"
    path.write_text(path.read_text().replace("pets", "cars"))
    assert list_versions() == []
    with pytest.raises(DataError, match="is damaged"):
        read_version(version)
    with pytest.raises(DataError, match=r"There is no version “\.\./x”"):
        read_version("../x")


def test_images_that_an_earlier_version_decoded_are_named_all_the_same(
    source: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source.folder / "cat" / "0.png").write_bytes(b"no image")
    with monkeypatch.context() as patch:
        patch.setattr("cnnstudio.data.storage.decoded_cache._MAX_SKIPPED", 0)
        listing = source.listing()
        assert source._decoded(listing, ignore_progress, never_cancelled).skipped == ()
    data, files = source.load_with_files()
    assert np.concatenate([split.labels for split in data.splits.values()]).size == 19
    assert sum(map(len, files.values())) == 19


def test_two_programs_that_correct_at_once_lose_nothing(source: ImageFolder) -> None:
    cats = [name for name in source.load_with_files()[1]["train"] if name.startswith("cat")]

    def correct(names: list[str]) -> None:
        for name in names:
            relabel(source, {name: "dog"})

    threads = [threading.Thread(target=correct, args=(each,)) for each in (cats[:3], cats[3:6])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_corrections(source.path).entries) == 6


def test_corrections_change_no_choice_of_validation_images(source: ImageFolder) -> None:
    def reds(data: Dataset, rows: np.ndarray) -> set[int]:
        return {int(red) for red in data.train.images[rows, 0, 0, 0]}

    before = source.load()
    held_out = reds(before, before.hold_out(0.3, 1)[1])
    changed = sorted(reds(before, np.arange(len(before.train))))
    names = {red: f"{'cat' if red < 10 else 'dog'}/{red}.png" for red in changed}
    gone = next(red for red in changed if red in held_out)
    wrong = [red for red in changed if red != gone][::4]
    labels = {names[red]: "dog" if red < 10 else "cat" for red in wrong}
    relabel(source, labels, exclude=[names[gone]])
    after = source.load()
    assert after.fingerprint != before.fingerprint
    for data in (after, resize(after, (3, 4, 4))):
        rest, rows = data.hold_out(0.3, 1)
        assert reds(data, rows) == held_out - {gone}
        assert sorted([*rest.tolist(), *rows.tolist()]) == list(range(len(data.train)))
    undo_relabeling(source)
    again = source.load()
    assert reds(again, again.hold_out(0.3, 1)[1]) == held_out
