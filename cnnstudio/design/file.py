"""The design file, `*.cnn.json`: read, write, and the same JSON for clipboard and drags.

Every error names the exact place, such as `layers[3].filters: …`. Nothing in a file is ever run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.files import write_atomically
from cnnstudio.core.parameters import shorten, shown, values_from_json, values_to_json
from cnnstudio.design.network import (
    MAXIMUM_DEPTH,
    MAXIMUM_INPUT,
    MAXIMUM_NODES,
    UNTITLED,
    IdMaker,
    Network,
    Node,
    clean_name,
)
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.catalog import UnknownLayerType, layer_type

FORMAT = "cnnstudio.design"
VERSION = 1
SUFFIX = ".cnn.json"
_LAYERS_FORMAT = "cnnstudio.layers"
MAXIMUM_BYTES = 32 * 2**20
# Ends in a number, so that no id is the name of a torch module's own attribute or of another layer's piece.
_ID = re.compile(r"[a-z][a-z0-9_]{0,52}_[0-9]{1,9}")
# One layer or several as they stand in a file, one line each, copied without the brackets around them.
_LAYER_LINES = re.compile(r'\s*\{\s*"type"')
_RESERVED = {"type", "name", "enabled", "id", "layers"}


class DesignError(UserError):
    """A design file that cannot be read; the message names the place."""


def read_design(path: Path) -> Network:
    """The design in a file. Raises DesignError."""
    try:
        if path.is_dir():
            raise DesignError("this is a folder, not a design file")
        if path.exists() and not path.is_file():
            raise DesignError("this is no file with content of its own, so it is no design")
        if path.stat().st_size > MAXIMUM_BYTES:
            raise DesignError("the file is larger than 32 MB, so it is no design")
        return parse_design(path.read_bytes().decode("utf-8-sig"))
    except DesignError as error:
        raise DesignError(f"{path.name}: {error}") from None
    except UnicodeDecodeError:
        raise DesignError(f"{path.name}: this is not UTF-8 text, so it is no design, which is JSON") from None
    except FileNotFoundError:
        raise DesignError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DesignError(f"{path}: the file cannot be read ({error.strerror})") from None


def write_design(path: Path, network: Network) -> None:
    """Writes the whole file or leaves what was there. Raises FileError."""
    # What cannot be UTF-8 becomes an escape, and JSON's escapes look just like Python's.
    write_atomically(path, design_text(network).encode("utf-8", "backslashreplace"))


def design_text(network: Network) -> str:
    """The file's text: one line a layer, so that people can read it and compare two of them."""
    content = design_to_json(network)
    layers = _lines(content.pop("layers"), "  ")
    head = [f"  {json.dumps(key)}: {_dumps(value)}," for key, value in content.items()]
    return "\n".join(["{", *head, '  "layers": [', *layers, "  ]", "}", ""])


def _lines(layers: list[dict[str, Any]], indent: str) -> list[str]:
    lines = []
    for number, layer in enumerate(layers, start=1):
        comma = "," if number < len(layers) else ""
        inside = layer.pop("layers", None)
        text = f"{indent}  {_dumps(layer)}"
        if inside:
            lines += [f'{text[:-1]}, "layers": [', *_lines(inside, indent + "  "), f"{indent}  ]}}{comma}"]
        else:
            lines.append(text + comma)
    return lines


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def parse_design(text: str) -> Network:
    """The design in a text. Raises DesignError."""
    return design_from_json(_load(text))


class _Object(dict[str, Any]):
    """A JSON object that remembers a key that it has twice; JSON lets the last one win, without a word."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.twice: str | None = None
        for key, value in pairs:
            if key in self:
                self.twice = key
            self[key] = value


def _refuse_twice(entry: dict[str, Any], place: str) -> None:
    if isinstance(entry, _Object) and entry.twice is not None:
        raise DesignError(f"{place}{shorten(entry.twice)}: this stands twice in one object; keep one")


def _whole_number(digits: str) -> int:
    # Python converts at most 4,300 digits; the range of a parameter then refuses the number, with its place.
    return int(digits) if len(digits) < 4000 else 10**4000


def _load(text: str) -> Any:
    if not text.strip():
        raise DesignError("there is nothing in it")
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_int=_whole_number)
    except RecursionError:
        raise DesignError(
            f"brackets stand too deep in each other; a design has at most {MAXIMUM_DEPTH} levels"
        ) from None
    except json.JSONDecodeError as error:
        raise DesignError(
            f"line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}); "
            "the file is damaged or no design"
        ) from None


def design_to_json(network: Network) -> dict[str, Any]:
    """The file's content."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "input": list(network.input.dims),
        "layers": nodes_to_json(network.nodes),
    }


