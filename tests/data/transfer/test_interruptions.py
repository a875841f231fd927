"""Downloads that are interrupted again and again end with the right file, whatever the server does."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import DataError
from cnnstudio.data.transfer.download import ExpectedFile, download, part_file
from cnnstudio.data.transfer.response import RetryPolicy
from tests.data.archives import md5
from tests.data.server import Behavior, Server

DATA = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
RETRY = RetryPolicy(stall_timeout=0.3, max_attempts=3, delay=0.001)
MAX_CALLS = 200


def misbehavior(chances: random.Random) -> Behavior:
    """One of the ways in which a transfer ends early, or continues where it should not."""
    place = chances.randrange(len(DATA))
    return chances.choice(
        [
            Behavior(drop_after=place),
            Behavior(drop_after=place, ranges=False),
            Behavior(drop_after=place, length=False),
            Behavior(stall_after=place),
            Behavior(status=chances.choice([429, 500, 503])),
            Behavior(range_start=place),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_an_interrupted_download_ends_with_the_right_file(tmp_path: Path, seed: int) -> None:
    chances = random.Random(seed)
    behaviors = [*(misbehavior(chances) for _ in range(chances.randrange(1, 8))), Behavior()]
    path = tmp_path / "archive.tar.gz"
    with Server(DATA, behaviors) as server:
        for _ in range(MAX_CALLS):
            stop_at = chances.choice([None, chances.randrange(len(DATA))])
            reached = [0]

            def note(progress: Progress, reached: list[int] = reached) -> None:
                reached[0] = progress.done

            def cancelled(stop_at: int | None = stop_at, reached: list[int] = reached) -> bool:
                return stop_at is not None and reached[0] > stop_at

            try:
                expected = ExpectedFile("the archive", md5(DATA), len(DATA))
                download(server.url, path, expected, note, cancelled, RETRY)
            except (Cancelled, DataError):
                assert not path.exists()
            else:
                break
    assert path.read_bytes() == DATA
    assert not part_file(path).exists()
