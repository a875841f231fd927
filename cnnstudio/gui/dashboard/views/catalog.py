"""All views, found by walking this package: a new file is a new view, without a list to maintain."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import cnnstudio.gui.dashboard.views as package
from cnnstudio.gui.dashboard.views.base import View


@cache
def view_types() -> Mapping[str, type[View]]:
    """Object name -> view, in the order of the menu of views."""
    found: list[type[View]] = []
    for module_info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(module_info.name)
        found.extend(
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, View)
            and value is not View
            and value.__module__ == module.__name__
        )
    found.sort(key=lambda kind: (kind.order, kind.title))
    return MappingProxyType({kind.name: kind for kind in found})
