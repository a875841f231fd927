"""File locks exclude each other, and are released when their process or context ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cnnstudio.core.locking import FileLock, is_locked


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
