"""The import rules of the architecture hold, and any violation is reported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.import_graph import Graph, cycles, import_graph, imports_of

ROOT = Path(__file__).resolve().parent.parent
TORCHLESS = [
    "cnnstudio.gui.app",
    "cnnstudio.gui.shell.app",
    "cnnstudio.data",
    "cnnstudio.data.sources.*",
    "cnnstudio.interchange.*",
    "cnnstudio.training.recipe.*",
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
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
    "contracts"
]
MAX_MODULES = 16
"""Modules in one folder of the package; with more, it is hard to find anything."""


VIOLATIONS = [
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
]
"""Package, an import that it may not have, and the beginning of the name of the contract that forbids it."""


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


@pytest.fixture(scope="module")
def broken_contracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is reported of a copy of the package with all violations, by the name of the broken contract.

    Each violation is in a module of its own, which nothing imports: what is reported of one does not depend
    on the others.
    """
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "cnnstudio", folder / "cnnstudio", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for number, (package, line, _) in enumerate(VIOLATIONS):
        # Inside a function, where it is easily overlooked.
        source = f"def late() -> None:\n    {line}\n"
        (folder / f"cnnstudio/{package}/violation_{number}.py").write_text(source)
    source = "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from cnnstudio.runs.run import Run\n"
    (folder / "cnnstudio/training/violation_typed.py").write_text(source)
    (folder / "cnnstudio/gui/novelty").mkdir()
    (folder / "cnnstudio/gui/novelty/__init__.py").write_text("")
    result = contracts(folder)
    assert result.returncode == 1
    return _sections(result.stdout.partition("Broken contracts")[2])


def _sections(report: str) -> dict[str, str]:
    """The text under each heading, which a line of dashes of the same length underlines."""
    heading, found = "", {"": ""}
    lines = report.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line and following == "-" * len(line):
            heading = line
            found[heading] = ""
        found[heading] += f"{line}\n"
    return found


def _reporting(broken_contracts: dict[str, str], module: str) -> list[str]:
    return [name for name, text in broken_contracts.items() if re.search(rf"\b{re.escape(module)}\b", text)]


@pytest.mark.parametrize(
    "number", range(len(VIOLATIONS)), ids=[f"{name}: {line}" for name, line, _ in VIOLATIONS]
)
def test_a_forbidden_import_breaks_its_contract_and_no_other(
    broken_contracts: dict[str, str], number: int
) -> None:
    package, _, contract = VIOLATIONS[number]
    (broken,) = _reporting(broken_contracts, f"cnnstudio.{package.replace('/', '.')}.violation_{number}")
    assert broken.startswith(contract)


def test_a_package_of_gui_without_a_place_in_the_order_is_reported(broken_contracts: dict[str, str]) -> None:
    assert _reporting(broken_contracts, "cnnstudio.gui.novelty") == [GUI_ORDER]


def test_an_import_for_type_annotations_breaks_its_contract_too(broken_contracts: dict[str, str]) -> None:
    (broken,) = _reporting(broken_contracts, "cnnstudio.training.violation_typed")
    assert broken.startswith(LEVELS)


def test_every_contract_is_broken_by_some_violation(broken_contracts: dict[str, str]) -> None:
    names = [contract["name"] for contract in CONTRACTS]
    assert [name for name in broken_contracts if name] == names


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
def test_an_import_cycle_is_reported(graph: Graph, line: str) -> None:
    module = "cnnstudio.design.network"
    source = f"{(ROOT / 'cnnstudio/design/network.py').read_text(encoding='utf-8')}\n{line}\n"
    (cycle,) = cycles({**graph, module: imports_of(source, graph) - {module}})
    assert {module, "cnnstudio.design.edits"} <= set(cycle)


def test_no_folder_has_too_many_modules() -> None:
    modules = (path for path in (ROOT / "cnnstudio").rglob("*.py") if path.name != "__init__.py")
    sizes = Counter(str(path.parent.relative_to(ROOT)) for path in modules)
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


def test_the_lowest_packages_import_with_only_the_standard_library() -> None:
    result = run(ROOT, "-m", "tests.block_imports", "third-party", *LOWEST)
    assert result.returncode == 0, result.stderr


def test_torch_at_the_top_of_a_layer_module_is_reported(tmp_path: Path) -> None:
    (tmp_path / "cnnstudio").mkdir()
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "cnnstudio/__init__.py", tmp_path / "cnnstudio")
    shutil.copy(ROOT / "tests/block_imports.py", tmp_path / "tests")
    for package in ("core", "layers"):
        copy = tmp_path / "cnnstudio" / package
        shutil.copytree(ROOT / "cnnstudio" / package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "cnnstudio/layers/violation.py").write_text("import torch\n")
    result = run(tmp_path, "-m", "tests.block_imports", "third-party", "cnnstudio.layers.*")
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
