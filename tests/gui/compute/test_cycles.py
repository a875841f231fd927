"""Trainings started and stopped in the window leak nothing; see `cycle_campaign`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="open files can only be listed on Linux")


def cycles(count: int) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.gui.compute.cycle_campaign", "--cycles", str(count)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    print(ended.stdout)
    return ended.stdout


def test_a_few_trainings_in_the_window_leak_no_thread_file_or_memory() -> None:
    assert "40 cycles: " in cycles(50)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_hundred_trainings_in_the_window_leak_no_thread_file_or_memory() -> None:
    assert "450 cycles: " in cycles(500)
