"""Several ranks learn together what one process learns alone: to the rounding of float32 sums."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.training.distributed.ranks import ALONE
from cnnstudio.training.events import Adjusted, EpochEnded, Finished, Paused, Progress
from tests.training.distributed.several_ranks import BATCH, COUNT, RANKS, Seen, learn, read

ROOT = Path(__file__).resolve().parents[3]

EPOCHS, STEPS = 3, -(-COUNT // BATCH)
"""Of those trainings that do nothing special; steps of an epoch."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the ranks have left what they saw of all trainings; they are started once, which takes long."""
    place = tmp_path_factory.mktemp("ranks")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
    ended = subprocess.run(
        [sys.executable, *launcher, "-m", "tests.training.distributed.several_ranks", str(place)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return place


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Linux tells the names of all threads")
def test_no_thread_of_a_group_outlives_it_and_aborts_the_process_at_its_end(folder: Path) -> None:
    for number in range(RANKS):
        names = json.loads((folder / f"threads-{number}.json").read_text())
        assert names
        assert not [name for name in names if "gloo" in name]


@pytest.fixture
def ranks(folder: Path, request: pytest.FixtureRequest) -> list[Seen]:
    return read(folder, request.param)


def seen_by(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("ranks", names, indirect=True)


@pytest.mark.parametrize("name", ["moved", "mixed", "in parts", "image by image", "muon"])
def test_weights_and_scores_are_those_of_one_process(folder: Path, name: str) -> None:
    together, alone = read(folder, name)[0], learn(name, ALONE)
    np.testing.assert_allclose(together.losses(), alone.losses(), rtol=1e-4)
    for ours, theirs in zip(together.of(EpochEnded), alone.of(EpochEnded), strict=True):
        for kind in ("train", "validation"):
            assert ours[kind] == pytest.approx(theirs[kind], rel=1e-4)
    assert together.weights.keys() == alone.weights.keys()
    for key, value in alone.weights.items():
        np.testing.assert_allclose(together.weights[key], value, rtol=1e-4, atol=1e-5, err_msg=key)


@seen_by("moved", "mixed", "in parts", "muon", "dropout", "changed")
def test_all_ranks_have_the_same_weights(ranks: list[Seen]) -> None:
    assert len({each.digest() for each in ranks}) == 1


def test_ranks_go_on_to_the_very_weights_of_those_that_were_not_interrupted(folder: Path) -> None:
    interrupted, whole = read(folder, "interrupted"), read(folder, "dropout")
    assert [end["outcome"] for end in interrupted[0].of(Finished)] == ["stopped", "completed"]
    assert [each.digest() for each in interrupted] == [each.digest() for each in whole]


@seen_by("moved", "dropout")
def test_each_rank_reads_its_share_alone(ranks: list[Seen]) -> None:
    images = [each.images for each in ranks]
    assert sum(images) == EPOCHS * COUNT
    assert max(images) - min(images) <= EPOCHS * STEPS


@seen_by("mixed")
def test_of_mixed_images_each_rank_reads_its_share_and_the_partners(ranks: list[Seen]) -> None:
    assert sum(each.images for each in ranks) == 2 * EPOCHS * COUNT


@seen_by("stopped")
def test_a_stop_on_any_rank_stops_all_after_the_same_step(ranks: list[Seen]) -> None:
    assert [each.of(Finished)[0]["outcome"] for each in ranks] == ["stopped"] * RANKS
    assert len({each.of(Finished)[0]["reason"] for each in ranks}) == 1
    assert len({each.of(Progress)[-1]["step"] for each in ranks}) == 1


@seen_by("changed")
def test_changes_and_a_pause_hold_for_all_from_the_same_step(ranks: list[Seen]) -> None:
    first, *others = (each.of(Adjusted) for each in ranks)
    assert [event["name"] for event in first] == ["epochs", "learning_rate"]
    assert all(other == first for other in others)
    assert len({tuple(event["step"] for event in each.of(Paused)) for each in ranks}) == 1
    # The pause ends with the request to stop after the epoch.
    assert len({each.of(Finished)[0]["reason"] for each in ranks}) == 1
    assert "Stopped after epoch" in ranks[0].of(Finished)[0]["reason"]


@seen_by("diverged")
def test_a_loss_without_a_number_ends_all_in_the_same_words(ranks: list[Seen]) -> None:
    ends = [each.of(Finished)[0] for each in ranks]
    assert [end["cause"] for end in ends] == ["not_finite"] * RANKS
    assert len({end["reason"] for end in ends}) == 1


@seen_by("memory")
def test_a_rank_that_ends_alone_ends_all_and_they_say_why(ranks: list[Seen]) -> None:
    ends = [each.of(Finished)[0] for each in ranks]
    assert [end["outcome"] for end in ends] == ["failed"] * RANKS
    assert len({end["reason"] for end in ends}) == 1
    assert "memory" in ends[0]["reason"]
