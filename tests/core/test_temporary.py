"""Temporary files and folders: removed when their process has ended, however it ended, and never before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cnnstudio.core import files, temporary
from cnnstudio.core.files import write_atomically
from cnnstudio.core.temporary import discard_temporary_folders, temporary_folder

FOLDER = """
import sys
from pathlib import Path
from cnnstudio.core.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1]), "export") as folder:
    (folder / "half.onnx").write_bytes(b"half")
    print("written", flush=True)
    sys.stdin.read()
"""
FILE = """
import sys
from pathlib import Path
from cnnstudio.core.files import atomic_writer
with atomic_writer(Path(sys.argv[1]) / "mine.cnn.json") as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def use(kind: str, folder: Path) -> None:
    """Writes into the folder as the program does, and removes what it did not need."""
    if kind == FOLDER:
        with temporary_folder(folder, "export"):
            pass
    else:
        write_atomically(folder / "mine.cnn.json", b"whole")
        (folder / "mine.cnn.json").unlink()


@contextmanager
def other_process(kind: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of writing into the folder."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", kind, str(folder)], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


@pytest.mark.parametrize("kind", [FOLDER, FILE], ids=["folder", "file"])
def test_what_a_killed_process_left_is_removed_by_the_next_use(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with other_process(kind, tmp_path) as process:
        process.kill()
        process.wait()
        assert len(names(tmp_path)) == 2
        use(kind, tmp_path)
    assert names(tmp_path) == ["mine.txt"]


@pytest.mark.parametrize("kind", [FOLDER, FILE], ids=["folder", "file"])
def test_what_a_living_process_writes_stays(kind: str, tmp_path: Path) -> None:
    with other_process(kind, tmp_path) as process:
        before = sorted(tmp_path.rglob("*"))
        use(kind, tmp_path)
        assert sorted(tmp_path.rglob("*")) == before
        process.communicate("")
        assert process.returncode == 0
    assert names(tmp_path) == ([] if kind == FOLDER else ["mine.cnn.json"])


@pytest.mark.parametrize("kind", [FOLDER, FILE], ids=["folder", "file"])
def test_without_locks_nothing_is_taken_for_abandoned(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with other_process(kind, tmp_path) as process:
        process.kill()
        process.wait()
    before = names(tmp_path)
    monkeypatch.setattr(files, "lock_file", lambda file: False)
    monkeypatch.setattr(temporary, "lock_file", lambda file: False)
    use(kind, tmp_path)
    assert names(tmp_path) == before


def test_files_and_folders_of_other_programs_stay(tmp_path: Path) -> None:
    for name in (".export-abcdefgh", ".cnnstudio-export-mine", ".cnnstudio-archive-" + "0" * 16):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
        (tmp_path / name / "file").touch()
    unmarked = tmp_path / (".cnnstudio-export-" + "1" * 16)
    unmarked.mkdir()
    (unmarked / "file").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lock").touch()
    (tmp_path / (".cnnstudio-export-" + "2" * 16)).symlink_to(tmp_path / "elsewhere")
    (tmp_path / ".mine.cnn.json.tmp").touch()
    (tmp_path / ".other.cnn.json.01234567.tmp").touch()
    before = sorted(tmp_path.rglob("*"))
    use(FOLDER, tmp_path)
    use(FILE, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_its_lock_yet_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes the folder for abandoned in the instant before it is locked."""
    claims: list[Path] = []
    enter = temporary.FileLock.__enter__

    def interfere(lock: temporary.FileLock) -> temporary.FileLock:
        claims.append(lock._path)
        if len(claims) == 1:
            temporary.remove_abandoned_folders(tmp_path, "export")
        return enter(lock)

    monkeypatch.setattr(temporary.FileLock, "__enter__", interfere)
    with temporary_folder(tmp_path, "export") as folder:
        assert len(claims) == 2
        assert folder.is_dir()
    assert names(tmp_path) == []


def test_a_file_that_another_process_takes_for_abandoned_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, interfered = files.lock_file, []

    def interfere(file: object) -> bool:
        if not interfered:
            interfered.append(file)
            files.remove_abandoned_files(tmp_path, "mine.cnn.json")
        return lock(file)

    monkeypatch.setattr(files, "lock_file", interfere)
    write_atomically(tmp_path / "mine.cnn.json", b"whole")
    assert interfered
    assert (tmp_path / "mine.cnn.json").read_bytes() == b"whole"
    assert names(tmp_path) == ["mine.cnn.json"]


def test_a_new_folder_that_stays_empty_is_removed(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "new", "export") as folder:
        (folder / "half").touch()
    assert names(tmp_path) == []


def test_a_process_that_ends_at_once_discards_what_its_threads_still_write(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    written, discarded = threading.Event(), threading.Event()

    def write() -> None:
        with temporary_folder(tmp_path, "export") as folder:
            (folder / "half").touch()
            written.set()
            discarded.wait(60)

    thread = threading.Thread(target=write)
    thread.start()
    written.wait(60)
    discard_temporary_folders()
    assert names(tmp_path) == ["mine.txt"]
    discarded.set()
    thread.join()
    assert names(tmp_path) == ["mine.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows terminates processes without a signal")
def test_a_terminated_command_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from cnnstudio.cli.main import main; from cnnstudio.cli.command import commands;"
        "type(commands()['runs']).run = lambda *_: exec(sys.argv.pop()); sys.exit(main(['runs', 'list']))"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", code, str(tmp_path), FOLDER]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=240)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors == "cnnstudio: stopped\n"
    assert names(tmp_path) == []
