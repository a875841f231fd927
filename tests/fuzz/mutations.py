"""Strategies that damage files: as documents, whose values are replaced, and as bytes.

Most inputs stay close to a real file, because a program rejects pure noise at its first line.
"""

from __future__ import annotations

import copy
import io
import json
import math
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Special:
    """What stands in a file's place and is no regular file."""

    kind: Literal["missing", "folder", "pipe", "endless link", "broken link", "device"]


Content = bytes | Special
Files = dict[str, Content]
"""Path below the input's folder -> what is put there."""

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
def inputs(draw: Draw, originals: Mapping[str, bytes]) -> Files:
    """Some of the original files damaged, in one to three ways."""
    files: Files = {}
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 2, 3]))):
        name = draw(st.sampled_from(sorted(originals)))
        before = files.get(name, originals[name])
        if not isinstance(before, bytes):
            continue
        if draw(st.sampled_from([True] + [False] * 39)):
            kinds = ["missing", "folder", "pipe", "endless link", "broken link", "device"]
            files[name] = Special(draw(st.sampled_from(kinds)))
        elif draw(st.sampled_from([True] + [False] * 39)):
            files[name] = originals[draw(st.sampled_from(sorted(originals)))]
        else:
            files[name] = draw(_damaged(name, before, originals[name]))
    return files


def _damaged(name: str, data: bytes, original: bytes) -> st.SearchStrategy[bytes]:
    """A file as its kind allows it, and sometimes any bytes."""
    # What an earlier change left may be no document any more.
    by_kind: dict[str, Callable[[bytes], st.SearchStrategy[bytes]]] = {
        ".json": documents,
        ".jsonl": logs,
        ".npz": archives,
        ".safetensors": tensors,
        ".py": listings,
        ".ini": settings_files,
    }
    structured = by_kind.get("." + name.rpartition(".")[2])
    if structured is None:
        return damaged_bytes(data)
    usable = data if data == original or name.endswith((".jsonl", ".py", ".ini")) else original
    return st.integers(0, 3).flatmap(lambda number: structured(usable) if number else damaged_bytes(data))


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
    return _dump(document, indent=draw(st.sampled_from([2, 2, None])))


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
            lines[index] = _dump(draw(damaged_document(document))) + b"\n"
        elif kind == "repeat":
            lines[index] *= draw(st.sampled_from([2, 50, 2000]))
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


def _dump(document: Any, indent: int | None = None) -> bytes:
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


