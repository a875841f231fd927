"""The import rules of the architecture hold, and a breach of any of them shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.import_graph import Graph, cycles, import_graph

ROOT = Path(__file__).resolve().parent.parent
TORCHLESS = [
    "cnnstudio.gui.app",
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


LOWEST = "cnnstudio.core.*", "cnnstudio.layers.*", "cnnstudio.design.*"
LEVELS = "Imports point down"
MOST_MODULES = 16
"""Beside each other in a folder of the package; more is more than one looks over."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
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


def test_the_package_as_it_stands_keeps_every_contract() -> None:
    result = contracts(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core", "import cnnstudio.layers.shape", LEVELS),
        ("layers", "import cnnstudio.design.network", LEVELS),
        ("design", "import cnnstudio.interchange", LEVELS),
        ("data", "import cnnstudio.interchange", LEVELS),
        ("data", "import cnnstudio.training.recipe", LEVELS),
        ("training", "import cnnstudio.insight", LEVELS),
        ("insight", "import cnnstudio.runs", LEVELS),
        ("runs", "import cnnstudio.tuning", LEVELS),
        ("tuning", "import cnnstudio.export", LEVELS),
        ("export", "import cnnstudio.cli", LEVELS),
        ("cli", "import cnnstudio.gui.shell.main_window", LEVELS),
        ("cli", "import PySide6.QtCore", "Only the window knows Qt"),
        ("runs", "import pyqtgraph", "Only the window knows Qt"),
        ("runs", "import optuna", "Optuna is an extra"),
        ("training", "from torchvision import datasets", "torchvision is imported in one place"),
        ("design", "import torch", "The lowest three packages"),
        ("layers", "import numpy", "The lowest three packages"),
        ("core", "import numpy", "The lowest three packages"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(project: Path, module: str, line: str, contract: str) -> None:
    # Inside a function, where it is the easiest to overlook.
    (project / "cnnstudio" / module / "breach.py").write_text(f"def late() -> None:\n    {line}\n")
    result = contracts(project)
    assert result.returncode == 1
    (broken,) = [text for text in result.stdout.splitlines() if " BROKEN" in text]
    assert broken.startswith(contract)
    assert f"cnnstudio.{module}.breach" in result.stdout


def test_an_import_for_types_alone_breaks_its_contract_too(project: Path) -> None:
    source = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from cnnstudio.runs.run import Run\n"
    (project / "cnnstudio/training/breach.py").write_text(source)
    result = contracts(project)
    assert result.returncode == 1
    assert "cnnstudio.training.breach" in result.stdout


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(ROOT)


def test_no_files_import_each_other_in_a_cycle(graph: Graph) -> None:
    assert len(graph) > 300
    assert cycles(graph) == []


@pytest.mark.parametrize(
    "line",
    [
        "import cnnstudio.design.edits",
        "def late() -> None:\n    from cnnstudio.design import edits",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cnnstudio.design.edits import insert",
    ],
    ids=["at the top", "in a function", "for types"],
)
def test_a_cycle_of_files_shows(project: Path, line: str) -> None:
    with (project / "cnnstudio/design/network.py").open("a") as file:
        file.write(f"\n{line}\n")
    (cycle,) = cycles(import_graph(project))
    assert {"cnnstudio.design.network", "cnnstudio.design.edits"} <= set(cycle)


def test_no_folder_holds_more_modules_than_one_looks_over() -> None:
    modules = (path for path in (ROOT / "cnnstudio").rglob("*.py") if path.name != "__init__.py")
    sizes = Counter(str(path.parent.relative_to(ROOT)) for path in modules)
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_the_lowest_packages_import_with_nothing_but_the_standard_library() -> None:
    result = run(ROOT, "-m", "tests.block_imports", "third-party", *LOWEST)
    assert result.returncode == 0, result.stderr


def test_torch_at_the_top_of_a_layer_shows(project: Path) -> None:
    (project / "cnnstudio/layers/breach.py").write_text("import torch\n")
    result = run(project, "-m", "tests.block_imports", "third-party", "cnnstudio.layers.*")
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
