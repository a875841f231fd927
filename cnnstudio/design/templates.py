"""The designs that come with the program: resources/templates/NAME.cnn.json, their titles in index.json."""

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
    """A name that no template has."""


@dataclass(frozen=True)
class Template:
    """A design to start from: `name` for the command line, `title` and `description` for people."""

    name: str
    title: str
    description: str
    accuracy: float | None = None
    """Share of the test images that it gets right, trained as `measured` tells; None where not known."""
    minutes: float | None = None
    """How long that training takes."""
    measured: str = ""
    """One sentence: the data, recipe and machine of these figures, or who published them."""
    recipe: str | None = None
    """The name of the recipe that was made for it, where there is one."""

    @cached_property
    def network(self) -> Network:
        """The design, read when it is first asked for."""
        return read_design(resource(f"templates/{self.name}{SUFFIX}"))


@cache
def templates() -> Mapping[str, Template]:
    """Name -> template, the simplest first."""
    index = json.loads(resource("templates/index.json").read_text(encoding="utf-8"))
    return MappingProxyType({name: Template(name, **words) for name, words in index.items()})


def template(name: str) -> Template:
    """The template of that name. Raises TemplateError, which names all there are."""
    try:
        return templates()[name]
    except KeyError:
        names = ", ".join(templates())
        raise TemplateError(f"there is no template “{shorten(name)}”; there are {names}") from None
