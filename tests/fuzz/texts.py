"""Strategies that damage code and INI files."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.fuzz.mutations import Draw, damaged_bytes, documents

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
    "x = '{{0}}' * 3000\nx = x.format('a' * {n})",
    "x = 'a' * 3000\nfor _ in range(9): x = x.replace('a', x)",
    "x = {{}}\nx['a'] = x\nx = {{**x, 'b': [x]}}",
    "x = [i for i in range(100) for j in range({n}) if i > j]",
    "def g():\n    while True: yield {n}\nx = list(g())",
    "while x: x = x + 1",
    "net.append(net)",
    "x = [nn.Sequential(nn.ReLU()) for _ in range({n})]\nfor y in x: y.append(y)",
    "setattr(net, 'a' * {n}, net)",
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


@st.composite
def notebooks(draw: Draw, data: bytes) -> bytes:
    """Notebooks with other code in a cell, or with other cells."""
    if draw(st.booleans()):
        return draw(documents(data))
    content = json.loads(data)
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    cell = draw(st.sampled_from(cells))
    changed = draw(listings("".join(cell["source"]).encode())).decode("utf-8", "replace")
    cell["source"] = changed if draw(st.booleans()) else changed.splitlines(keepends=True)
    return json.dumps(content).encode("utf-8", "surrogatepass")


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
