"""Settings for tests that compute."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """So single layers are not quicker with more, and much slower where other programs run beside them."""
    # Half of these tests run where torch cannot be imported, too.
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
