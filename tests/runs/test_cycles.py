"""Runs that are started and stopped leave nothing behind; see `cycle_campaign`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not list open files")


def cycles(count: int) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.runs.cycle_campaign", "--cycles", str(count)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    print(ended.stdout)
    return ended.stdout


def test_a_few_runs_leave_no_thread_file_or_megabyte_behind() -> None:
    assert "27 cycles: +0 threads, +0 files" in cycles(36)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_hundred_runs_leave_no_thread_file_or_megabyte_behind() -> None:
    assert "450 cycles: +0 threads, +0 files" in cycles(500)
