"""Folders, tables and zip files that users add as data sets."""

from __future__ import annotations

import io
import json
import os
import stat
import tracemalloc
import zipfile
from math import prod
from pathlib import Path

import pytest
from PIL import Image

from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import Cancelled, ignore_progress, never_cancelled
from cnnstudio.core.zip_files import has_more_members
from cnnstudio.data.dataset import RESIZE_MODES, DataError
from cnnstudio.data.images import file_check, sizes
from cnnstudio.data.images.file_check import find_unreadable_classes
from cnnstudio.data.images.image_files import image_size
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.images.sizes import AUTOMATIC
from cnnstudio.data.sources import find_source, folder_list, register, sources
from cnnstudio.data.sources.adding import add_images, prepare_images
from cnnstudio.data.sources.folder_list import (
    RegisteredSet,
    register_set,
    registered_sets,
    unpacked_folder,
    unregister_set,
)
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.sources.image_table import ImageTable
from cnnstudio.data.tables.label_table import read_table
from cnnstudio.data.transfer import zip_images
from cnnstudio.data.versions.split_plan import SplitPlan
from cnnstudio.data.versions.version import describe_difference, read_version


def png(value: int = 0) -> bytes:
    """An image of 6 × 6 pixels whose red is `value`."""
    buffer = io.BytesIO()
    Image.new("RGB", (6, 6), (value, 50, 90)).save(buffer, "png")
    return buffer.getvalue()


def table(folder: Path, text: str | bytes, images: int = 6) -> Path:
    """A table of that text beside images 0.png, 1.png, …"""
    (folder / "images").mkdir(parents=True)
    for number in range(images):
        (folder / "images" / f"{number}.png").write_bytes(png(number))
    path = folder / "birds.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


ROWS = [f"images/{number}.png,{'owl' if number % 2 else 'jay'}" for number in range(6)]
PLAIN = "\n".join(["file,label", *ROWS])


def zip_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


PETS = {f"pets/{name}/{number}.png": png(number) for name in ("cat", "dog") for number in range(3)}


def test_a_table_becomes_a_data_set_named_after_it(tmp_path: Path) -> None:
    source = add_images(table(tmp_path, PLAIN))
    assert (source.name, source.name in [each.name for each in sources()]) == ("birds", True)
    data = find_source("birds").load()
    assert data.classes == ("jay", "owl")
    assert sorted(data.train.labels.tolist() + data.test.labels.tolist()) == [0, 0, 0, 1, 1, 1]
    read = dict(zip(data.train.images[:, 0, 0, 0].tolist(), data.train.labels.tolist(), strict=True))
    assert all(label == red % 2 for red, label in read.items())


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").replace("\n", "\r\n").encode(),
        PLAIN.replace("file,label", "Filename , Class").encode(),
        PLAIN.replace("images/", "images\\").encode(),
        PLAIN.replace(".png", "").replace("file", "image_id").encode(),
        "\n".join(["id,file,label", *(f"{n},{row}" for n, row in enumerate(ROWS))]).encode(),
        "\n".join(['"label","file"', *(",".join(reversed(row.split(","))) for row in ROWS)]).encode(),
        "\n".join(ROWS).encode(),
    ],
)
def test_tables_as_spreadsheets_write_them_are_understood(tmp_path: Path, text: bytes) -> None:
    listing = ImageTable(table(tmp_path, text)).listing()
    assert listing.classes == ("jay", "owl")
    assert [os.path.basename(path) for path, _ in listing.train] == [
        f"{number}.png" for number in (0, 2, 4, 1, 3, 5)
    ]


def test_labels_that_are_not_utf_8_are_read_as_windows_writes_them(tmp_path: Path) -> None:
    text = "\n".join(
        ["file;label", *(row.replace(",", ";").replace("owl", "chouette dorée") for row in ROWS)]
    )
    listing = ImageTable(table(tmp_path, text.encode("cp1252"))).listing()
    assert listing.classes == ("chouette dorée", "jay")
    assert any("Windows-1252" in note for note in listing.notes)


