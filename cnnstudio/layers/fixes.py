"""Fixes for problems and advice, as plain data; `design.quick_fixes.apply_fix` turns one into an edit.

Every fix has a `label` for a button, `Insert Flatten`, and an `instruction` that ends a sentence, `insert
Flatten before it`. "It" is the layer that the problem or advice is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class InsertBefore:
    """Insert a new layer of `layer_type` directly before the layer."""

    layer_type: str
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return f"Insert {self.layer_type}"

    @property
    def instruction(self) -> str:
        return f"insert {self.layer_type} before it"


@dataclass(frozen=True)
class Append:
    """Add new layers, given as (type, values), at the end of the network."""

    layers: tuple[tuple[str, dict[str, Any]], ...]

    @property
    def _types(self) -> str:
        return " and ".join(layer_type for layer_type, _ in self.layers)

    @property
    def label(self) -> str:
        return f"Add {self._types}"

    @property
    def instruction(self) -> str:
        return f"add {self._types} at the end"


@dataclass(frozen=True)
class SetParameters:
    """Set parameters of the layer; `text` is the instruction: `set padding to same`."""

    values: dict[str, Any]
    text: str

    @property
    def label(self) -> str:
        return self.text[:1].upper() + self.text[1:]

    @property
    def instruction(self) -> str:
        return self.text


@dataclass(frozen=True)
class SetParametersInside(SetParameters):
    """Set parameters of every layer inside the group that has them."""


@dataclass(frozen=True)
class Remove:
    """Remove the layer."""

    @property
    def label(self) -> str:
        return "Remove it"

    @property
    def instruction(self) -> str:
        return "remove it"


@dataclass(frozen=True)
class Unlock:
    """Let the layer learn."""

    @property
    def label(self) -> str:
        return "Unlock it"

    @property
    def instruction(self) -> str:
        return "unlock it"


@dataclass(frozen=True)
class MoveAfter:
    """Move the layer directly after the layer `node_id`, whose title is `title`."""

    node_id: str
    title: str

    @property
    def label(self) -> str:
        return f"Move after {self.title}"

    @property
    def instruction(self) -> str:
        return f"move it after {self.title}"


@dataclass(frozen=True)
class Replace:
    """Replace the layer `node_id`, whose title is `title`, with a new layer of `layer_type`."""

    node_id: str
    title: str
    layer_type: str

    @property
    def label(self) -> str:
        return f"Replace {self.title} with {self.layer_type}"

    @property
    def instruction(self) -> str:
        return f"replace {self.title} with {self.layer_type}"


Fix = InsertBefore | Append | SetParameters | SetParametersInside | Remove | Unlock | MoveAfter | Replace
