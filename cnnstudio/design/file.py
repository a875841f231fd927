"""The design file, `*.cnn.json`: reading, writing, and the same JSON for the clipboard and drag and drop.

Every error names the exact location, such as `layers[3].filters: …`. Nothing in a file is ever executed.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.files import read_regular, write_atomically
from cnnstudio.core.parameters import describe_value, shorten, values_from_json, values_to_json
from cnnstudio.design.network import (
    MAXIMUM_DEPTH,
    MAXIMUM_INPUT,
    MAXIMUM_NODES,
    UNTITLED,
    IdGenerator,
    Network,
    Node,
    clean_name,
)
from cnnstudio.layers.base import Group, Layer, Shape
from cnnstudio.layers.catalog import UnknownLayerType, layer_type

FORMAT = "cnnstudio.design"
VERSION = 2
"""The newest version that is read. Written is the lowest that has what the design has: see `_version`."""
SUFFIX = ".cnn.json"
_LAYERS_FORMAT = "cnnstudio.layers"
MAXIMUM_BYTES = 16 * 2**20
"""The longest file or text that is read; a design of MAXIMUM_NODES layers is shorter."""
_MAXIMUM_BRACKETS = 15 * MAXIMUM_NODES
_MAXIMUM_COMMAS = 40 * MAXIMUM_NODES
# Together they bound the memory that parsing takes: in "[[],[],…" a value takes 30 times its text.
# Ids become names of torch modules. They end in a number, so that none is an attribute of nn.Module or the
# name of another layer's second module, such as conv2d_1_activation.
_ID = re.compile(r"[a-z][a-z0-9_]{0,52}_[0-9]{1,9}")
# Lines copied out of a design file: one layer per line, without the brackets around the list.
_LAYER_LINES = re.compile(r'\s*\{\s*"type"')
_RESERVED = {"type", "name", "enabled", "trainable", "id", "layers"}
_WEIGHTS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


_NOT_A_DESIGN = {
    errno.EFBIG: f"this file is larger than {MAXIMUM_BYTES // 2**20} MB",
    errno.EINVAL: "this is not a regular file",
}
"""What `read_regular` refuses, by error number -> what is wrong with it."""


class DesignError(UserError):
    """A design that cannot be read; the message names the location."""


def read_design(path: Path) -> Network:
    """The design in a file. Raises DesignError."""
    try:
        return parse_design(read_regular(path, MAXIMUM_BYTES).decode("utf-8-sig"))
    except DesignError as error:
        raise DesignError(f"{path.name}: {error}") from None
    except UnicodeDecodeError:
        raise DesignError(f"{path.name}: this is not UTF-8 text, so it is not a design (JSON)") from None
    except FileNotFoundError:
        raise DesignError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise DesignError(f"{path.name}: this is a folder, not a design file") from None
    except OSError as error:
        if error.errno in _NOT_A_DESIGN:
            raise DesignError(f"{path.name}: {_NOT_A_DESIGN[error.errno]}, so it is not a design") from None
        raise DesignError(f"{path}: the file cannot be read ({error.strerror})") from None


def write_design(path: Path, network: Network) -> None:
    """Writes the design atomically: on failure the old file is still there. Raises FileError."""
    # A lone surrogate, which UTF-8 cannot encode, becomes an escape like \ud800, which is valid in JSON as
    # well.
    write_atomically(path, design_text(network).encode("utf-8", "backslashreplace"))


def design_text(network: Network) -> str:
    """The text of the file: one line per layer, so that people can read it and line-based diffs work."""
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
    """The design in the text of a file. Raises DesignError."""
    return design_from_json(_load(text))


class _JsonObject(dict[str, Any]):
    """A JSON object that records a duplicate key. Python's json would silently keep the last value."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.duplicate_key: str | None = None
        for key, value in pairs:
            if key in self:
                self.duplicate_key = key
            self[key] = value


def _reject_duplicate_key(entry: dict[str, Any], prefix: str) -> None:
    if isinstance(entry, _JsonObject) and entry.duplicate_key is not None:
        raise DesignError(f"{prefix}{shorten(entry.duplicate_key)}: this key appears twice; keep one")


def _parse_int(digits: str) -> int:
    # int() raises ValueError above 4,300 digits. Any huge number will do instead: it is then out of the
    # parameter's range, which is reported with its location.
    return int(digits) if len(digits) < 4000 else 10**4000


def _brackets(text: str) -> int:
    return text.count("{") + text.count("[")


