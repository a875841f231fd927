"""What the tests of training get."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _threads_of_torch() -> Iterator[None]:
    """The window leaves the main thread one thread of torch; other tests want theirs back."""
    before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    yield
    if before is not None:
        sys.modules["torch"].set_num_threads(before)