def design_from_json(content: Any) -> Network:
    """The network of a file's content. Raises DesignError."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DesignError(f'this is no design: a design is a JSON object with "format": "{FORMAT}"')
    _refuse_twice(content, "")
    version = content.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DesignError(f"version: a whole number from 1 is needed, not {shown(version)}")
    if version > VERSION:
        raise DesignError(
            f"version: this design is of version {shown(version)}, but this program reads up to {VERSION}: "
            "update it"
        )
    unknown = set(content) - {"format", "version", "name", "input", "layers"}
    if unknown:
        raise DesignError(
            f"{shorten(min(unknown))}: a design has no such entry; "
            "it has format, version, name, input and layers"
        )
    name = content.get("name", UNTITLED)
    if not isinstance(name, str):
        raise DesignError(f"name: text is needed, not {shown(name)}")
    nodes = nodes_from_json(content.get("layers"), "layers")
    return Network(_input(content.get("input")), nodes, clean_name(name) or UNTITLED)


def _input(value: Any) -> Shape:
    sizes = value if isinstance(value, list) else []
    if len(sizes) != 3 or not all(type(size) is int and 1 <= size <= MAXIMUM_INPUT for size in sizes):
        raise DesignError(
            f"input: three whole numbers from 1 to {MAXIMUM_INPUT}, [channels, height, width], are needed, "
            f"not {_listed(sizes) or shown(value)}"
        )
    return Shape(tuple(sizes))


def _listed(sizes: list[Any]) -> str:
    return f"[{', '.join(map(shown, sizes))}]" if 0 < len(sizes) <= 4 else ""


def nodes_to_json(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """Layers as the file lists them; also what travels by clipboard and drag."""
    result = []
    for node in nodes:
        entry: dict[str, Any] = {"type": node.layer.type_name(), "id": node.id}
        if node.name:
            entry["name"] = node.name
        if not node.enabled:
            entry["enabled"] = False
        entry.update(values_to_json(node.layer))
        if node.is_group:
            entry["layers"] = nodes_to_json(node.children)
        result.append(entry)
    return result


def nodes_from_json(value: Any, place: str = "layers") -> tuple[Node, ...]:
    """The nodes of a list of layers; those without an id get a fresh one. Raises DesignError."""
    reader = _Reader()
    raw = reader.read(value, place, 1)
    fresh = IdMaker(reader.ids)
    return tuple(_identified(node, fresh) for node in raw)


class _Reader:
    """Reads nested lists of layers and remembers the ids that it met."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._count = 0

    def read(self, value: Any, place: str, depth: int) -> list[Node]:
        if not isinstance(value, list):
            raise DesignError(f"{place}: a list of layers is needed, not {shown(value)}")
        if depth > MAXIMUM_DEPTH + 1:
            raise DesignError(
                f"{shorten(place, 60)}: groups can stand at most {MAXIMUM_DEPTH} deep in each other"
            )
        self._count += len(value)
        if self._count > MAXIMUM_NODES:
            raise DesignError(f"a design has at most {MAXIMUM_NODES:,} layers")
        return [self._node(entry, f"{place}[{index}]", depth) for index, entry in enumerate(value)]

    def _node(self, entry: Any, place: str, depth: int) -> Node:
        if not isinstance(entry, dict):
            raise DesignError(f'{place}: a layer is an object with a "type", not {shown(entry)}')
        _refuse_twice(entry, f"{place}.")
        layer = _layer(entry, place)
        name, enabled = entry.get("name"), entry.get("enabled", True)
        if name is not None and not isinstance(name, str):
            raise DesignError(f"{place}.name: text is needed, not {shown(name)}")
        if not isinstance(enabled, bool):
            raise DesignError(f"{place}.enabled: true or false is needed, not {shown(enabled)}")
        children: list[Node] = []
        if isinstance(layer, Group):
            children = self.read(entry.get("layers", []), f"{place}.layers", depth + 1)
        elif "layers" in entry:
            raise DesignError(f"{place}.layers: {layer.type_name()} is no group and cannot hold layers")
        return Node(
            self._id(entry.get("id"), place),
            layer,
            clean_name(name),
            enabled,
            tuple(children),
        )

    def _id(self, value: Any, place: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise DesignError(
                f"{place}.id: small letters, digits and _ are needed, such as conv2d_1, not {shown(value)}"
            )
        if value in self.ids:
            raise DesignError(f"{place}.id: “{value}” is the id of two layers; each needs its own")
        self.ids.add(value)
        return value


def _layer(entry: Mapping[str, Any], place: str) -> Layer:
    name = entry.get("type")
    if not isinstance(name, str):
        raise DesignError(f"{place}.type: the name of a layer type is needed, not {shown(name)}")
    try:
        kind = layer_type(name)
    except UnknownLayerType as error:
        raise DesignError(f"{place}.type: {error}") from None
    values = {key: value for key, value in entry.items() if key not in _RESERVED}
    try:
        return kind(**values_from_json(kind, values, place))
    except ParameterError as error:
        raise DesignError(str(error)) from None


def _identified(node: Node, fresh: IdMaker) -> Node:
    children = tuple(_identified(child, fresh) for child in node.children)
    return Node(node.id or fresh(node.layer), node.layer, node.name, node.enabled, children)


def layers_to_text(nodes: Sequence[Node]) -> str:
    """Layers for the clipboard or a drag (`application/x-cnnstudio-layers+json`)."""
    return json.dumps(
        {"format": _LAYERS_FORMAT, "version": VERSION, "layers": nodes_to_json(nodes)}, ensure_ascii=False
    )


def layers_from_text(text: str, network: Network) -> list[Node]:
    """The layers of such a text, of a design, or of lines out of one, under ids fresh in `network`.

    Raises DesignError.
    """
    if len(text) > MAXIMUM_BYTES:
        raise DesignError("the text is too long to be layers of a design")
    content = _load(f"[{text.strip().rstrip(',')}]" if _LAYER_LINES.match(text) else text)
    if isinstance(content, dict) and content.get("format") in (_LAYERS_FORMAT, FORMAT):
        content = content.get("layers")
    elif not isinstance(content, list) or not content:
        raise DesignError("the text holds no layers of a design")
    fresh = network.fresh_ids()
    return [fresh.copy(node) for node in nodes_from_json(content)]