def _load(text: str) -> Any:
    if not text.strip():
        raise DesignError("this is empty")
    if len(text) > MAXIMUM_BYTES or _brackets(text) > _MAXIMUM_BRACKETS or text.count(",") > _MAXIMUM_COMMAS:
        raise DesignError(f"this is too large for a design, which has at most {MAXIMUM_NODES:,} layers")
    try:
        return json.loads(text, object_pairs_hook=_JsonObject, parse_int=_parse_int)
    except RecursionError:
        raise DesignError(
            f"brackets are nested too deeply; groups can be nested at most {MAXIMUM_DEPTH} deep"
        ) from None
    except json.JSONDecodeError as error:
        raise DesignError(
            f"line {error.lineno}, column {error.colno}: this is not JSON ({error.msg}); "
            "the file is damaged or not a design"
        ) from None


def design_to_json(network: Network) -> dict[str, Any]:
    """The content of the file, JSON-ready."""
    return {
        "format": FORMAT,
        "version": _version(network.nodes, network.weights),
        "name": network.name,
        "input": list(network.input.dims),
        **({} if network.weights is None else {"weights": network.weights}),
        "layers": nodes_to_json(network.nodes),
    }


def _version(nodes: Iterable[Node], weights: str | None = None) -> int:
    """2 for what version 1 does not have, pretrained weights and locked layers. Older programs read 1."""
    is_plain = weights is None and all(each.trainable for node in nodes for each in node.walk())
    return 1 if is_plain else 2


