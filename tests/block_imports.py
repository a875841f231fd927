"""Blocks the import of packages, to prove that code does not need them.

As a pytest plugin:  CNNSTUDIO_BLOCK=PySide6,pyqtgraph pytest -p tests.block_imports -p no:pytest-qt …
As a script:         python -m tests.block_imports third-party 'cnnstudio.layers.*'
imports the given modules (`.*` includes submodules) while the packages in the first argument are blocked;
`third-party` blocks everything but the standard library, platformdirs and this project.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

THIRD_PARTY = "third-party"
_ALLOWED = {"cnnstudio", "tests", "platformdirs"}


class BlockedImports(MetaPathFinder):
    """A finder for the start of `sys.meta_path` that refuses some packages."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def blocks(self, module: str) -> bool:
        package = module.partition(".")[0]
        if THIRD_PARTY in self._packages:
            return package not in sys.stdlib_module_names and package not in _ALLOWED
        return package in self._packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.blocks(fullname):
            raise ModuleNotFoundError(f"{fullname} is blocked: nothing here may import it", name=fullname)
        return None


def block(packages: Sequence[str]) -> None:
    """Blocks these packages from now on.

    Raises RuntimeError if one of them has already been imported, since blocking it would prove nothing.
    """
    loaded = sorted(set(packages) & set(sys.modules))
    if loaded:
        raise RuntimeError(f"too late to block {', '.join(loaded)}: already imported")
    sys.meta_path.insert(0, BlockedImports(packages))


def _named(pattern: str) -> Iterator[str]:
    name = pattern.removesuffix(".*")
    yield name
    if pattern != name:
        package = importlib.import_module(name)
        yield from (module.name for module in pkgutil.walk_packages(package.__path__, f"{name}."))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares pytest-qt's settings in pyproject.toml, which would be unknown while it is disabled."""
    for setting in ("qt_api", "qt_log_level_fail", "qt_log_ignore"):
        parser.addini(setting, "unused without pytest-qt")


def pytest_configure() -> None:
    block(os.environ["CNNSTUDIO_BLOCK"].split(","))


def main(arguments: Sequence[str]) -> None:
    packages, *patterns = arguments
    block(packages.split(","))
    names = [name for pattern in patterns for name in _named(pattern)]
    for name in names:
        importlib.import_module(name)
    print(f"{len(names)} modules import with {packages} blocked")


if __name__ == "__main__":
    main(sys.argv[1:])
