"""Torch's libraries are loaded before it is imported, so that the import does not stop the window."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from cnnstudio.gui.compute import torch_import

_SCRIPT = """
import sys
from pathlib import Path
from cnnstudio.gui.compute.torch_import import load_torch_libraries

load_torch_libraries()
assert "torch" not in sys.modules
print("libtorch_cpu.so" in Path("/proc/self/maps").read_text())
import torch
print(float((torch.eye(2) @ torch.eye(2)).sum()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch loads them itself")
def test_the_libraries_are_in_memory_before_torch_is_imported_which_then_works() -> None:
    finished = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == ["True", "2.0"]


@pytest.mark.parametrize("found", [None, ModuleSpec("torch", None, origin="/nowhere/torch/__init__.py")])
def test_where_there_are_no_libraries_nothing_happens(
    found: ModuleSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_import, "find_spec", lambda name: found)
    torch_import.load_torch_libraries()
