"""Runs in the trash: why they do not get there, and how they come back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from send2trash import TrashPermissionError

from cnnstudio.core.locking import FileLock
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library import trash as system_trash
from cnnstudio.runs.library.deletion import TrashError, restore_run, trash_run
from cnnstudio.runs.library.trash import TrashProblem
from cnnstudio.runs.run import Run
from tests.runs.written import WrittenRun


def completed(folder: Path) -> Run:
    WrittenRun(folder).update_metadata(status="completed")
    return Run.open(folder)


def caused_by(code: int) -> OSError:
    """As the library reports GLib's errors: without a number, but with their cause."""
    error = OSError("übersetzt")
    error.__cause__ = type("GlibError", (Exception,), {"code": code})()
    return error


@pytest.mark.parametrize(
    ("error", "problem", "reason"),
    [
        (TrashPermissionError("/mnt/.Trash-0"), TrashProblem.NO_TRASH, "no trash that you can use"),
        (OSError("Couldn't find mount point for x"), TrashProblem.NO_TRASH, "no trash"),
        (PermissionError(13, "no", "/other/Trash/info"), TrashProblem.NO_TRASH, "no trash"),
        (PermissionError(13, "no"), TrashProblem.NOT_PERMITTED, "permission"),
        (OSError(errno.EROFS, "Read-only file system"), TrashProblem.READ_ONLY, "read-only"),
        (OSError(errno.EBUSY, "Device or resource busy"), TrashProblem.IN_USE, "another program"),
        (OSError(errno.ENOSPC, "No space left"), TrashProblem.FULL, "not enough space"),
        (OSError(errno.EIO, "Input/output error"), TrashProblem.OTHER, "Input/output error"),
        (caused_by(26), TrashProblem.IN_USE, "another program"),
        (caused_by(21), TrashProblem.READ_ONLY, "read-only"),
        (RuntimeError("boom"), TrashProblem.OTHER, "the system refuses"),
    ],
)
def test_each_reason_is_told_apart(
    error: Exception, problem: TrashProblem, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise error

    monkeypatch.setattr(system_trash, "_send", refuse)
    run = completed(tmp_path / "mine")
    with pytest.raises(TrashError) as refused:
        trash_run(run)
    assert refused.value.problem is problem
    assert str(refused.value).startswith("The run mine cannot be moved to the trash: ")
    assert reason in str(refused.value)
    assert str(refused.value).count(".") == 1
    assert (run.folder / "run.json").exists()


def test_a_file_of_the_run_that_is_not_permitted_is_not_a_missing_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = completed(tmp_path / "mine")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "no", os.fsencode(run.folder / "events.jsonl"))

    monkeypatch.setattr(system_trash, "_send", refuse)
    with pytest.raises(TrashError) as refused:
        trash_run(run)
    assert not refused.value.can_delete_permanently


def test_a_run_that_a_program_holds_is_not_deleted(tmp_path: Path) -> None:
    run = completed(tmp_path / "mine")
    with FileLock(run.folder / "lock"), pytest.raises(RunError, match="in progress"):
        trash_run(run)


@pytest.fixture
def bin_folder(trash: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trash of the tests, where the program looks for what it has moved there."""
    monkeypatch.setattr(system_trash, "_trash_folders", lambda path: [trash])
    return trash


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("has_other_files", [False, True])
def test_a_run_comes_back_from_the_trash_as_it_was(
    has_other_files: bool, tmp_path: Path, bin_folder: Path
) -> None:
    run = completed(tmp_path / "mine")
    if has_other_files:
        (run.folder / "notes.txt").write_text("not of the run")
    before = files_of(run.folder)
    trashed = trash_run(run)
    assert not (run.folder / "run.json").exists()
    assert bin_folder.exists()
    restore_run(trashed)
    assert files_of(run.folder) == before
    assert files_of(bin_folder) == []


def test_the_note_that_the_trash_keeps_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, info = tmp_path / "Trash" / "files", tmp_path / "Trash" / "info"

    def move(path: Path) -> None:
        for folder in (files, info):
            folder.mkdir(parents=True)
        os.rename(path, files / "mine 2")
        (info / "mine 2.trashinfo").write_text("[Trash Info]")

    monkeypatch.setattr(system_trash, "_send", move)
    monkeypatch.setattr(system_trash, "_trash_folders", lambda path: [files])
    run = completed(tmp_path / "mine")
    restore_run(trash_run(run))
    assert (run.folder / "run.json").exists()
    assert files_of(info) == []


def test_a_folder_that_is_there_again_is_not_replaced(tmp_path: Path, bin_folder: Path) -> None:
    run = completed(tmp_path / "mine")
    trashed = trash_run(run)
    run.folder.mkdir()
    with pytest.raises(RunError, match="cannot be moved back from the trash"):
        restore_run(trashed)
    assert (bin_folder / "mine" / "run.json").exists()


def test_what_cannot_be_found_in_the_trash_is_said(tmp_path: Path, trash: Path) -> None:
    trashed = trash_run(completed(tmp_path / "mine"))
    with pytest.raises(RunError, match="can only be restored in the system's trash"):
        restore_run(trashed)


def test_a_run_of_which_a_part_is_refused_stays_whole(
    tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = completed(tmp_path / "mine")
    (run.folder / "notes.txt").write_text("not of the run")
    before, send = files_of(run.folder), system_trash._send

    def refuse_the_last(path: Path) -> None:
        if path.name == "run.json":
            raise OSError(errno.EBUSY, "busy")
        send(path)

    monkeypatch.setattr(system_trash, "_send", refuse_the_last)
    with pytest.raises(TrashError, match="another program is using its files"):
        trash_run(run)
    assert files_of(run.folder) == before