def test_the_column_split_tells_the_splits(tmp_path: Path) -> None:
    splits = ("train", "train", "val", "Test", "Test", "train")
    lines = [f"{row},{split}" for row, split in zip(ROWS, splits, strict=True)]
    listing = ImageTable(table(tmp_path, "\n".join(["file,label,split", *lines]))).listing()
    assert {part: len(files) for part, files in listing.parts.items()} == {
        "train": 3,
        "test": 2,
        "validation": 1,
    }


def test_what_a_table_names_in_vain_is_said(tmp_path: Path) -> None:
    extra = ["images/gone.png,owl", "../outside.png,jay", "/etc/passwd,jay", ",jay", "images/3.png,", ROWS[0]]
    path = table(tmp_path / "set", "\n".join(["file,label", *ROWS, "images/1.png,jay", *extra]))
    (tmp_path / "outside.png").write_bytes(png())
    listing = ImageTable(path).listing()
    assert len(listing.train) == 5
    notes = " ".join(listing.notes)
    assert "1 file is missing and not used: images/gone.png." in notes
    assert "2 files are not in" in notes
    assert "outside.png, /etc/passwd." in notes
    assert f"listed with different labels or splits and not used: {Path('images/1.png')}." in notes
    assert "2 lines have no file or no label, the first of them line 12" in notes
    assert "1 line repeats what another line says already." in notes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "is empty"),
        (b"name,age\nx,3\n", "its first line must be file,label"),
        (b"file,label\n", "no line with a file and a label"),
        (b"file,label\nnot/there.png,owl\n", "None of the 1 files .* is there, such as .not/there.png."),
        (b"file,label\nimages/0.png,owl\nimages/1.png,owl\n", "only one class .owl.: add images of another"),
        (b"file,label,split\nimages/0.png,owl,test\nimages/1.png,jay,test\n", "no training images"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text file"),
        (b"file,label\nimages/0.png," + b"x" * 201, "line 2: the label is too long"),
        (b"file,label" + b"\n" * 1_000_003, "at most 1,000,000 are read"),
    ],
)
def test_tables_without_a_data_set_are_refused_in_one_sentence(
    tmp_path: Path, text: bytes, problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as error:
        add_images(table(tmp_path, text))
    assert "\n" not in str(error.value)
    assert registered_sets() == {}


def test_a_zip_file_becomes_a_data_set_named_after_it(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "my pets.zip", {**PETS, "__MACOSX/pets/cat/._0.png": b"x", "pets/README.md": b"x"}
    )
    source = add_images(path)
    assert source.name == "my pets"
    path.unlink()
    assert find_source("my pets").load().classes == ("cat", "dog")
    assert not list(unpacked_folder().rglob("README.md"))
    unregister_set("my pets")
    assert list(unpacked_folder().iterdir()) == []


def test_a_large_file_in_a_zip_file_is_unpacked_in_pieces(tmp_path: Path) -> None:
    size = 48 * 2**20
    with zipfile.ZipFile(tmp_path / "large.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("cat/0.png", bytes(size))
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    try:
        zip_images.unpack_images(tmp_path / "large.zip", tmp_path / "out", ignore_progress, never_cancelled)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out" / "cat" / "0.png").stat().st_size == size
    assert peak < 8 * 2**20


def test_a_zip_file_that_is_added_again_is_not_unpacked_again(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "pets.zip", PETS)
    first, second = add_images(path), add_images(path, "animals")
    assert first.path == second.path
    assert [each.name for each in sources() if not each.built_in] == ["animals"]


def test_a_zip_file_may_have_a_table(tmp_path: Path) -> None:
    members = {f"birds/images/{number}.png": png(number) for number in range(6)}
    path = zip_of(tmp_path / "b.zip", {**members, "birds/labels.csv": PLAIN.encode()})
    assert isinstance(add_images(path), ImageTable)
    assert find_source("b").load().classes == ("jay", "owl")


@pytest.mark.parametrize("text", ["name,price\nfood,3\n", "file,label\ncat/0.png,cat\ndog/0.png,dog\n"])
def test_a_stray_table_in_a_zip_file_does_not_hide_its_images(tmp_path: Path, text: str) -> None:
    source = add_images(zip_of(tmp_path / "pets.zip", {**PETS, "pets/notes.csv": text.encode()}))
    assert isinstance(source, ImageFolder)
    assert len(source.listing().files) == 6


def test_a_table_in_a_zip_file_that_cannot_be_used_is_the_reason_given(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "birds.zip", {"0.png": png(), "labels.csv": b"file,label\nmissing.png,owl\n"})
    with pytest.raises(DataError, match=r"None of the 1 files of .*labels\.csv is there"):
        add_images(path)


def test_a_zip_file_with_too_many_members_is_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "pets.zip", {f"a/{number}": b"" for number in range(60)})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 8 : end + 12] = bytes(4)  # it says that there are none
    path.write_bytes(data)
    with path.open("rb") as file:
        assert [has_more_members(file, most) for most in (59, 60, 61)] == [True, False, False]
    monkeypatch.setattr(zip_images, "MAX_MEMBERS", 20)
    monkeypatch.setattr(zip_images.zipfile, "ZipFile", None)
    with pytest.raises(DataError, match="it has more than 20 files"):
        add_images(path)


