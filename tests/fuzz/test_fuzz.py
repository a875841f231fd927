"""Damaged files of every kind are refused in a sentence or used, without a traceback or a dead process.

`make fuzz` tries thousands of each; the others here are the first few of the same inputs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz.harness import COUNT, ChildProcess, fuzz
from tests.fuzz.listings import Listings
from tests.fuzz.onnx_files import OnnxFiles
from tests.fuzz.target import Target
from tests.fuzz.targets import (
    Checkpoints,
    DataSets,
    Designs,
    Recipes,
    RunFolders,
    Searches,
    Snapshots,
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs limits of processes and /proc"),
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]

TARGETS = [Designs, Recipes, RunFolders, Checkpoints, Snapshots, DataSets, Searches, Listings, OnnxFiles]


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildProcess]:
    """One process for all targets: importing torch takes longer than all inputs."""
    with closing(ChildProcess(TARGETS, tmp_path_factory.mktemp("fuzz"))) as child:
        yield child


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_files_are_refused_or_used(child: ChildProcess, target: type[Target], tmp_path: Path) -> None:
    fuzz(child, target, 20, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("target", TARGETS)
def test_thousands_of_damaged_files_are_refused_or_used(target: type[Target], tmp_path: Path) -> None:
    with closing(ChildProcess([target], tmp_path / "process")) as child:
        fuzz(child, target, COUNT, tmp_path / "faults")
