"""The import rules of the architecture hold, and any violation is reported."""

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
    "cnnstudio.insight.catalog",
    "cnnstudio.insight.instruments.*",
    "cnnstudio.runs.run",
]
"""What the window needs before it is shown, which must not wait for torch."""

LOWEST = "cnnstudio.core.*", "cnnstudio.layers.*", "cnnstudio.design.*"
GUI_ORDER = "The packages of gui import down"
LEVELS = "Imports point down"
MAX_MODULES = 16
"""Modules in one folder of the package; with more, it is hard to find anything."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the package and of the contracts, in which rules can be violated."""
    shutil.copytree(ROOT / "cnnstudio", tmp_path / "cnnstudio", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__", "gui"))
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in `folder` with the copy of the package in it."""
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
    # The contracts ignore folders without an __init__.py.
    folders = {path.parent for path in (ROOT / "cnnstudio").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_package_keeps_every_contract() -> None:
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
        ("gui/designer", "import cnnstudio.gui.shell.menus", GUI_ORDER),
        ("gui/runs", "import cnnstudio.gui.dashboard.timeline", GUI_ORDER),
        ("gui/dashboard", "import cnnstudio.gui.designer.actions", GUI_ORDER),
        ("gui/compute", "import cnnstudio.gui.runs.history", GUI_ORDER),
        ("gui/widgets", "import cnnstudio.gui.document.project", GUI_ORDER),
        ("gui/theme", "import cnnstudio.gui.widgets.labels", GUI_ORDER),
        ("cli", "import PySide6.QtCore", "Only gui imports Qt"),
        ("runs", "import pyqtgraph", "Only gui imports Qt"),
        ("runs", "import optuna", "Optuna is optional"),
        ("training", "from torchvision import datasets", "torchvision is imported in one place"),
        ("design", "import torch", "The lowest three packages"),
        ("layers", "import numpy", "The lowest three packages"),
        ("core", "import numpy", "The lowest three packages"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(project: Path, module: str, line: str, contract: str) -> None:
    # Inside a function, where it is easily overlooked.
    (project / "cnnstudio" / module / "violation.py").write_text(f"def late() -> None:\n    {line}\n")
    result = contracts(project)
    assert result.returncode == 1
    (broken,) = [text for text in result.stdout.splitlines() if " BROKEN" in text]
    assert broken.startswith(contract)
    assert f"cnnstudio.{module.replace('/', '.')}.violation" in result.stdout


def test_a_package_of_gui_without_a_place_in_the_order_is_reported(project: Path) -> None:
    (project / "cnnstudio/gui/novelty").mkdir()
    (project / "cnnstudio/gui/novelty/__init__.py").write_text("")
    result = contracts(project)
    assert result.returncode == 1
    assert "novelty" in result.stdout


def test_an_import_for_type_annotations_breaks_its_contract_too(project: Path) -> None:
    source = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from cnnstudio.runs.run import Run\n"
    (project / "cnnstudio/training/violation.py").write_text(source)
    result = contracts(project)
    assert result.returncode == 1
    assert "cnnstudio.training.violation" in result.stdout


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(ROOT)


def test_there_are_no_import_cycles(graph: Graph) -> None:
    assert len(graph) > 300
    assert cycles(graph) == []


@pytest.mark.parametrize(
    "line",
    [
        "import cnnstudio.design.edits",
        "def late() -> None:\n    from cnnstudio.design import edits",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cnnstudio.design.edits import insert",
    ],
    ids=["at the top", "in a function", "for type annotations"],
)
def test_an_import_cycle_is_reported(project: Path, line: str) -> None:
    with (project / "cnnstudio/design/network.py").open("a") as file:
        file.write(f"\n{line}\n")
    (cycle,) = cycles(import_graph(project))
    assert {"cnnstudio.design.network", "cnnstudio.design.edits"} <= set(cycle)


def test_no_folder_has_too_many_modules() -> None:
    modules = (path for path in (ROOT / "cnnstudio").rglob("*.py") if path.name != "__init__.py")
    sizes = Counter(str(path.parent.relative_to(ROOT)) for path in modules)
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


def test_the_lowest_packages_import_with_only_the_standard_library() -> None:
    result = run(ROOT, "-m", "tests.block_imports", "third-party", *LOWEST)
    assert result.returncode == 0, result.stderr


def test_torch_at_the_top_of_a_layer_module_is_reported(project: Path) -> None:
    (project / "cnnstudio/layers/violation.py").write_text("import torch\n")
    result = run(project, "-m", "tests.block_imports", "third-party", "cnnstudio.layers.*")
    assert result.returncode == 1
    assert "torch is blocked" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows, torch has to be loaded before Qt")
def test_what_the_window_needs_first_imports_without_torch() -> None:
    result = run(ROOT, "-m", "tests.block_imports", "torch,torchvision", *TORCHLESS)
    assert result.returncode == 0, result.stderr


def test_a_test_that_needs_qt_fails_if_qt_is_blocked(tmp_path: Path) -> None:
    (tmp_path / "test_violation.py").write_text(
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
