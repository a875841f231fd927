"""A run in a zip file is the same run elsewhere; a zip file from a stranger does no harm."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnstudio.core.locking import FileLock
from cnnstudio.core.progress import Cancelled
from cnnstudio.runs.archive import members, packing, unpacking
from cnnstudio.runs.archive.opened import is_opened, opened_folder
from cnnstudio.runs.archive.packing import pack_run
from cnnstudio.runs.archive.unpacking import open_archive
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.deletion import delete_run, trash_run
from cnnstudio.runs.library.finding import find_run
from cnnstudio.runs.library.label import change_label
from cnnstudio.runs.run import Run
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.recipe.recipe import Recipe
from tests.runs.written import WrittenRun
from tests.training.images import colors
from tests.training.networks import tiny

RECIPE = Recipe("mine", epochs=2, batch_size=16)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    start_run(tiny(), colors(), RECIPE, RunOptions(folder=tmp_path / "my run"))
    change_label(tmp_path / "my run", title="Mine")
    (tmp_path / "my run" / "notes.txt").write_text("private")
    return Run.open(tmp_path / "my run")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_packed_run_opens_with_the_same_files_read_only(run: Run, tmp_path: Path) -> None:
    before = contents(run.folder)
    pack_run(run, tmp_path / "run.zip")
    assert contents(run.folder) == before
    opened = open_archive(tmp_path / "run.zip")
    found = contents(opened)
    assert found == {
        name: data for name, data in before.items() if name not in ("notes.txt", "lock", "label.lock")
    }
    assert {"run.json", "label.json", "events.jsonl"} <= found.keys()
    assert any(name.startswith("checkpoints/") for name in found)
    assert any(name.startswith("snapshots/") for name in found)
    assert is_opened(opened)
    assert opened.name == "my run"
    if os.name != "nt":
        assert not any(path.stat().st_mode & stat.S_IWUSR for path in opened.rglob("*") if path.is_file())
    again = Run.open(opened)
    assert (again.network, again.recipe, again.test) == (run.network, run.recipe, run.test)
    assert again.events() == run.events()


def test_packing_the_same_run_gives_the_same_file(run: Run, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "one.zip")
    pack_run(run, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_zip_file_is_unpacked_once(run: Run, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "one.zip")
    first = find_run(tmp_path / "one.zip").folder
    os.rename(tmp_path / "one.zip", tmp_path / "two.ZIP")
    times = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert find_run(tmp_path / "two.ZIP").folder == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == times
    assert len(list(opened_folder().iterdir())) == 1


def test_only_the_last_opened_zip_files_stay_unpacked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_MAX_KEPT", 2)
    folders = []
    for number in range(3):
        change_label(run.folder, title=f"Number {number}")
        pack_run(run, tmp_path / f"{number}.zip")
        folders.append(open_archive(tmp_path / f"{number}.zip"))
        for age, folder in enumerate(reversed(folders)):
            if folder.exists():
                os.utime(folder.parent, (1e9 - age, 1e9 - age))
    assert [folder.exists() for folder in folders] == [False, True, True]
    assert open_archive(tmp_path / "0.zip") == folders[0]


def test_a_run_from_a_zip_file_cannot_be_changed(run: Run, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "run.zip")
    opened = find_run(tmp_path / "run.zip")
    before = contents(opened.folder)
    for change in (
        lambda: change_label(opened.folder, title="Other"),
        lambda: delete_run(opened),
        lambda: trash_run(opened),
        lambda: start_run(tiny(), colors(), RECIPE, RunOptions(folder=opened.folder, resume=True)),
    ):
        with pytest.raises(RunError, match="was opened from a zip file"):
            change()
    assert contents(opened.folder) == before


def test_a_run_in_progress_is_not_packed(tmp_path: Path) -> None:
    written = WrittenRun(tmp_path / "run")
    with FileLock(written.folder / "lock"), pytest.raises(RunError, match="is in progress"):
        pack_run(Run.open(written.folder), tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()


def test_packing_leaves_nothing_behind_when_it_is_cancelled_or_fails(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Cancelled):
        pack_run(run, tmp_path / "run.zip", cancelled=lambda: True)
    monkeypatch.setattr(packing, "MAX_ARCHIVE_BYTES", 10)
    with pytest.raises(RunError, match="too large for a zip file"):
        pack_run(run, tmp_path / "run.zip")
    assert [path.name for path in tmp_path.glob("*.zip*")] == []


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_in_a_runs_folder_are_not_packed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("secret")
    (run.folder / "snapshots" / "epoch-999.json").symlink_to(tmp_path / "secret.json")
    pack_run(run, tmp_path / "run.zip")
    assert not any("epoch-999" in name for name in zipfile.ZipFile(tmp_path / "run.zip").namelist())


def test_a_zip_file_made_by_hand_opens_too(run: Run, tmp_path: Path) -> None:
    """Files at the top, as of some file managers, and with what others add."""
    with zipfile.ZipFile(tmp_path / "by hand.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in run.folder.rglob("*"):
            archive.write(path, path.relative_to(run.folder))
        archive.writestr("__MACOSX/._run.json", "x")
        archive.writestr(".DS_Store", "x")
    opened = open_archive(tmp_path / "by hand.zip")
    assert opened.name == "by hand"
    assert Run.open(opened).events() == run.events()
    assert not (opened / "notes.txt").exists()


def _with(name: str, mode: int = 0o100644, data: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    def add(archive: zipfile.ZipFile) -> None:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, data)

    return add


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (_with("../outside.json"), "leads out of its folder"),
        (_with("run/../../outside.json"), "leads out of its folder"),
        (_with("/outside.json"), "leads out of its folder"),
        (_with("C:/outside.json"), "leads out of its folder"),
        (_with("run\\..\\outside.json"), "leads out of its folder"),
        (_with("run//outside.json"), "leads out of its folder"),
        (_with("run/snapshots/link.json", 0o120777, b"/etc/passwd"), "is a link or a device"),
        (_with("run/snapshots/pipe.json", 0o010644), "is a link or a device"),
        (_with("run/label.json", data=bytes(70_000)), "is too large"),
        (_with("other/run.json", data=b"{}"), "does not contain a run"),
    ],
)
def test_a_hostile_zip_file_is_refused_and_nothing_is_written(
    add: Callable[[zipfile.ZipFile], None], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run/run.json", "{}")
        add(archive)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=reason):
        open_archive(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_in_the_zip_file_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run/run.json", "{}")
        archive.writestr("run/label.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("run/label.json", "[]")
    with pytest.raises(RunError, match=r"contains label\.json twice"):
        open_archive(path)


def test_a_zip_bomb_is_refused_by_its_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 2**20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/run.json", "{}")
        archive.writestr("run/weights/zeros.safetensors", bytes(32 * 2**20))
    with pytest.raises(RunError, match="unpacks to far more than a run"):
        open_archive(path)
    assert list(opened_folder().parent.rglob("*.safetensors")) == []


def test_a_file_that_is_longer_than_it_says_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/run.json", "{}")
        archive.writestr("run/weights/zeros.safetensors", bytes(5_000_000))
    data = bytearray(path.read_bytes())
    for position in (data.rindex(b"PK\x01\x02") + 24, data.rindex(b"PK\x03\x04") + 22):
        struct.pack_into("<I", data, position, 1000)
    path.write_bytes(data)
    with pytest.raises(RunError):
        open_archive(path)
    assert list(opened_folder().parent.rglob("*.safetensors")) == []


@pytest.mark.parametrize("entries", [0xFFFFFFFF, members.MAX_ARCHIVE_BYTES])
def test_a_list_of_members_that_takes_all_memory_is_not_read(entries: int, tmp_path: Path) -> None:
    path = tmp_path / "list.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run/run.json", "{}")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rindex(b"PK\x05\x06") + 12, entries)
    path.write_bytes(data)
    with pytest.raises(RunError, match="more files than a run"):
        open_archive(path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 3)
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run/run.json", "{}")
        for number in range(3):
            archive.writestr(f"run/{number}", "")
    with pytest.raises(RunError, match="more files than a run"):
        open_archive(path)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "folder"])
def test_a_damaged_zip_file_is_a_sentence(damage: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    pack_run(run, path)
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    path.write_bytes({"empty": b"", "text": b"hello" * 100, "cut": data[:-200]}.get(damage, bytes(data)))
    if damage == "folder":
        path.unlink()
        path.mkdir()
    with pytest.raises(RunError):
        open_archive(path)
    assert not opened_folder().exists() or list(opened_folder().iterdir()) == []


def test_encrypted_and_oddly_compressed_files_are_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("run/run.json", "{}")
    with pytest.raises(RunError, match="is compressed in a way"):
        open_archive(path)
    pack_run(run, path)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match="is encrypted"):
        open_archive(path)


def test_a_missing_zip_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no file"):
        open_archive(tmp_path / "gone.zip")
    with pytest.raises(RunError, match="There is no run"):
        find_run(tmp_path / "gone.zip")
