"""Settings for tests that compute."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """So small networks are not quicker with more, and slower where other programs run beside them."""
    torch.set_num_threads(1)