def design_from_json(content: Any) -> Network:
    """The network in the content of a file. Raises DesignError."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DesignError(_describe_other(content))
    _reject_duplicate_key(content, "")
    version = content.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise DesignError(f"version: must be an integer of at least 1, got {describe_value(version)}")
    if version > VERSION:
        raise DesignError(
            f"version: must be at most {VERSION}, got {describe_value(version)}; update CNN Studio to open "
            "this design"
        )
    unknown = set(content) - {"format", "version", "name", "input", "weights", "layers"}
    if unknown:
        raise DesignError(
            f"{shorten(min(unknown))}: unknown key; a design has format, version, name, input, weights and "
            "layers"
        )
    name = content.get("name", UNTITLED)
    if not isinstance(name, str):
        raise DesignError(f"name: must be text, got {describe_value(name)}")
    nodes = nodes_from_json(content.get("layers"), "layers")
    weights = _weights(content.get("weights"))
    return Network(_input(content.get("input")), nodes, clean_name(name) or UNTITLED, weights)


def _weights(value: Any) -> str | None:
    # Only a name: whether there are such weights is known where they are read.
    if value is not None and not (isinstance(value, str) and _WEIGHTS.fullmatch(value)):
        raise DesignError(
            "weights: must be the name of pretrained weights, such as efficientnet-lite0, "
            f"got {describe_value(value)}"
        )
    return value


def _describe_other(content: Any) -> str:
    """Why JSON that is no design cannot be opened; those who wrote one by hand are told what it lacks."""
    if isinstance(content, dict) and "layers" in content and "format" not in content:
        return f'a design begins with "format": "{FORMAT}", which is missing here'
    return "this is not a design of CNN Studio: open a file that was saved with File ▸ Save"


def _input(value: Any) -> Shape:
    sizes = value if isinstance(value, list) else []
    if len(sizes) != 3 or not all(type(size) is int and 1 <= size <= MAXIMUM_INPUT for size in sizes):
        raise DesignError(
            f"input: must be [channels, height, width], integers from 1 to {MAXIMUM_INPUT}, "
            f"got {_describe_sizes(sizes) or describe_value(value)}"
        )
    return Shape(tuple(sizes))


def _describe_sizes(sizes: list[Any]) -> str:
    return f"[{', '.join(map(describe_value, sizes))}]" if 0 < len(sizes) <= 4 else ""


def nodes_to_json(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """Layers as in the file, and as on the clipboard and in drags."""
    result = []
    for node in nodes:
        entry: dict[str, Any] = {"type": node.layer.type_name(), "id": node.id}
        if node.name:
            entry["name"] = node.name
        if not node.enabled:
            entry["enabled"] = False
        if not node.trainable:
            entry["trainable"] = False
        entry.update(values_to_json(node.layer))
        if node.is_group:
            entry["layers"] = nodes_to_json(node.children)
        result.append(entry)
    return result


def nodes_from_json(value: Any, place: str = "layers") -> tuple[Node, ...]:
    """The nodes of a list of layers; those without an id get a new one. Raises DesignError.

    `place` is the location of the list, for error messages.
    """
    reader = _Reader()
    nodes = reader.read(value, place, 1)
    # New ids only after all have been read: a later layer may have the one that would be next.
    new_id = IdGenerator(reader.ids)
    return tuple(_with_ids(node, new_id) for node in nodes)


class _Reader:
    """Reads nested lists of layers and collects their ids. Nodes without an id get an empty one."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._count = 0

    def read(self, value: Any, place: str, depth: int) -> list[Node]:
        if not isinstance(value, list):
            raise DesignError(f"{place}: must be a list of layers, got {describe_value(value)}")
        if depth > MAXIMUM_DEPTH + 1:
            raise DesignError(f"{shorten(place, 60)}: groups can be nested at most {MAXIMUM_DEPTH} deep")
        self._count += len(value)
        if self._count > MAXIMUM_NODES:
            raise DesignError(f"a design can have at most {MAXIMUM_NODES:,} layers")
        return [self._node(entry, f"{place}[{index}]", depth) for index, entry in enumerate(value)]

    def _node(self, entry: Any, place: str, depth: int) -> Node:
        if not isinstance(entry, dict):
            raise DesignError(f'{place}: must be an object with a "type", got {describe_value(entry)}')
        _reject_duplicate_key(entry, f"{place}.")
        layer = _layer(entry, place)
        name = entry.get("name")
        if name is not None and not isinstance(name, str):
            raise DesignError(f"{place}.name: must be text, got {describe_value(name)}")
        enabled = _flag(entry, "enabled", place)
        trainable = layer.has_trainable_parameter() or _flag(entry, "trainable", place)
        children: list[Node] = []
        if isinstance(layer, Group):
            children = self.read(entry.get("layers", []), f"{place}.layers", depth + 1)
        elif "layers" in entry:
            raise DesignError(f"{place}.layers: {layer.type_name()} is not a group and cannot contain layers")
        return Node(
            self._id(entry.get("id"), place),
            layer,
            clean_name(name),
            enabled,
            tuple(children),
            trainable,
        )

    def _id(self, value: Any, place: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise DesignError(
                f"{place}.id: must be lowercase letters, digits and _, ending in a number, such as conv2d_1, "
                f"got {describe_value(value)}"
            )
        if value in self.ids:
            raise DesignError(f"{place}.id: two layers have the id “{value}”; ids must be unique")
        self.ids.add(value)
        return value


def _flag(entry: Mapping[str, Any], key: str, place: str) -> bool:
    value = entry.get(key, True)
    if not isinstance(value, bool):
        raise DesignError(f"{place}.{key}: must be true or false, got {describe_value(value)}")
    return value


def _layer(entry: Mapping[str, Any], place: str) -> Layer:
    name = entry.get("type")
    if not isinstance(name, str):
        raise DesignError(f"{place}.type: must be the name of a layer type, got {describe_value(name)}")
    try:
        kind = layer_type(name)
    except UnknownLayerType as error:
        raise DesignError(f"{place}.type: {error}") from None
    reserved = _RESERVED - {"trainable"} if kind.has_trainable_parameter() else _RESERVED
    values = {key: value for key, value in entry.items() if key not in reserved}
    try:
        return kind(**values_from_json(kind, values, place))
    except ParameterError as error:
        raise DesignError(str(error)) from None


def _with_ids(node: Node, new_id: IdGenerator) -> Node:
    children = tuple(_with_ids(child, new_id) for child in node.children)
    return dataclasses.replace(node, id=node.id or new_id(node.layer), children=children)


def layers_to_text(nodes: Sequence[Node]) -> str:
    """Layers as text for the clipboard or a drag (`application/x-cnnstudio-layers+json`)."""
    return json.dumps(
        {"format": _LAYERS_FORMAT, "version": _version(nodes), "layers": nodes_to_json(nodes)},
        ensure_ascii=False,
    )


def layers_from_text(text: str, network: Network) -> list[Node]:
    """The layers in such a text, in a whole design, or in lines copied out of one, with ids new to `network`.

    Raises DesignError.
    """
    if len(text) > MAXIMUM_BYTES:
        raise DesignError("this text is too long to contain layers")
    content = _load(f"[{text.strip().rstrip(',')}]" if _LAYER_LINES.match(text) else text)
    if isinstance(content, dict) and content.get("format") in (_LAYERS_FORMAT, FORMAT):
        content = content.get("layers")
    elif not isinstance(content, list) or not content:
        raise DesignError("this text contains no layers")
    fresh = network.fresh_ids()
    return [fresh.copy(node) for node in nodes_from_json(content)]
