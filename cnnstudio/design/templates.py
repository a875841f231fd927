"""The built-in designs: resources/templates/NAME.cnn.json, with titles and descriptions in index.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from types import MappingProxyType

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten
from cnnstudio.core.resources import resource
from cnnstudio.design.file import SUFFIX, read_design
from cnnstudio.design.network import Network


class TemplateError(UserError):
    """No template has this name."""


@dataclass(frozen=True)
class Template:
    """A design to start from: `name` for the command line, `title` and `description` for people."""

    name: str
    title: str
    description: str
    accuracy: float | None = None
    """Test accuracy from 0 to 1 when trained as described in `measured`; None if unknown."""
    minutes: float | None = None
    """Duration of that training."""
    measured: str = ""
    """The data, recipe and machine behind these numbers, or who published them."""
    recipe: str | None = None
    """The name of the recipe made for it, if there is one."""

    @cached_property
    def network(self) -> Network:
        """The design, read from its file on first use."""
        return read_design(resource(f"templates/{self.name}{SUFFIX}"))


@cache
def templates() -> Mapping[str, Template]:
    """Name -> template, simplest first."""
    index = json.loads(resource("templates/index.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: Template(name, **fields) for name, fields in index.items()})


def template(name: str) -> Template:
    """The template with this name. Raises TemplateError, which lists all names."""
    try:
        return templates()[name]
    except KeyError:
        names = ", ".join(templates())
        raise TemplateError(f"unknown template “{shorten(name)}”; choose from {names}") from None
