"""Damaged settings and runs in the window; see tests/fuzz for everything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz.harness import COUNT, ChildProcess, fuzz
from tests.fuzz.target import Target
from tests.gui.fuzz.targets import WindowRuns, WindowSettings

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs limits of processes and /proc"),
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]

TARGETS = [WindowSettings, WindowRuns]


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildProcess]:
    with closing(ChildProcess(TARGETS, tmp_path_factory.mktemp("fuzz"))) as child:
        yield child


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_files_are_refused_or_used(child: ChildProcess, target: type[Target], tmp_path: Path) -> None:
    fuzz(child, target, 6, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("target", TARGETS)
def test_thousands_of_damaged_files_are_refused_or_used(target: type[Target], tmp_path: Path) -> None:
    with closing(ChildProcess([target], tmp_path / "process")) as child:
        fuzz(child, target, COUNT, tmp_path / "faults")
