"""Several ranks train like a single process, up to the rounding of float32 sums."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnstudio.training.distributed.ranks import SINGLE_PROCESS
from cnnstudio.training.events import EpochEnded, Finished, Paused, Progress, RecipeChanged
from tests.training.distributed.several_ranks import BATCH, COUNT, RANKS, Recorded, learn, read

ROOT = Path(__file__).resolve().parents[3]

EPOCHS, STEPS = 3, -(-COUNT // BATCH)
"""Epochs of the trainings without requests, and steps per epoch."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings of all ranks and trainings. They run only once, because that takes long."""
    path = tmp_path_factory.mktemp("ranks")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
    ended = subprocess.run(
        [sys.executable, *launcher, "-m", "tests.training.distributed.several_ranks", str(path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return path


@pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="only Linux reports the names of all threads"
)
def test_no_thread_of_a_process_group_outlives_it(folder: Path) -> None:
    for rank in range(RANKS):
        names = json.loads((folder / f"threads-{rank}.json").read_text())
        assert names
        assert not [name for name in names if "gloo" in name]


@pytest.fixture
def ranks(folder: Path, request: pytest.FixtureRequest) -> list[Recorded]:
    return read(folder, request.param)


def recorded_in(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("ranks", names, indirect=True)


@pytest.mark.parametrize("name", ["moved", "mixed", "accumulated", "image by image", "muon"])
def test_weights_and_scores_equal_those_of_a_single_process(folder: Path, name: str) -> None:
    several, single = read(folder, name)[0], learn(name, SINGLE_PROCESS)
    np.testing.assert_allclose(several.losses(), single.losses(), rtol=1e-4)
    for ours, theirs in zip(several.of(EpochEnded), single.of(EpochEnded), strict=True):
        for kind in ("train", "validation"):
            assert ours[kind] == pytest.approx(theirs[kind], rel=1e-4)
    assert several.weights.keys() == single.weights.keys()
    for key, value in single.weights.items():
        np.testing.assert_allclose(several.weights[key], value, rtol=1e-4, atol=1e-5, err_msg=key)


@recorded_in("moved", "mixed", "accumulated", "muon", "dropout", "changed")
def test_all_ranks_have_the_same_weights(ranks: list[Recorded]) -> None:
    assert len({each.digest() for each in ranks}) == 1


def test_interrupted_ranks_resume_to_the_same_weights(folder: Path) -> None:
    interrupted, whole = read(folder, "interrupted"), read(folder, "dropout")
    assert [end["outcome"] for end in interrupted[0].of(Finished)] == ["stopped", "completed"]
    assert [each.digest() for each in interrupted] == [each.digest() for each in whole]


@recorded_in("moved", "dropout")
def test_each_rank_loads_only_its_shard(ranks: list[Recorded]) -> None:
    images = [each.images for each in ranks]
    assert sum(images) == EPOCHS * COUNT
    assert max(images) - min(images) <= EPOCHS * STEPS


@recorded_in("mixed")
def test_each_rank_loads_its_shard_and_the_partners_of_mixed_images(ranks: list[Recorded]) -> None:
    assert sum(each.images for each in ranks) == 2 * EPOCHS * COUNT


@recorded_in("stopped")
def test_a_stop_on_any_rank_stops_all_at_the_same_step(ranks: list[Recorded]) -> None:
    assert [each.of(Finished)[0]["outcome"] for each in ranks] == ["stopped"] * RANKS
    assert len({each.of(Finished)[0]["reason"] for each in ranks}) == 1
    assert len({each.of(Progress)[-1]["step"] for each in ranks}) == 1


@recorded_in("changed")
def test_changes_and_pauses_apply_to_all_ranks_at_the_same_step(ranks: list[Recorded]) -> None:
    first, *others = (each.of(RecipeChanged) for each in ranks)
    assert [event["name"] for event in first] == ["epochs", "learning_rate"]
    assert all(other == first for other in others)
    assert len({tuple(event["step"] for event in each.of(Paused)) for each in ranks}) == 1
    # The pause ends with the request to stop after the epoch.
    assert len({each.of(Finished)[0]["reason"] for each in ranks}) == 1
    assert "Stopped after epoch" in ranks[0].of(Finished)[0]["reason"]


@recorded_in("diverged")
def test_a_nan_loss_ends_all_ranks_with_the_same_reason(ranks: list[Recorded]) -> None:
    ends = [each.of(Finished)[0] for each in ranks]
    assert [end["cause"] for end in ends] == ["not_finite"] * RANKS
    assert len({end["reason"] for end in ends}) == 1


@recorded_in("memory")
def test_a_failing_rank_ends_all_ranks_with_its_reason(ranks: list[Recorded]) -> None:
    ends = [each.of(Finished)[0] for each in ranks]
    assert [end["outcome"] for end in ends] == ["failed"] * RANKS
    assert len({end["reason"] for end in ends}) == 1
    assert "memory" in ends[0]["reason"]
