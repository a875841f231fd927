"""The walls between the floors stand, and a breach in any of them shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TORCHLESS = [
    "cnnstudio.gui.shell.app",
    "cnnstudio.data",
    "cnnstudio.data.sources.*",
    "cnnstudio.interchange.*",
    "cnnstudio.training.recipe.recipe",
    "cnnstudio.training.events",
    "cnnstudio.training.control",
    "cnnstudio.training.sample_images",
    "cnnstudio.insight.maps",
    "cnnstudio.runs.run",
]
"""What the window needs to show itself: it must not wait for torch."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package and of the contracts, to break."""
    shutil.copytree(ROOT / "cnnstudio", tmp_path / "cnnstudio", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__", "gui"))
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in `folder`, where that folder's own copy of the package comes first."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(folder, "-c", "from importlinter.cli import lint_imports as l; exit(l(no_cache=True))")


def test_every_folder_of_the_package_is_a_package() -> None:
    # The contracts do not see into a folder without an __init__.py.
    folders = {path.parent for path in (ROOT / "cnnstudio").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_house_as_it_stands_keeps_every_contract() -> None:
    result = contracts(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("layers", "import cnnstudio.design.network", "Imports point down"),
        ("design", "import cnnstudio.interchange", "Imports point down"),
        ("data", "import cnnstudio.interchange", "Imports point down"),
        ("data", "import cnnstudio.training.recipe.recipe", "Imports point down"),
        ("training", "import cnnstudio.runs", "Imports point down"),
        ("export", "import cnnstudio.cli", "Imports point down"),
        ("cli", "import cnnstudio.gui.shell.main_window", "Imports point down"),
        ("cli", "import PySide6.QtCore", "Only the window knows Qt"),
        ("runs", "import pyqtgraph", "Only the window knows Qt"),
        ("runs", "import optuna", "Optuna is an extra"),
        ("training", "from torchvision import datasets", "torchvision comes in by one door"),
        ("design", "import torch", "The two lowest floors"),
        ("layers", "import numpy", "The two lowest floors"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(house: Path, module: str, line: str, contract: str) -> None:
    # Inside a function, where it is the easiest to overlook.
    (house / "cnnstudio" / module / "breach.py").write_text(f"def late() -> None:\n    {line}\n")
    result = contracts(house)
    assert result.returncode == 1
    (broken,) = [text for text in result.stdout.splitlines() if " BROKEN" in text]
    assert broken.startswith(contract)
    assert f"cnnstudio.{module}.breach" in result.stdout


def test_layers_and_design_import_with_nothing_but_the_standard_library() -> None:
    result = run(ROOT, "-m", "tests.block_imports", "third-party", "cnnstudio.layers.*", "cnnstudio.design.*")
    assert result.returncode == 0, result.stderr


def test_torch_at_the_top_of_a_layer_shows(house: Path) -> None:
    (house / "cnnstudio/layers/breach.py").write_text("import torch\n")
    result = run(house, "-m", "tests.block_imports", "third-party", "cnnstudio.layers.*")
    assert result.returncode == 1
    assert "torch is blocked" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there torch has to be loaded before Qt")
def test_what_the_window_shows_first_imports_without_torch() -> None:
    result = run(ROOT, "-m", "tests.block_imports", "torch,torchvision", *TORCHLESS)
    assert result.returncode == 0, result.stderr


def test_a_test_that_needs_qt_fails_where_qt_is_blocked(tmp_path: Path) -> None:
    (tmp_path / "test_breach.py").write_text(
        "def test_qt() -> None:\n    import PySide6.QtCore\n\ndef test_plain() -> None:\n    import json\n"
    )
    result = run(
        ROOT,
        *("-m", "pytest"),
        *("-p", "tests.block_imports", "-p", "no:pytest-qt", "-p", "no:cacheprovider", str(tmp_path)),
        CNNSTUDIO_BLOCK="PySide6,shiboken6,pyqtgraph",
    )
    assert "PySide6 is blocked" in result.stdout
    assert "1 failed, 1 passed" in result.stdout