def test_a_table_whose_lines_all_contradict_each_other_is_refused(tmp_path: Path) -> None:
    lines = [f"images/{number}.png,{label}" for number in range(3) for label in ("owl", "jay")]
    with pytest.raises(DataError, match=r"lists every file more than once, .* “images/0\.png”"):
        add_images(table(tmp_path, "\n".join(["file,label", *lines])))


def member(name: str, mode: int = 0, flags: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.flag_bits = mode << 16, flags
    return info


@pytest.mark.parametrize(
    ("harmful", "problem"),
    [
        (member("../escaped.png"), "leads out of its folder"),
        (member("/tmp/escaped.png"), "leads out of its folder"),
        (member("C:/escaped.png"), "leads out of its folder"),
        (member("pets/link.png", stat.S_IFLNK | 0o777), "is a link or a device"),
        (member("pets/device.png", stat.S_IFCHR | 0o777), "is a link or a device"),
    ],
)
def test_harmful_zip_files_are_refused_before_anything_is_written(
    tmp_path: Path, harmful: zipfile.ZipInfo, problem: str
) -> None:
    path = zip_of(tmp_path / "pets.zip", PETS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(harmful, b"x")
    with pytest.raises(DataError, match=problem):
        add_images(path)
    assert not unpacked_folder().exists()
    assert registered_sets() == {}


def test_a_zip_file_with_a_password_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "pets.zip", {"a/secret.png": b"x"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="is encrypted"):
        add_images(path)


def test_a_zip_file_that_unpacks_to_far_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_images, "_FREE_BYTES", 1_000)
    path = zip_of(tmp_path / "bomb.zip", {"a/1.png": b"\0" * 1_000_000})
    with pytest.raises(DataError, match="unpack to 1 MB, far more than images do"):
        add_images(path)
    assert not unpacked_folder().exists()


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"x" * 100])
def test_what_is_no_zip_file_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pets.zip").write_bytes(data)
    with pytest.raises(DataError, match="is not a zip file, or it is damaged"):
        add_images(tmp_path / "pets.zip")


def test_a_damaged_or_cancelled_zip_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "pets.zip", PETS)
    with pytest.raises(Cancelled):
        add_images(path, progress=ignore_progress, cancelled=lambda: True)
    data = bytearray(path.read_bytes())
    data[60:70] = b"\xff" * 10
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        add_images(path)
    assert not unpacked_folder().exists()


