"""Settings for tests that compute."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small networks do not get faster with more threads, and get slower if other programs run as well."""
    torch.set_num_threads(1)
