"""Exports trained models to other formats. One format, one file; found by walking this package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

from cnnstudio.core.parameters import shorten
from cnnstudio.export.base import Exporter, ExportResult
from cnnstudio.export.errors import ExportError, ExportFailed, ResultsDiffer

__all__ = [
    "ExportError",
    "ExportFailed",
    "ExportResult",
    "Exporter",
    "ResultsDiffer",
    "exporters",
    "select_exporters",
]


@cache
def exporters() -> Mapping[str, Exporter]:
    """Name -> exporter, in the order in which they are offered."""
    found: list[Exporter] = []
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for value in vars(module).values():
            own = inspect.isclass(value) and value.__module__ == module.__name__
            if own and issubclass(value, Exporter) and not inspect.isabstract(value):
                found.append(value())
    found.sort(key=lambda exporter: (exporter.order, exporter.name))
    return MappingProxyType({exporter.name: exporter for exporter in found})


def select_exporters(names: Sequence[str]) -> list[Exporter]:
    """The exporters of these names, without duplicates. Raises ExportError, which lists the known names."""
    known = exporters()
    wanted = [name.strip().lower() for name in names if name.strip()]
    unknown = next((name for name in wanted if name not in known), None)
    if unknown is not None or not wanted:
        what = f"there is no export format “{shorten(unknown)}”" if unknown else "no export format is given"
        raise ExportError(f"{what}; choose from {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(wanted)]
