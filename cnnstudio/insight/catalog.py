"""Finds the instruments: every module of `cnnstudio.insight.instruments` has one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import cnnstudio.insight.instruments as package
from cnnstudio.core.formatting import list_names
from cnnstudio.core.parameters import shorten
from cnnstudio.insight.instrument import Instrument, InstrumentError


@cache
def instruments() -> Mapping[str, Instrument]:
    """All instruments by name, in the order of lists. Imports no torch."""
    found: list[Instrument] = []
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        for value in vars(module).values():
            if (
                inspect.isclass(value)
                and issubclass(value, Instrument)
                and value.__module__ == module.__name__
            ):
                found.append(value())
    found.sort(key=lambda instrument: (instrument.order, instrument.name))
    return MappingProxyType({instrument.name: instrument for instrument in found})


def instrument(name: str) -> Instrument:
    """The instrument of that name. Raises InstrumentError."""
    try:
        return instruments()[name]
    except KeyError:
        raise InstrumentError(
            f"There is no instrument “{shorten(name)}”; choose one of {list_names(instruments())}."
        ) from None
