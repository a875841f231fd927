"""Settings for tests that compute with torch."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Single layers are not faster with more threads, and much slower if other programs are running."""
    # Half of these tests also run where torch cannot be imported.
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