def test_a_zip_file_without_classes_is_named_instead_of_the_place_where_it_was_unpacked(
    tmp_path: Path,
) -> None:
    path = zip_of(tmp_path / "pets.zip", {"a.png": png(), "b.png": png()})
    with pytest.raises(DataError, match="has no images in class folders") as error:
        add_images(path)
    assert str(error.value).startswith(str(path))
    assert not unpacked_folder().exists()


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (
            ["cat/0.png", "cat/1.png", "cat/2.png"],
            "None of the training images of class cat in pets can be read",
        ),
        (["dog/0.png", "dog/2.png"], "pets has only one readable image of class dog: add at least one more"),
        (["train/cat/0.png"], "None of the training images of class cat in pets can be read"),
        (["test/dog/0.png"], "None of the test images of class dog in pets can be read"),
    ],
)
def test_a_class_without_readable_images_is_refused_before_anything_is_added(
    tmp_path: Path, broken: list[str], message: str
) -> None:
    folder = tmp_path / "pets"
    split = ["train/", "test/"] if broken[0].startswith("t") else [""]
    names = [f"{part}{name}/0.png" for part in split for name in ("cat", "dog")]
    for name in names if len(split) > 1 else [name.removeprefix("pets/") for name in PETS]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"" if name in broken else png())
    with pytest.raises(DataError, match=f"^{message}"):
        add_images(folder)
    assert registered_sets() == {}
    zipped = zip_of(
        tmp_path / "pets.zip",
        {str(name.relative_to(tmp_path)): name.read_bytes() for name in folder.rglob("*.png")},
    )
    with pytest.raises(DataError, match=f"^{message}"):
        add_images(zipped)
    assert registered_sets() == {}
    assert not list(unpacked_folder().iterdir())


def test_that_a_class_can_be_read_is_known_from_few_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = list[str]()

    def size(path: Path) -> tuple[int, int]:
        opened.append(path.name)
        return image_size(path)

    monkeypatch.setattr(file_check, "image_size", size)
    files = []
    for label, first in enumerate((b"", png())):
        for number in range(30):
            path = tmp_path / f"{label}-{number}.png"
            path.write_bytes(png() if number else first)
            files.append((str(path), label))
    assert find_unreadable_classes(files, 2, never_cancelled) == set()
    assert sorted(opened) == ["0-0.png", "0-1.png", "0-2.png", "1-0.png", "1-1.png"]
    for path, _ in files[:29]:
        Path(path).write_bytes(b"")
    assert find_unreadable_classes(files, 2, never_cancelled) == {path for path, _ in files[:29]}
    # Where very many are none, it is not looked further.
    monkeypatch.setattr(file_check, "_MAX_TRIED", 20)
    assert find_unreadable_classes(files, 2, never_cancelled) == set()


def test_a_chosen_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path, PLAIN)
    with pytest.raises(DataError, match="There is a data set “Shapes” already"):
        add_images(path, "Shapes")
    assert add_images(path, "my birds").name == "my birds"
    assert add_images(path, "our birds").name == "our birds"
    assert list(registered_sets()) == ["our birds"]


def test_the_split_of_a_set_is_kept_with_it(tmp_path: Path) -> None:
    path = table(tmp_path, PLAIN)
    plan = SplitPlan(seed=3, share=0.4, groups="[0-9]")
    add_images(path, split={"seed": 3, "share": 0.4, "groups": "[0-9]"})
    found = find_source("birds")
    assert isinstance(found, ImageTable)
    assert found.plan == plan
    assert len(found.load().test) == 2
    assert any("by seed 3" in note for note in found.info()["notes"])


def test_a_zip_file_whose_name_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cifar10"):
        add_images(zip_of(tmp_path / "pets.zip", PETS), "cifar10")
    assert list(unpacked_folder().iterdir()) == []


def test_names_without_extension_are_those_of_images(tmp_path: Path) -> None:
    path = table(tmp_path, PLAIN.replace(".png", ""))
    for number in range(6):
        (path.parent / "images" / f"{number}.json").write_text("{}")
    assert len(add_images(path).load().train.labels) > 0


def test_lines_that_end_in_carriage_returns_are_counted_too(tmp_path: Path) -> None:
    path = table(tmp_path, "file,label\r" + "a.png,b\r" * 1_000_003)
    with pytest.raises(DataError, match="at most 1,000,000 are read"):
        add_images(path)


