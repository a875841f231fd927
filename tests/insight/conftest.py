"""Settings for tests that compute with torch."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small networks are not faster with more threads, and slower if other programs run at the same time."""
    torch.set_num_threads(1)
