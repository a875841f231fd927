"""Runs that were killed go on to the very same weights; see `kill_campaign`."""

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
        timeout=280,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_runs_that_were_killed_end_as_if_they_had_not_been() -> None:
    assert "4 killed runs went on" in kill(training=2, saving=2, seed=1)


@pytest.mark.slow
def test_forty_runs_that_were_killed_end_as_if_they_had_not_been() -> None:
    assert "40 killed runs went on" in kill(training=20, saving=20, seed=2)