@st.composite
def archives(draw: Draw, data: bytes) -> bytes:
    """A `.npz` file with arrays of another type, shape or header, or an archive that lies about itself."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    compression = draw(st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA]))
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(members)))
        kind = draw(
            st.sampled_from(["array"] * 4 + ["header"] * 3 + ["bytes", "remove", "bomb", "other", "json"])
        )
        if kind == "array":
            members[name] = draw(_arrays(members[name]))
        elif kind == "header":
            members[name] = draw(_headers(members[name]))
        elif kind == "bytes":
            members[name] = draw(damaged_bytes(members[name]))
        elif kind == "remove" and len(members) > 1:
            del members[name]
        elif kind == "bomb":
            members[name] += bytes(draw(st.sampled_from([2**20, 66 * 2**20])))
        elif kind == "other":
            members[name] = members[draw(st.sampled_from(sorted(members)))]
        elif kind == "json" and "about.npy" in members:
            about = (
                np.load(io.BytesIO(members["about.npy"])).tobytes()
                if members["about.npy"][:1] == b"\x93"
                else b""
            )
            try:
                members["about.npy"] = _npy(np.frombuffer(draw(documents(about)), np.uint8))
            except (ValueError, RecursionError):
                continue
    buffer = io.BytesIO()
    # The same name twice is a warning.
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(draw(st.sampled_from([name] * 30 + ["../x", name.upper(), "x" * 300])), content)
    written = buffer.getvalue()
    if draw(st.integers(0, 4)) == 0:
        written = draw(_directories(written))
    return written


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


@st.composite
def _arrays(draw: Draw, data: bytes) -> bytes:
    try:
        array = np.load(io.BytesIO(data))
    except (ValueError, EOFError, OSError, SyntaxError):
        return data
    kind = draw(st.sampled_from(["type", "shape", "fill", "cut", "fortran", "object", "huge"]))
    if kind == "type":
        types = ["f4", "f8", "f2", "i1", "u2", "i8", "?", ">f4", "c8", "S3", "U2", "M8[s]", "V4", "u1,i2"]
        return _npy(np.zeros(array.shape, draw(st.sampled_from(types))))
    if kind == "shape":
        shape = list(array.shape)
        changes = [
            shape[::-1],
            [*shape, 1],
            shape[1:],
            [1, *shape],
            [0, *shape[1:]],
            [*shape[:-1], 0],
            [1] * 40,
        ]
        new = draw(st.sampled_from(changes))[:30]
        return _npy(np.zeros(new, array.dtype))
    if kind == "fill":
        value = draw(st.sampled_from([0, 1, 127, 200, -1, math.nan, math.inf, 1e30]))
        with np.errstate(all="ignore"):
            filled = np.full(array.shape, value, np.float64).astype(array.dtype)
        return _npy(filled)
    if kind == "cut":
        return _npy(array[: draw(st.integers(0, 3))] if array.ndim else array)
    if kind == "fortran":
        return _npy(np.asfortranarray(array))
    if kind == "huge":
        shape = draw(
            st.sampled_from([(5, 4096, 64, 64), (1, 1, 1, 2**20), (2**20, 1, 1, 1), (5, 64, 400, 400)])
        )
        return _npy(np.zeros(shape, np.uint8))
    return _npy(np.array([{"a": 1}], dtype=object))


@st.composite
def _headers(draw: Draw, data: bytes) -> bytes:
    """The header of a `.npy` file that speaks of other data than follow."""
    shapes = [
        "()",
        "(5,)",
        "(-1, 4)",
        "(2**40,)",
        f"({2**62}, 4)",
        f"({10**30},)",
        "(1.5, 2)",
        "5",
        "('a',)",
        "(0, 0)",
    ]
    shapes += [f"({10**9}, {10**9}, 0)", "(" + "1, " * 70 + ")", "(True, 5)"]
    types = [
        "'|u1'",
        "'<f4'",
        "'<f99'",
        "'|O'",
        "'<U1000000000'",
        "[('a', '|u1')]",
        "'x'",
        "5",
        "('|u1', (9, 9))",
    ]
    text = (
        f"{{'descr': {draw(st.sampled_from(types))}, 'fortran_order': "
        f"{draw(st.sampled_from(['False', 'True', '3']))}, 'shape': {draw(st.sampled_from(shapes))}, }}\n"
    )
    text = draw(st.sampled_from([text] * 6 + ["(" * 300, "{", "[" * 5000 + "]" * 5000]))
    version = draw(st.sampled_from([1, 1, 1, 2, 3, 9]))
    size = len(text) + draw(st.sampled_from([0, 0, 0, 0, 1, 60000, -1]))
    length = max(size, 0).to_bytes(2 if version == 1 else 4, "little")
    body = data[128:] if draw(st.booleans()) else b""
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + body


@st.composite
def _directories(draw: Draw, data: bytes) -> bytes:
    """An archive whose directory has other sizes, offsets, methods or flags than its members."""
    start = data.rfind(b"PK\x01\x02")
    offsets = draw(st.sampled_from([[8], [10], [20, 24], [24], [42], [28], [30]]))
    changed = bytearray(data)
    for offset in offsets:
        value = draw(st.sampled_from([0, 1, 99, 2**16, 2**31, 2**32 - 1]))
        width = 2 if offset in (8, 10, 28, 30) else 4
        changed[start + offset : start + offset + width] = (value % 256**width).to_bytes(width, "little")
    return bytes(changed)


@st.composite
def tensors(draw: Draw, data: bytes) -> bytes:
    """A `.safetensors` file with another header: types, shapes, offsets, names, lengths."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = draw(st.sampled_from(["document"] * 3 + ["entry"] * 4 + ["length", "body", "values", "values"]))
    if kind == "document":
        header = draw(damaged_document(header))
    elif kind == "entry":
        entry = draw(st.sampled_from([value for value in header.values() if "shape" in value]))
        types = ["F32", "F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "I8", "U64", "X", ""]
        entry["dtype"] = draw(st.sampled_from([entry["dtype"], *types]))
        shape = entry["shape"]
        entry["shape"] = draw(
            st.sampled_from(
                [shape, shape[::-1], [], [0], [*shape, 1], [2**40, *shape], [-1], [2**63, 2], [1] * 99]
            )
        )
        begin, end = entry["data_offsets"]
        entry["data_offsets"] = draw(
            st.sampled_from(
                [[begin, end]] * 4 + [[0, end], [end, begin], [begin, 2**62], [-1, 4], [0, 0], [begin]]
            )
        )
    elif kind == "body":
        body = draw(damaged_bytes(body))
    elif kind == "values":
        value = draw(st.sampled_from([math.nan, math.inf, -1.0, 3e38, 1e-40, 0.0]))
        body = np.full(len(body) // 4, value, "<f4").tobytes()
    text = _dump(header)
    size = len(text)
    if kind == "length":
        size = draw(
            st.sampled_from([0, 1, size - 1, size + 1, size + len(body) + 1, 2**31, 2**62, 2**64 - 1])
        )
    return size.to_bytes(8, "little") + text + body


_SNIPPETS = [
    "model = Sequential()",
    "for i in range({n}):\n    model.add(Dense(i + 1))",
    "while True:\n    pass",
    "x = [0] * {n}",
    "x = 'a' * {n}",
    "x = {n} ** {n}",
    "def f(x): return f(x)\nf(1)",
    "import os; os.system('touch ran')",
    "open('ran', 'w').write('x')",
    "__import__('pathlib').Path('ran').touch()",
    'exec(\'open("ran", "w")\')',
    "raise SystemExit({n})",
    "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = A()",
    "model.add(model)",
    "x = lambda *a, **k: x(*a, **k)\nx(1, b=2)",
    "x = [i for i in range({n}) for j in range({n})]",
    "x = {{i: j for i in x for j in x}}",
    "x = f'{{x!r:>{n}}}'",
    "model.add(Dense({n}))",
    "self.conv = nn.Conv2d({n}, {n}, {n}, padding={n})",
    "x = x[{n}:{n}:{n}]",
    "x, *y = model.layers",
    "return x",
    "yield x",
    "match x:\n    case [a, *b]: pass",
    "try:\n    pass\nexcept* ValueError:\n    pass",
    "@x\ndef f(a, /, b=1, *c, d, **e): ...",
    "global x\nnonlocal_ = 1\ndel x",
    "async def g():\n    async for x in y: await x",
]
_EXPRESSIONS = [
    "-1",
    "0",
    "1.5",
    "'x'",
    "None",
    "(1, 2)",
    "[]",
    "{}",
    "True",
    "10**9",
    "2**63",
    "1e400",
    "x",
    "3j",
]
_EXPRESSIONS += [
    "len(x)",
    "*x",
    "**x",
    "lambda: 0",
    "(3, 3, 3)",
    "'same'",
    "...",
    "a.b.c",
    "x[0]",
    "x if y else z",
]


@st.composite
def listings(draw: Draw, data: bytes) -> bytes:
    """Code with other numbers, arguments, lines and loops."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    for _ in range(draw(st.integers(1, 5))):
        index = draw(st.integers(0, max(len(lines) - 1, 0)))
        if not lines:
            break
        line = lines[index]
        indent = line[: len(line) - len(line.lstrip())]
        kind = draw(st.sampled_from(["token"] * 6 + ["insert"] * 3 + _LINE_CHANGES))
        if kind == "token":
            lines[index] = draw(_other_token(line))
        elif kind == "insert":
            number = draw(st.sampled_from([0, -1, 3, 1000, 10**6, 10**12, 10**40]))
            text = draw(st.sampled_from(_SNIPPETS)).format(n=number)
            lines[index:index] = [indent + each for each in text.split("\n")]
        elif kind == "repeat":
            lines[index : index + 1] = [line] * draw(st.sampled_from([2, 20, 3000]))
        elif kind == "remove":
            del lines[index : index + draw(st.sampled_from([1, 1, 5]))]
        elif kind == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(index))
        elif kind == "indent":
            lines[index] = draw(st.sampled_from([f"    {line}", line.lstrip(), f"\t{line}"]))
        elif kind == "loop":
            count = draw(st.sampled_from(["3", "1000", "10**9", "x"]))
            lines[index] = f"{indent}for _ in range({count}): {line.lstrip()}"
        elif kind == "nest":
            depth = draw(st.sampled_from([3, 80, 150, 3000]))
            lines[index] = f"{indent}x = {'nn.Sequential(' * depth}{')' * depth}"
        elif kind == "double":
            times = draw(st.sampled_from([5, 30]))
            lines[index:index] = [f"{indent}model = Sequential([model, model])"] * times
        elif kind == "noise":
            lines[index] = draw(damaged_bytes(line.encode("utf-8", "replace"))).decode("latin-1")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


_LINE_CHANGES = ["repeat", "remove", "move", "indent", "loop", "nest", "double", "noise"]


@st.composite
def _other_token(draw: Draw, line: str) -> str:
    starts = [0, *(at + 1 for at, sign in enumerate(line) if sign in "(,=[ ")]
    start = draw(st.sampled_from(starts))
    end = next((at for at in range(start, len(line)) if line[at] in "(),=[]: "), len(line))
    return line[:start] + draw(st.sampled_from(_EXPRESSIONS)) + line[end:]


_INI_VALUES = [
    "",
    "@Invalid()",
    "@ByteArray()",
    "@ByteArray(\\x1\\xd9\\xd0\\xcb)",
    "@Variant(\\0\\0\\0\\x1)",
    "@Size(1 2)",
]
_INI_VALUES += [
    "@Rect(0 0 -1 99999999)",
    "@Point(x y)",
    "@Variant(\\0\\0\\0\\x7f\\0\\0\\0\\xffX\\0)",
    "@String(x)",
    "a, b, c",
]
_INI_VALUES += [
    "@DateTime(\\0\\0\\0\\x10\\0\\0\\0\\0)",
    '"x',
    "\\x1\\x2\\xffff",
    "1",
    "-1",
    "nan",
    "true",
    "y" * 100_000,
    "\\n\\n/x",
]
_INI_VALUES += [
    "/dev/zero",
    "\\0",
    "a\\nb\\n/dev/null",
    "\\xd800",
    "light",
    "dark",
    "cuda:99",
    "cpu",
    "shapes",
    "x" * 5000,
]
_INI_VALUES += [
    "@Variant(\\0\\0\\0\\t\\xff\\xff\\xff\\xff)",
    "@Variant(\\0\\0\\0\\b\\x7f\\xff\\xff\\xff)",
    "@Variant(\\0\\0\\0\\n\\x7f\\xff\\xff\\xfe)",
]


@st.composite
def settings_files(draw: Draw, data: bytes) -> bytes:
    """An INI file with other values, types, keys and groups, or a few bytes of a value changed."""
    lines = data.decode("latin-1").split("\n")
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, max(len(lines) - 1, 0)))
        if not lines:
            break
        key, found, value = lines[index].partition("=")
        kind = draw(
            st.sampled_from(["value", "value", "bytes", "bytes", "bytes", "key", "repeat", "remove", "group"])
        )
        if kind == "value" and found:
            lines[index] = f"{key}={draw(st.sampled_from(_INI_VALUES))}"
        elif kind == "bytes" and found:
            lines[index] = f"{key}={draw(damaged_bytes(value.encode('latin-1'))).decode('latin-1')}"
        elif kind == "key" and found:
            keys = ["geometry", "layout", "recent_files", "scheme", "dataset", "", "%2F", "a\\b", "x" * 500]
            lines[index] = f"{draw(st.sampled_from(keys))}={value}"
        elif kind == "repeat":
            lines.insert(index, lines[index])
        elif kind == "remove":
            del lines[index]
        elif kind == "group":
            lines.insert(index, draw(st.sampled_from(["[x]", "[General]", "[", "[%General]", "[a/b\\c]"])))
    return "\n".join(lines).encode("latin-1")
