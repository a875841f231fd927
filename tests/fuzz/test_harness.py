"""The fuzzers notice each kind of fault, whatever it does to the process, and go on with the next input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz.broken import Broken
from tests.fuzz.harness import ChildProcess, fuzz

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs limits of processes and /proc")


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildProcess]:
    with closing(ChildProcess([Broken], tmp_path_factory.mktemp("fuzz"))) as child:
        yield child


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        ("raise", "raise: IndexError in broken.py, <lambda>"),
        ("end", "end: SystemExit in broken.py, _end"),
        ("crash", "died: SIGSEGV"),
        ("loop", "died: more than 1 s"),
        ("memory", "memory"),
        ("too much memory", "too much memory: MemoryError in broken.py, <lambda>"),
        ("leave", "files"),
        ("leave elsewhere", "files"),
        ("change", "files"),
        ("log", "logged: logged"),
    ],
)
def test_a_fault_is_noticed(child: ChildProcess, wish: str, fault: str) -> None:
    _, _, faults = child.attempt(Broken, {"file.txt": wish.encode()}, False)
    assert [name.strip() for name, _ in faults] == [fault]
    assert child.attempt(Broken, {"file.txt": b"fine"}, False) == (1, {}, [])


def test_an_error_for_the_user_is_no_fault(child: ChildProcess) -> None:
    found = child.attempt(Broken, {"file.txt": b"refuse"}, False)
    assert found == (0, {"refuse": "The file is damaged."}, [])


def test_an_input_with_a_fault_is_kept(child: ChildProcess, tmp_path: Path) -> None:
    # Any damage to the file is a wish that the target does not know.
    with pytest.raises(AssertionError, match="outside of all steps: KeyError"):
        fuzz(child, Broken, 20, tmp_path)
    kept = next(folder for folder in tmp_path.iterdir() if "KeyError" in (folder / "fault.txt").read_text())
    assert (kept / "file.txt").read_bytes() not in (b"fine", b"")
