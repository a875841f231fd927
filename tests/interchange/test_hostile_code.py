"""Malicious code and text that is not a listing: one error message, nothing run, nothing huge created."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.interchange import effort
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.reading import read_code

KERAS = "from keras.layers import *\nmodel = Sequential()\n"
FULL = KERAS + "model.add(Dense(3))\n"
TORCH = "import torch.nn as nn\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no code"),
        ("print('hello')", "neither Keras nor PyTorch"),
        ("x = 1\nthis is no Python", "line 2: this is not Python"),
        ("model\0", "not Python"),
        ("'\ud800'", "not Python"),
        ("model = Sequential()\n" * 500_000, "longer than 1,000,000 characters"),
        # In a syntax tree this megabyte takes 600.
        ("x=1\n" * 240_000, "more than 250,000 words and signs"),
        ("Look:\n```python\n" + "x=1\n" * 240_000 + "```\n", "more than 250,000 words and signs"),
        ("Look:\n```\n" + "x=1\n" * 240_000 + "```\n", "more than 250,000 words and signs"),
        ("x = " + "(" * 10_000 + ")" * 10_000, "nested parentheses"),
        ("x = " + "-" * 100_000 + "1", "nested too deeply"),
        ("x = 1" + "+1" * 100_000, "nested too deeply"),
        ("import keras\nx = keras" + ".a" * 900, "nested too deeply"),
        (TORCH + "def f(x): return f(x)\nf(1)", "nested too deeply"),
        (KERAS + "for i in range(10**12):\n    model.add(Dense(i + 1))", "more than 20,000 layers"),
        (KERAS + "model.add(Dense(1))\n" * 20_100, "more than 20,000 layers"),
        (TORCH + "a = nn.Sequential(nn.ReLU())\n" + "a = nn.Sequential(a, a)\n" * 60, "more than 20,000"),
        (TORCH + "a = [nn.ReLU()]\n" + "a.extend(a)\n" * 60, "too complex"),
        (TORCH + "m = nn.Sequential(*[nn.Linear(3, i) for i in range(10**9)])", "too complex"),
        (TORCH + "a = []\na.append(a)\nb = a == [a]", "too complex"),
        (FULL + "model = Sequential([model, model])\n" * 60, "more than 20,000 layers"),
        (KERAS + "model = Sequential([model, model])\n" * 60, "no Keras model with layers"),
        (
            KERAS
            + "model = Sequential([model, model])\n" * 60
            + "multiply([x := Input((8, 8, 3)), model(x)])",
            "more than 20,000 layers",
        ),
        (
            FULL
            + "".join(
                f"model = keras.Model(i{k} := Input((8, 8, 3)), model(model(i{k})))\n" for k in range(60)
            ),
            "more than 20,000 layers",
        ),
        (
            "".join(f"m{k} = Sequential([m{k - 1}, Dense(3)])\n" for k in range(3_000)).join([KERAS, ""]),
            "nested too deeply",
        ),
        (KERAS, "no Keras model with layers"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_it_is_refused_with_a_short_message(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a slow or busy computer the time would decide which limit is reached first.
    monkeypatch.setattr(effort, "MAXIMUM_SECONDS", 60.0)
    with pytest.raises(CodeError) as error:
        read_code(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "number",
    [
        "10**10**10",
        "9**9**9**9",
        "1 << 10**10",
        "len('a' * 10**12)",
        "len([1] * 10**12)",
        "1 / 0",
        "2.0**10**6",
    ],
)
def test_huge_numbers_are_not_computed(number: str) -> None:
    found = read_code(f"{KERAS}n = {number}\nmodel.add(Dense(n))")
    assert [note.line for note in found.notes if "only known at run time" in note.text] == [4]


def doubled(statement: str, times: int = 60) -> str:
    return f"{statement}\n" * times


@pytest.mark.parametrize(
    "text",
    [
        "a = [1]\n" + doubled("a = [*a, *a]"),
        "a = (1,)\n" + doubled("a = (*a, *a)"),
        "[a := [1], " + "a := [*a, *a], " * 40 + "]",
        "a = [1]\n" + doubled("a = [a, a]"),
        "a = {1: 1}\n" + doubled("a = {1: a, 2: a}"),
        "a = [1] * 10_000\nb = []\nfor i in range(10_000):\n    b = [b, list(zip(a, a, a))]",
        "a = [[0] * 9_999] * 9_999",
        "a = [i for i in range(10**9)]",
    ],
)
def test_values_that_grow_without_bounds_are_refused(text: str) -> None:
    with pytest.raises(CodeError, match="too complex"):
        read_code(f"{KERAS}model.add(Dense(3))\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        *("a = [1, 2][::0]", "a = 'ab'[::0]", "a = range(9)[::0]", "a = [1][10**30:]", "a = (1, 2)[5]"),
        *("a = {}[()]", "a = [1]['x']", "a = []\na.insert(10**40, 1)\n[].pop()", "a, *b = range(10**12)"),
        *("a = 1.5 in range(10**12)", "a = 'x' in range(10**12)", "a = range(10**12)[::1]"),
        *("a = 1 % 0", "a = 0**-1", "a = (-1)**0.5", "a = 10**18 * 1e308", "a = round(1e400)", "a = -'x'"),
        *(
            "a = list(enumerate([1], 'x'))",
            "a = sum(['x'])",
            "a = max([])",
            "a = range(1, 2, 0)",
            "a = 1 in 2",
        ),
        f"a = 0x{'f' * 100_000}\nb = [{'-a, ' * 1_000}]\nc = str(a)\nd = f'{{a}}'\nlist(enumerate([1], a))",
        "a = 'ab'\n" + doubled("a = f'{a}{a}'"),
        "a = 'ab'\n" + doubled("a = a + a"),
        "x = foo\nfor i in range(1_000):\n    x = x." + "a" * 100_000,
        "class A0: pass\n"
        + "\n".join(f"class A{i}(A{i - 1}, A{i - 1}): pass" for i in range(1, 60))
        + "\nA59().x",
        "Dense(range(10**12))\nConv2D([], {})\nConv2D(3j, b'x')\nConv2D(*[1] * 9_999)\nDense(1e400)",
        "x = yield 3\nyield\nclass A:\n    yield 1",
        "__yields__ = 3\ndef f():\n    yield 1\nlist(f())\nyield f()",
        "model.compile(loss=range(10**9), optimizer=[1])\nmodel.fit(epochs=range(10**12), batch_size=[])",
    ],
    ids=lambda value: str(value)[:40],
)
def test_operations_that_fail_in_python_are_unknown_values(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(read_code(f"{KERAS}model.add(Dense(3))\n{text}").network) == 1
    assert not caplog.records


def test_an_error_that_nobody_expected_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        raise LookupError(text)

    monkeypatch.setattr("cnnstudio.interchange.reading.read_keras", fail)
    with pytest.raises(CodeError, match="cannot be read: it is unlike any listing of a network"):
        read_code(KERAS)


def test_reading_ends_when_it_has_taken_too_much_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnstudio.interchange.effort.MAXIMUM_SECONDS", -1)
    with pytest.raises(CodeError, match="too complex"):
        read_code(KERAS + "model.add(Dense(3))\n" * 100)


@pytest.mark.parametrize("call", ["nn.ReLU(1, 2, 3)", "F.pad(x, 1, 2, 3, 4)", "F.pad(x)"])
def test_a_call_with_other_arguments_than_it_has_is_one_sentence(call: str) -> None:
    head = (
        "import torch.nn as nn, torch.nn.functional as F\nclass Net(nn.Module):\n    def forward(self, x):\n"
    )
    code = f"{head}        return {call}{'(x + x)' if call.startswith('nn') else ''}\n"
    with pytest.raises(CodeError, match=r"a call in the code cannot|none of the layers"):
        read_code(code)


def test_an_endless_loop_is_one_iteration_and_a_huge_count_is_reported() -> None:
    assert len(read_code(KERAS + "while True:\n    model.add(Dense(3))").network) == 1
    found = read_code(KERAS + "for _ in range(10**12):\n    model.add(Dense(3))")
    assert any("one of 1,000,000,000,000 copies" in note.text for note in found.notes)


def test_the_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch = "open('touched', 'w').write('x')"
    text = f"""
import os, subprocess, keras
os.system("touch touched")
subprocess.run(["touch", "touched"])
eval("{touch}")
exec("{touch}")
__import__("pathlib").Path("touched").touch()
{touch}
class Evil(keras.layers.Layer):
    def __init__(self): {touch}
    def __del__(self): {touch}
[{touch} for _ in range(3)]
f"{{{touch}}}"
(lambda: {touch})()
model = keras.Sequential([keras.layers.Dense(3)])
"""
    assert len(read_code(text).network) == 1
    assert list(tmp_path.iterdir()) == []