def test_how_images_are_resized_is_kept_with_the_set_and_part_of_its_version(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(3):
            side = (12, 6) if number else (6, 6)
            Image.new("RGB", side, (200, 50, number)).save(tmp_path / "pets" / name / f"{number}.png")
    found = {}
    for mode in RESIZE_MODES:
        add_images(tmp_path / "pets", resize=mode)
        source = find_source("pets")
        assert source.info()["resize"] == mode
        found[mode] = data = source.load()
        assert data.resize == mode
        assert find_source("pets").load().fingerprint == data.fingerprint
    assert len({data.version for data in found.values()}) == len(found)
    has_black = {mode: bool((data.train.images == 0).all(axis=1).any()) for mode, data in found.items()}
    assert has_black == {"fill": False, "fit": True, "stretch": False}
    # New sizes for a network follow it, too.
    tall = resize(found["fit"], (3, 16, 8))
    assert (tall.train.images[:, :, 0] == 0).all()
    assert not (resize(found["fill"], (3, 16, 8)).train.images[:, 0, 0] == 0).any()
    versions = [read_version(found[mode].version) for mode in ("fill", "fit")]
    assert describe_difference(*versions) == ["Images are resized in another way: fill → fit."]


def pets_folder(folder: Path, side: int = 6) -> Path:
    """Two classes of three images."""
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (side, side), (200, 50, number)).save(folder / name / f"{number}.png")
    return folder


def test_a_whole_drive_gets_a_name_as_well() -> None:
    """Such as a memory card: without one, nothing could be said about it or done with it."""
    drive = Path(Path.cwd().anchor)
    assert register(ImageFolder(drive)).name == "images"
    found = find_source("images")
    assert (found.title, found.path) == ("images", drive)  # type: ignore[attr-defined]  # of files


def test_the_chosen_size_of_images_is_kept_with_the_set_and_part_of_its_version(tmp_path: Path) -> None:
    folder, found = pets_folder(tmp_path / "pets"), {}
    for size in (AUTOMATIC, (8, 8), (4, 8)):
        add_images(folder, size=size)
        source = find_source("pets")
        assert source.info().get("size") == (None if size == AUTOMATIC else list(size))
        found[size] = data = source.load()
        expected = (6, 6) if size == AUTOMATIC else size
        assert data.shape == source.image_shape() == (3, *expected)
        assert source.checked_info()["decoded"] == {"size": list(expected), "bytes": 6 * 3 * prod(expected)}
        assert find_source("pets").load().fingerprint == data.fingerprint
    assert len({data.version for data in found.values()}) == 3
    versions = [read_version(data.version) for data in found.values()]
    assert describe_difference(*versions[:2]) == ["Images are resized to another size: 6 × 6 → 8 × 8."]
    (found_order,) = describe_difference(*versions[1:])
    assert found_order == "Images are resized to another size: 8 × 8 → 4 × 8 (height × width)."
    assert "All images were resized to 8 × 8, as you chose." in found[8, 8].notes


def test_what_is_added_again_keeps_what_was_chosen_before(tmp_path: Path) -> None:
    folder = pets_folder(tmp_path / "pets")
    add_images(folder, "my pets", "folders", {"seed": 3, "share": 0.4}, resize="fit", size=(8, 8))
    known = registered_sets()["my pets"]
    add_images(folder)
    assert registered_sets() == {"my pets": known}
    add_images(folder, split={"share": 0.5}, size=AUTOMATIC)
    changed = registered_sets()["my pets"]
    assert (changed.plan, changed.size) == (SplitPlan(seed=3, share=0.5), AUTOMATIC)
    assert (changed.reading, changed.resize) == ("folders", "fit")


def test_a_set_that_another_program_adds_at_the_same_moment_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (table(tmp_path / name, PLAIN) for name in ("one", "two"))

    def register_later(name: str, entry: RegisteredSet, replaces: str | None = None) -> None:
        monkeypatch.setattr(folder_list, "register_set", register_set)
        add_images(first)
        register_set(name, entry, replaces)

    monkeypatch.setattr(folder_list, "register_set", register_later)
    with pytest.raises(DataError, match="There is a data set “birds” already"):
        register(ImageTable(second))
    assert [each.path for each in registered_sets().values()] == [first]
    assert register(ImageTable(second)).name == "birds-2"


