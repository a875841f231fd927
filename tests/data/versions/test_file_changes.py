"""Two versions of a data set are compared image by image."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnstudio.cli.main import main
from cnnstudio.core.files import write_json
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.versions import listed_files
from cnnstudio.data.versions import version as version_module
from cnnstudio.data.versions.file_changes import FileChanges, compare_files
from cnnstudio.data.versions.listed_files import ListedFile, read_files
from cnnstudio.data.versions.relabeling import relabel
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.data.versions.version import (
    compare_versions,
    describe_difference,
    read_version,
    versions_folder,
)


@pytest.fixture
def source(tmp_path: Path) -> ImageFolder:
    """Four cats and four dogs for training, two of each for testing."""
    for number in range(12):
        part, kind = ("train" if number < 8 else "test"), ("cat", "dog")[number % 2]
        path = tmp_path / "pets" / part / kind / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6 + number), (number, 50, 90)).save(path)
    return ImageFolder(tmp_path / "pets")


def version(source: ImageFolder) -> dict[str, Any]:
    return read_version(source.load().version)


def texts(found: FileChanges) -> dict[str, list[str]]:
    return {kind: list(map(str, changes)) for kind, changes in found.by_kind.items()}


def test_images_labels_splits_and_sizes_are_told_apart(source: ImageFolder) -> None:
    before = version(source)
    folder = source.folder
    Image.new("RGB", (6, 6), (77, 50, 90)).save(folder / "train/cat/new.png")
    (folder / "train/cat/0.png").unlink()
    shutil.move(folder / "train/cat/2.png", folder / "train/dog/2.png")
    shutil.move(folder / "train/cat/4.png", folder / "test/cat/4.png")
    Image.new("RGB", (40, 40), (6, 50, 90)).save(folder / "train/cat/6.png")
    relabel(source, {"train/dog/1.png": "cat"}, exclude=["train/dog/3.png"])
    after = version(source)
    found = compare_files(before, after)
    sizes = found.by_kind.pop("content")  # type: ignore[attr-defined]
    assert [each.file for each in sizes] == ["train/cat/6.png"]
    assert texts(found) == {
        "added": ["train/cat/new.png: cat, training"],
        "removed": ["train/cat/0.png: cat, training"],
        "label": ["train/dog/1.png: dog → cat", "train/dog/2.png: cat → dog"],
        "excluded": ["train/dog/3.png: was dog"],
        "split": ["test/cat/4.png: training → test, was train/cat/4.png"],
    }
    back = texts(compare_files(after, before))
    assert back["included"] == ["train/dog/3.png: is dog"]
    assert back["label"] == ["train/cat/2.png: dog → cat", "train/dog/1.png: cat → dog"]


def test_images_that_only_one_version_has_are_where_corrections_put_them(source: ImageFolder) -> None:
    before = version(source)
    for number, name in enumerate(("one", "two")):
        Image.new("RGB", (6, 6), (70 + number, 50, 90)).save(source.folder / f"train/cat/{name}.png")
    relabel(source, {"train/cat/one.png": "dog"}, exclude=["train/cat/two.png"])
    after = version(source)
    places = ["train/cat/one.png: dog, training", "train/cat/two.png: excluded, training"]
    assert texts(compare_files(before, after)) == {"added": places}
    assert texts(compare_files(after, before)) == {"removed": places}


def test_a_file_in_another_folder_of_its_class_has_moved(
    source: ImageFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = version(source)
    # Last, and not between the others as before: the images come in another order.
    (source.folder / "train/cat/more").mkdir()
    shutil.move(source.folder / "train/cat/2.png", source.folder / "train/cat/more/2.png")
    after = version(source)
    assert texts(compare_files(before, after)) == {"moved": ["train/cat/more/2.png: was train/cat/2.png"]}
    assert main(["data", "versions", "--compare", before["id"], after["id"]]) == 0
    assert capsys.readouterr().out == (
        "1 file is in another folder:\n  train/cat/more/2.png: was train/cat/2.png\n"
    )


def test_something_is_said_where_no_single_image_is_known_to_differ(
    source: ImageFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file that no split has is new, and another has as many bytes as before."""
    before = version(source)
    (source.folder / "train/cat/no image.png").write_bytes(b"")
    path = source.folder / "train/cat/2.png"
    size = path.stat().st_size
    Image.new("RGB", (6, 8), (99, 50, 90)).save(path)
    assert path.stat().st_size == size
    after = version(source)
    assert not compare_files(before, after)
    assert main(["data", "versions", "--compare", before["id"], after["id"]]) == 0
    assert capsys.readouterr().out == "The image files differ.\n"


def test_versions_that_differ_in_corrections_alone_share_the_list_of_their_files(source: ImageFolder) -> None:
    before = version(source)
    relabel(source, {"train/dog/1.png": "cat"})
    after = version(source)
    assert len(list((versions_folder() / "files").iterdir())) == 1
    assert texts(compare_files(before, after)) == {"label": ["train/dog/1.png: dog → cat"]}
    assert not compare_files(after, after)


