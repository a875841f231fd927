"""Killed runs resume to exactly the same weights; see `kill_campaign`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks its runs")


def kill(training: int, saving: int, seed: int) -> str:
    counts = ["--training", str(training), "--saving", str(saving), "--seed", str(seed)]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.runs.kill_campaign", *counts],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_killed_runs_end_like_uninterrupted_ones() -> None:
    assert "4 killed runs resumed" in kill(training=2, saving=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_forty_killed_runs_end_like_uninterrupted_ones() -> None:
    assert "40 killed runs resumed" in kill(training=20, saving=20, seed=2)