def test_a_set_is_found_by_the_names_that_it_had_before(tmp_path: Path) -> None:
    path = table(tmp_path / "set", PLAIN)
    for name in ("", "Jays", "owls", "Jays", "all"):
        add_images(path, name)
    assert list(registered_sets()) == ["all"]
    for name in ("birds", "jays", "owls", "all"):
        assert find_source(name).name == "all"
    # Settings that are changed leave that as it is, and a new set may take a name that is free now.
    add_images(path, size=(8, 8))
    assert find_source("birds").name == "all"
    add_images(table(tmp_path / "other", PLAIN))
    assert find_source("birds").path == tmp_path / "other" / "birds.csv"
    unregister_set("all")
    with pytest.raises(DataError, match="There is no data set or folder “owls”"):
        find_source("owls")


def test_a_zip_file_added_again_keeps_its_name_and_settings(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "pets.zip", PETS)
    add_images(path, "animals", size=(8, 8))
    assert add_images(path).name == "animals"
    assert registered_sets()["animals"].size == (8, 8)


def test_a_size_that_takes_too_much_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_images(pets_folder(tmp_path / "pets"), size=(1024, 1024))
    monkeypatch.setattr(sizes, "_MAX_BYTES", 10_000_000)
    with pytest.raises(DataError, match="6 images at 1024 × 1024 take 19 MB, but at most 10 MB are"):
        find_source("pets").load()


@pytest.mark.parametrize("size", [[0, 8], [8], [8, 8, 8], "8", [8, 1025], [True, 8], [8.0, 8]])
def test_a_size_in_the_list_that_is_none_counts_as_automatic(tmp_path: Path, size: object) -> None:
    add_images(pets_folder(tmp_path / "pets"), size=(8, 8))
    path = datasets_folder() / "folders.json"
    content = json.loads(path.read_text())
    content["folders"][0]["size"] = size
    path.write_text(json.dumps(content))
    assert registered_sets()["pets"].size == AUTOMATIC


def test_what_was_found_is_not_searched_again_for_another_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of a million lines takes seconds to read, each time that a field is typed into."""
    for name in ("a.png", "b.png", "c.png", "d.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "t.csv").write_text("file,label\na.png,x\nb.png,x\nc.png,y\nd.png,y\n")
    prepared = prepare_images(tmp_path / "t.csv")
    reads = list[object]()
    monkeypatch.setattr(ImageTable, "listing", lambda *arguments: reads.append(arguments))
    again = prepared.read_as(None).changed(plan=SplitPlan(seed=3))
    assert again.listing() is prepared.listing()
    assert again.source.plan.seed == 3
    assert not reads


def test_reading_a_large_table_can_be_canceled(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,label\n" + "a.png,x\n" * 5_000)
    calls = list[int]()

    def cancelled() -> bool:
        calls.append(1)
        return len(calls) > 2

    with pytest.raises(Cancelled):
        read_table(tmp_path / "t.csv", cancelled)


@pytest.mark.parametrize(
    "name", ["up/../a.png", "./a.png", ".//a.png", "up\\..\\a.png", "up/..", "/", "..", "."]
)
def test_files_of_a_table_are_found_by_unusual_paths_as_well(tmp_path: Path, name: str) -> None:
    (tmp_path / "up").mkdir()
    for each in ("a.png", "b.png", "up/a.png", "up/b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / each)
    rows = ["up/a.png,x", "up/b.png,y", "b.png,y", f"{name},x"]
    (tmp_path / "t.csv").write_text("\n".join(["file,label", *rows]))
    listing = ImageTable(tmp_path / "t.csv").listing()
    found = {os.path.relpath(path, tmp_path) for path, _ in listing.files}
    expected = {"up/a.png", "up/b.png", "b.png"} | ({"a.png"} if name.endswith("a.png") else set())
    assert found == {each.replace("/", os.sep) for each in expected}
