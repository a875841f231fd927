"""All layer types, found by walking this package: a new file is a new type, without a list to maintain."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import cnnstudio.layers as package
from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten
from cnnstudio.layers.base import Family, Layer


class UnknownLayerType(UserError):
    """No layer type has this name."""


@cache
def layer_types() -> Mapping[str, type[Layer]]:
    """Type name -> type, in the order of the palette: by family, then by `order`, then by name."""
    found: list[type[Layer]] = []
    for module_info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(module_info.name)
        for value in vars(module).values():
            # Shared base classes have no description: they are not types themselves.
            is_type = inspect.isclass(value) and issubclass(value, Layer) and hasattr(value, "description")
            if is_type and value.__module__ == module.__name__:
                found.append(value)
    families = list(Family)
    found.sort(key=lambda kind: (families.index(kind.family), kind.order, kind.type_name()))
    return MappingProxyType({kind.type_name(): kind for kind in found})


def layer_type(name: str) -> type[Layer]:
    """The type of that name. Raises UnknownLayerType, which suggests the closest name."""
    try:
        return layer_types()[name]
    except KeyError:
        raise UnknownLayerType(f"unknown layer type “{shorten(name)}”; {_suggestion(name)}") from None


def _suggestion(name: str) -> str:
    # difflib's cost is quadratic in the length, and the name comes from a file: only its start is compared.
    import difflib

    near = difflib.get_close_matches(name[:40].lower(), [known.lower() for known in layer_types()], n=1)
    for known in layer_types():
        if near and known.lower() == near[0]:
            return f"did you mean {known}?"
    return "the layer types are " + ", ".join(layer_types())


def snake_case(type_name: str) -> str:
    """`MaxPooling2D` as `max_pooling2d`: the stem of ids, icon files and module files."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type_name).lower()
