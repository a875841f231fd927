"""Strategies that damage bytes and JSON documents."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Special:
    """What stands in a file's place and is no regular file."""

    kind: Literal["missing", "folder", "pipe", "endless link", "broken link", "device"]


Content = bytes | Special
Files = dict[str, Content]
"""Path below the input's folder -> what is put there."""

_MAX_REPEATED = 2**25
"""Bytes that the copies of one line take."""

_DEEP_LIST, _DEEP_OBJECT, _LONG_NUMBER, _TWICE = "\0deep list", "\0deep object", "\0long number", "\0twice"

_NUMBERS = [0, -0.0, 1, -1, 2, 3, 7, 255, 2**31 - 1, 2**31, 2**53, 2**63, -(2**63), 10**9, 10**12, 10**300]
_NUMBERS += [0.5, 1.5, -0.5, 1e-300, 1e30, 1e38, 1e39, 1e300, -1e300, math.nan, math.inf, -math.inf]
_TEXTS = ["", "x", "0", "\0", "\ud800", "\udcff", "<b>", "\x1b[2J\x07", "a\nb", "\u202e", "中🙂", "{source}"]
_TEXTS += ["..", "../../x", "/", "/dev/zero", "/dev/null/x", "~nobody", "x" * 300, "y" * 100_000, "%s{0}"]
_TEXTS += ["nan", "inf", "1e999", "shapes", "cifar10", "completed", "running", "Conv2D", "Repeat", "relu"]
_TEXTS += ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999+14:00", "0001-01-01T00:00:00+23:59"]
_TEXTS += ["2026-02-30", "2026-11-23T08:00:00-00:00:01", "file:///etc/passwd", "C:\\x", "con", "a/b"]
_OTHERS = [None, True, False, [], {}, [[]], [{}], {"": None}, [0], {"x": 1}, [None] * 1000, ["a", 1]]
_OTHERS += [_DEEP_LIST, _DEEP_OBJECT, _LONG_NUMBER, [_LONG_NUMBER], {"loss": 1e300, "accuracy": "x"}]

strange_values = st.one_of(st.sampled_from(_NUMBERS), st.sampled_from(_TEXTS), st.sampled_from(_OTHERS))


@st.composite
def damaged_bytes(draw: Draw, data: bytes) -> bytes:
    """Bits flipped, and parts cut off, removed, repeated, moved, or replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.sampled_from([1, 2, 4, 8, 40, 300, 4000]))
        part, rest = data[start : start + length], data[start + length :]
        kind = draw(st.sampled_from(["flip", "cut", "remove", "repeat", "insert", "zero", "end", "empty"]))
        if kind == "flip" and part:
            data = data[:start] + bytes([part[0] ^ (1 << draw(st.integers(0, 7)))]) + data[start + 1 :]
        elif kind == "cut":
            data = data[:start]
        elif kind == "remove":
            data = data[:start] + rest
        elif kind == "repeat":
            data = data[:start] + part * draw(st.sampled_from([2, 3, 100])) + rest
        elif kind == "insert":
            data = data[:start] + draw(st.binary(max_size=12)) + data[start:]
        elif kind == "zero":
            data = data[:start] + b"\0" * len(part) + rest
        elif kind == "end":
            data += part
        elif kind == "empty" and draw(st.integers(0, 5)) == 0:
            data = b""
    return data


@st.composite
def documents(draw: Draw, data: bytes) -> bytes:
    """JSON with values, keys or parts that no program writes."""
    document = draw(damaged_document(json.loads(data)))
    return dump(document, indent=draw(st.sampled_from([2, 2, None])))


@st.composite
def logs(draw: Draw, data: bytes) -> bytes:
    """A file of JSON lines, some of them changed, doubled, moved, joined, or left out."""
    lines = data.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, max(len(lines) - 1, 0)))
        kind = draw(st.sampled_from(["change"] * 6 + ["repeat", "move", "join", "remove", "noise"]))
        if not lines:
            break
        if kind == "change":
            try:
                document = json.loads(lines[index])
            except (ValueError, RecursionError):
                continue
            lines[index] = dump(draw(damaged_document(document))) + b"\n"
        elif kind == "repeat":
            # The program is tried, not the connection to its process: no input takes gigabytes.
            times = draw(st.sampled_from([2, 50, 2000]))
            lines[index] *= min(times, _MAX_REPEATED // max(len(lines[index]), 1) + 1)
        elif kind == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(index))
        elif kind == "join":
            lines[index] = lines[index].rstrip(b"\n")
        elif kind == "remove":
            del lines[index : index + draw(st.sampled_from([1, 3, 1000]))]
        else:
            lines[index] = draw(damaged_bytes(lines[index]))
    return b"".join(lines)


@st.composite
def damaged_document(draw: Draw, document: Any) -> Any:
    """A copy with one to three of its values or keys changed."""
    root = [json.loads(json.dumps(document))]
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        places = list(_places(root))
        holder, key = draw(st.sampled_from(places))
        value = holder[key]
        kind = draw(
            st.sampled_from(["value"] * 6 + ["near", "near", "remove", "key", "twice", "swap", "many"])
        )
        if kind == "value":
            holder[key] = copy.deepcopy(draw(strange_values))
        elif kind == "near" and type(value) in (int, float):
            holder[key] = draw(
                st.sampled_from([-value, value + 1, value - 1, value * 1000, value / 3, str(value)])
            )
        elif kind == "near" and isinstance(value, str):
            holder[key] = draw(
                st.sampled_from([value.upper(), value + " ", value[:-1], value[:99] * 500, [value]])
            )
        elif kind == "remove" and holder is not root:
            del holder[key]
        elif kind == "key" and isinstance(holder, dict):
            holder[draw(st.sampled_from(_TEXTS))] = holder.pop(key)
        elif kind == "twice" and isinstance(holder, dict):
            holder[f"{key}{_TWICE}"] = copy.deepcopy(draw(strange_values))
        elif kind == "swap":
            other_holder, other_key = draw(st.sampled_from(places))
            if not _contains(value, other_holder) and not _contains(other_holder[other_key], holder):
                holder[key], other_holder[other_key] = other_holder[other_key], value
        elif kind == "many" and isinstance(value, list):
            text = json.dumps(value)
            holder[key] = json.loads(text) * min(draw(st.sampled_from([2, 10, 1000])), 2**20 // len(text) + 1)
    return root[0]


def _places(holder: Any) -> Any:
    """Each (list or object, index or key) in the document."""
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    for key in keys:
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])


def _contains(value: Any, holder: Any) -> bool:
    return value is holder or (
        isinstance(value, dict | list) and any(_contains(value[k], holder) for _, k in _own(value))
    )


def _own(holder: Any) -> Any:
    return ((holder, key) for key in (list(holder) if isinstance(holder, dict) else range(len(holder))))


def dump(document: Any, indent: int | None = None) -> bytes:
    text = json.dumps(document, indent=indent)
    deep = 100_000
    for mark, written in (
        (json.dumps(_DEEP_LIST), "[" * deep + "]" * deep),
        (json.dumps(_DEEP_OBJECT), '{"a":' * deep + "1" + "}" * deep),
        (json.dumps(_LONG_NUMBER), "9" * 5000),
        (json.dumps(_TWICE)[1:-1], ""),
    ):
        text = text.replace(mark, written)
    return text.encode()
