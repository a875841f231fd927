"""File locks exclude each other, and are released when their process or context ends."""

from __future__ import annotations

import os
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
