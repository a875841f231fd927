"""Settings for tests that compute."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """More threads do not speed up networks this small, and slow them down beside other programs."""
    torch.set_num_threads(1)