@pytest.mark.parametrize("chosen", [{"size": (4, 4)}, {"resize": "fit"}, {"plan": SplitPlan(seed=3)}])
def test_that_other_content_is_possible_is_said_where_images_are_split_or_resized_in_another_way(
    source: ImageFolder, chosen: dict[str, Any]
) -> None:
    if "plan" in chosen:
        shutil.rmtree(source.folder / "test")
        source = ImageFolder(source.folder / "train")
    before, doubt = version(source), "whether some have other content is not known"
    after = version(source.changed(**chosen))
    assert compare_versions(before, after)["content"] == "same"
    assert doubt not in " ".join(describe_difference(before, after))
    path = next(source.folder.rglob("2.png"))
    size = path.stat().st_size
    Image.new("RGB", (6, 8), (99, 50, 90)).save(path)
    assert path.stat().st_size == size
    after = version(source.changed(**chosen))
    assert compare_versions(before, after)["content"] == "unknown"
    assert doubt in " ".join(describe_difference(before, after))
    # Of versions that were noted before times were, this is not known either.
    del before["times"], after["times"]
    assert compare_versions(before, after)["content"] == "unknown"


def test_numbers_of_images_are_written_as_people_write_them(source: ImageFolder) -> None:
    before = version(source)
    for name in ("train/cat/0.png", "test/dog/9.png"):
        (source.folder / name).unlink()
    Image.new("RGB", (6, 6), (77, 50, 90)).save(source.folder / "train/dog/new.png")
    assert describe_difference(before, version(source)) == [
        "The image files differ.",
        "Training images: cat −1, dog +1.",
        "Test images: dog −1.",
    ]


@pytest.mark.parametrize("lack", ["never noted", "gone"])
def test_a_version_without_the_list_of_its_files_gets_it_when_it_is_used(
    source: ImageFolder, lack: str
) -> None:
    noted = version(source)
    (path,) = (versions_folder() / "files").iterdir()
    listed = path.read_text()
    path.unlink()
    if lack == "never noted":
        # As earlier versions of the program wrote it.
        content = {name: each for name, each in noted.items() if name not in ("listing", "times")}
        description = versions_folder() / f"{noted['id']}.json"
        write_json(description, {**content, "sha256": version_module._digest(content)})
    assert read_version(noted["id"]).get("listing") == (None if lack == "never noted" else path.stem)
    assert version(source) == noted
    assert path.read_text() == listed


def test_a_version_gets_no_list_of_files_that_were_not_its_own(source: ImageFolder) -> None:
    """Equal pixels in files of other sizes are the same version."""
    noted = version(source)
    (path,) = (versions_folder() / "files").iterdir()
    path.unlink()
    with Image.open(source.folder / "train/cat/0.png") as image:
        image.save(source.folder / "train/cat/0.png", compress_level=0)
    assert version(source) == noted
    assert read_files(noted["listing"]) is None


@pytest.mark.parametrize("damage", ["gone", "changed", "cut", "large"])
def test_without_the_list_of_files_corrections_are_compared_all_the_same(
    source: ImageFolder, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if damage == "large":
        monkeypatch.setattr("cnnstudio.data.sources.file_source.MAX_FILES", 5)
    before = version(source)
    relabel(source, {"train/dog/1.png": "cat"})
    after = version(source)
    if damage != "large":
        (path,) = (versions_folder() / "files").iterdir()
        text = path.read_text()
        path.unlink()
        if damage != "gone":
            path.write_text(text.replace("dog", "cat") if damage == "changed" else text[:50])
    found = compare_files(before, after)
    assert not found.are_known
    assert texts(found) == {"label": ["train/dog/1.png: as in the files → cat"]}


def test_the_version_of_now_is_described_without_a_copy_of_the_images(source: ImageFolder) -> None:
    relabel(source, {"train/dog/1.png": "cat"}, exclude=["train/dog/3.png"])
    noted = source.record_current_version()
    content = (versions_folder() / f"{noted}.json").read_text()
    (versions_folder() / f"{noted}.json").unlink()
    assert source.load().version == noted
    again = (versions_folder() / f"{noted}.json").read_text()
    assert _without_time(again) == _without_time(content)


def _without_time(content: str) -> list[str]:
    return [line for line in content.splitlines() if '"created"' not in line and '"sha256"' not in line]


def test_long_lists_are_cut_and_counted(source: ImageFolder) -> None:
    before = version(source)
    for number in range(5):
        Image.new("RGB", (6, 6), (100 + number, 50, 90)).save(source.folder / f"train/cat/new{number}.png")
    found = list(compare_files(before, version(source)).lines(2))
    assert found[0] == "5 images were added:"
    assert found[-1] == "  … and 3 more images"


def test_a_key_from_a_file_never_leaves_the_folder() -> None:
    assert listed_files.read_files("../../../../x") is None
    assert listed_files.read_files(7) is None


def test_of_many_lists_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed_files, "_MAX_KEPT", 2)
    keys = []
    for number in range(4):
        keys.append(listed_files.record_files({f"{number}.png": ListedFile("train", "red", 1)}))
        os.utime(listed_files._path(keys[-1]), (number, number))
    assert [listed_files.read_files(key) is not None for key in keys] == [False, False, True, True]
