"""The old files, fresh for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.compatibility.old_files import put_old_files


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """So small networks are not quicker with more."""
    torch.set_num_threads(1)


@pytest.fixture
def old(tmp_path: Path, home: Path) -> Path:
    """Where what version 0.1 left lies: `home`, which is the user's, `brightness` and `designs`."""
    assert put_old_files(tmp_path) == home
    return tmp_path
