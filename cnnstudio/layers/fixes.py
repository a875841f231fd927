"""What would fix a problem, as plain data; `design.fixes` turns it into an edit of the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class InsertBefore:
    """Put a new layer of `layer_type` directly before the faulty one."""

    layer_type: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """For a button: `Insert Flatten`."""
        return f"Insert {self.layer_type}"

    @property
    def advice(self) -> str:
        """To end a sentence: `insert Flatten before it`."""
        return f"insert {self.layer_type} before it"


@dataclass(frozen=True)
class Append:
    """Put new layers, given as (type, values), at the end of the network."""

    layers: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def _words(self) -> str:
        return " and ".join(layer_type for layer_type, _ in self.layers)

    @property
    def label(self) -> str:
        return f"Add {self._words}"

    @property
    def advice(self) -> str:
        return f"add {self._words} at the end"


@dataclass(frozen=True)
class SetParameters:
    """Give parameters of the faulty layer other values; `words` say so: `set padding to same`."""

    values: dict[str, Any]
    words: str

    @property
    def label(self) -> str:
        return self.words[:1].upper() + self.words[1:]

    @property
    def advice(self) -> str:
        return self.words


@dataclass(frozen=True)
class SetInside(SetParameters):
    """The same for all layers in the faulty group that have such parameters."""


@dataclass(frozen=True)
class Remove:
    """Take the faulty layer out."""

    @property
    def label(self) -> str:
        return "Remove it"

    @property
    def advice(self) -> str:
        return "remove it"


@dataclass(frozen=True)
class MoveBehind:
    """Put the faulty layer directly behind another one, whose title is said."""

    node_id: str
    title: str

    @property
    def label(self) -> str:
        return f"Move behind {self.title}"

    @property
    def advice(self) -> str:
        return f"move it behind {self.title}"


@dataclass(frozen=True)
class Exchange:
    """Put a new layer in the place of the layer `node_id`, whose title is said."""

    node_id: str
    title: str
    layer_type: str

    @property
    def label(self) -> str:
        return f"Replace {self.title} by {self.layer_type}"

    @property
    def advice(self) -> str:
        return f"replace {self.title} by {self.layer_type}"


Fix = InsertBefore | Append | SetParameters | SetInside | Remove | MoveBehind | Exchange
