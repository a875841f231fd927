"""File locks exclude each other, and are released when their process or context ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cnnstudio.core import locking
from cnnstudio.core.files import FileError, read_json
from cnnstudio.core.locking import FileLock, changing, is_locked


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path):
        assert is_locked(path)
        with pytest.raises(BlockingIOError), FileLock(path):
            pass
    assert not is_locked(path)
    with FileLock(path):
        pass


def test_a_missing_file_is_not_locked_and_a_missing_folder_cannot_be(tmp_path: Path) -> None:
    assert not is_locked(tmp_path / "lock")
    with pytest.raises(FileNotFoundError), FileLock(tmp_path / "missing" / "lock"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows does not delete open files")
def test_a_deleted_lock_file_is_noticed_and_can_be_reacquired(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path) as lock:
        assert lock.is_in_place
        path.unlink()
        assert not lock.is_in_place
        lock.reacquire()
        assert lock.is_in_place
        assert is_locked(path)


def test_with_more_attempts_a_lock_is_waited_for(tmp_path: Path) -> None:
    path, is_held, may_end = tmp_path / "lock", threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(path):
            is_held.set()
            assert may_end.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(60)
    with pytest.raises(BlockingIOError), FileLock(path):
        pass
    threading.Timer(0.3, may_end.set).start()
    with FileLock(path, attempts=1_000):
        assert may_end.is_set()
    thread.join()


_COUNT_UP = """
import json, sys
from pathlib import Path
from cnnstudio.core import locking
from cnnstudio.core.files import exists, read_json, write_json
from cnnstudio.core.locking import changing

# On a slow disk, the other process has the lock nearly all of the time.
locking._PATIENT_ATTEMPTS = 10_000
path = Path(sys.argv[1])
for _ in range(25):
    with changing(path):
        count = read_json(path) if exists(path) else 0
        write_json(path, count + 1)
"""


def test_what_two_processes_add_to_a_file_is_all_in_it(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "count.json"
    command = [sys.executable, "-c", _COUNT_UP, str(path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(240) for process in processes] == [0, 0]
    assert read_json(path) == 50


def test_a_file_that_another_one_changes_for_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_PATIENT_ATTEMPTS", 2)
    path = tmp_path / "list.json"
    named = pytest.raises(FileError, match=r"is changing the list: try again\.")
    with changing(path), named, changing(path, "the list"):
        pass
    with changing(path):
        pass


def test_a_change_in_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FileError, match=r"Cannot write .*list\.json"),
        changing(tmp_path / "file" / "list.json"),
    ):
        pass
