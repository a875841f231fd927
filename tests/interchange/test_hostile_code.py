"""Text that is no listing, or that means harm: one sentence, nothing run, nothing huge made."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.reading import read_code

KERAS = "from keras.layers import *\nmodel = Sequential()\n"
TORCH = "import torch.nn as nn\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no code in it"),
        ("print('hello')", "neither Keras nor PyTorch"),
        ("x = 1\nthis is no Python", "line 2: this is not Python"),
        ("model\0", "not Python"),
        ("'\ud800'", "not Python"),
        ("model = Sequential()\n" * 500_000, "longer than 1,000,000 characters"),
        ("x = " + "(" * 10_000 + ")" * 10_000, "nested parentheses"),
        ("x = " + "-" * 100_000 + "1", "too deep"),
        ("x = 1" + "+1" * 100_000, "too deep"),
        ("import keras\nx = keras" + ".a" * 900, "too deep"),
        (TORCH + "def f(x): return f(x)\nf(1)", "too deep"),
        (KERAS + "for i in range(10**12):\n    model.add(Dense(i + 1))", "more than 20,000 layers"),
        (KERAS + "model.add(Dense(1))\n" * 20_100, "more than 20,000 layers"),
        (TORCH + "a = nn.Sequential(nn.ReLU())\n" + "a = nn.Sequential(a, a)\n" * 60, "more than 20,000"),
        (TORCH + "a = [nn.ReLU()]\n" + "a.extend(a)\n" * 60, "too much"),
        (TORCH + "m = nn.Sequential(*[nn.Linear(3, i) for i in range(10**9)])", "too much"),
        (TORCH + "a = []\na.append(a)\nb = a == [a]", "no PyTorch network"),
        (KERAS, "no Keras model with layers"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_it_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(CodeError) as error:
        read_code(text)
    assert sentence in str(error.value)
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
def test_numbers_too_large_to_make_are_not_made(number: str) -> None:
    found = read_code(f"{KERAS}n = {number}\nmodel.add(Dense(n))")
    assert [note.line for note in found.notes if "only the running program" in note.text] == [4]


def test_a_loop_without_end_is_one_round_and_a_huge_count_is_named() -> None:
    assert len(read_code(KERAS + "while True:\n    model.add(Dense(3))").network) == 1
    found = read_code(KERAS + "for _ in range(10**12):\n    model.add(Dense(3))")
    assert any("1,000,000,000,000 copies" in note.text for note in found.notes)


def test_nothing_of_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
