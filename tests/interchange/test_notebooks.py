"""Notebooks: the code of their cells, in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import MAXIMUM_CHARACTERS
from cnnstudio.interchange.notebooks import MAXIMUM_BYTES, code_of_notebook, place_in_notebook
from cnnstudio.interchange.reading import read_code
from cnnstudio.interchange.source import read_text
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten

NETWORK = "m = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(3)])"


def cell(source: str | list[str], kind: str = "code", **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": source, "metadata": {}, **more}


def notebook(*cells: dict[str, Any]) -> str:
    return json.dumps({"cells": list(cells), "nbformat": 4, "metadata": {}})


def test_code_cells_are_read_in_order_and_other_cells_and_outputs_are_not() -> None:
    text = notebook(
        cell("# A title = wrong", "markdown"),
        cell(["import keras\n", "from keras.layers import *"], outputs=[{"text": "m = keras.Sequential()"}]),
        cell("raw text", "raw"),
        cell(NETWORK),
    )
    found = read_code(code_of_notebook(text))
    assert [node.layer for node in found.network.nodes] == [Flatten(), Dense(3)]
    assert found.notes == ()


@pytest.mark.parametrize(
    "command",
    [
        "%matplotlib inline",
        "!pip install keras",
        "!wget --no-check-certificate \\\n    https://example.org/data.zip \\\n    -O data.zip",
        "%%time",
        "files = !ls",
        "keras.layers.Dense?",
        "!{sys.executable} -m pip install keras",
    ],
)
def test_magics_and_shell_commands_are_skipped(command: str) -> None:
    text = notebook(cell(f"{command}\nimport keras\nfrom keras.layers import *"), cell(NETWORK))
    found = read_code(code_of_notebook(text))
    assert len(found.network.nodes) == 2
    assert found.notes == ()


def test_cells_of_another_language_are_skipped() -> None:
    text = notebook(
        cell("%%bash\nls | grep (("),
        cell(f"%%writefile net.py\nimport keras\n{NETWORK}"),
        cell("%%html\n<b>"),
    )
    assert len(read_code(code_of_notebook(text)).network.nodes) == 2


def test_a_cell_that_is_not_python_is_named_and_the_others_are_read() -> None:
    text = notebook(cell("import keras"), cell("for each in ___:\n  fill in"), cell(NETWORK))
    code = code_of_notebook(text)
    (note,) = read_code(code).notes
    assert note.text == "this cell is not Python and is skipped"
    assert place_in_notebook(code, note.line) == "cell 2, line 1"


def test_notes_lead_to_the_cell() -> None:
    code = code_of_notebook(
        notebook(cell("import keras"), cell("\nx = 1\nm = keras.Sequential()\nm.add(Q(1))"))
    )
    assert place_in_notebook(code, code.split("\n").index("m.add(Q(1))") + 1) == "cell 2, line 4"
    assert place_in_notebook("import keras\n", 1) == "line 1"


def test_strings_that_begin_like_a_command_stay() -> None:
    source = f'import keras\ntext = """\n!important\n%done\n""" % ()\n{NETWORK}'
    assert "!important" in code_of_notebook(notebook(cell(source)))


def test_notebooks_of_version_3_are_read() -> None:
    sheets = [{"cells": [{"cell_type": "code", "input": ["import keras\n", NETWORK]}]}]
    code = code_of_notebook(json.dumps({"worksheets": sheets, "nbformat": 3}))
    assert len(read_code(code).network.nodes) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "it has no cells"),
        ('{"cells": 3}', "it has no cells"),
        ('{"worksheets": [3]}', "it has no cells"),
        ('{"cells": [3, {"cell_type": "markdown"}]}', "no code cells"),
    ],
)
def test_what_is_no_notebook_is_refused(text: str, message: str) -> None:
    with pytest.raises(CodeError, match=message):
        code_of_notebook(text)


def test_the_limit_is_on_the_code_and_not_on_the_outputs(tmp_path: Path) -> None:
    path = tmp_path / "net.ipynb"
    outputs = [{"data": {"image/png": "A" * 5 * MAXIMUM_CHARACTERS}}]
    path.write_text(notebook(cell("import keras", outputs=outputs), cell(NETWORK)))
    assert len(read_code(read_text(path)).network.nodes) == 2
    path.write_text(notebook(cell("x = 1\n" * MAXIMUM_CHARACTERS)))
    with pytest.raises(CodeError, match="the code is longer than"):
        read_code(read_text(path))
    path.write_text(notebook(cell("x=1\n" * 150_000), cell("x=1\n" * 90_000)))
    with pytest.raises(CodeError, match="more than 250,000 words and signs"):
        read_code(read_text(path))


def test_a_notebook_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.ipynb"
    with path.open("wb") as file:
        file.truncate(MAXIMUM_BYTES + 1)
    with pytest.raises(CodeError, match="the notebook is larger than"):
        read_text(path)


def test_only_outputs_are_cut_out_before_the_notebook_is_taken_apart() -> None:
    code = 'import keras\nfrom keras.layers import *\nx = {"outputs": [Dense(9)]}\n' + NETWORK
    outputs = [{"data": {"image/png": ']} \\" [' * 9, "nested": [[], {"outputs": [1, [2]]}]}}]
    text = notebook(cell(code, outputs=outputs, attachments={"a.png": {}}), cell("y = 1"))
    assert [node.layer for node in read_code(code_of_notebook(text)).network.nodes] == [Flatten(), Dense(3)]
    assert code_of_notebook(text).count("# %% cell") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"cells": [{"cell_type": "code", "outputs": [' + "[]," * 600_000 + "1]}]}",
            "outputs .* too complex",
        ),
        ('{"cells": [], "x": [' + "[]," * 3_000_000 + "1]}", "characters besides its outputs"),
        ('{"cells": [{"outputs": [[', "not valid JSON"),
        ('{"cells": [{"outputs": ["' + "x" * 100_000, "not valid JSON"),
    ],
    ids=["outputs", "rest", "open", "string"],
)
def test_a_notebook_that_would_take_much_memory_is_refused(text: str, message: str) -> None:
    with pytest.raises(CodeError, match=message):
        code_of_notebook(text)


def test_of_several_networks_in_a_notebook_all_others_are_named() -> None:
    """Also those that are made by hand, and of which none contains another."""
    classes = "".join(
        f"class {name}(nn.Module):\n  def __init__(self):\n    super().__init__()\n"
        f"    self.d = nn.Sequential(nn.Flatten(), {', '.join(['nn.Linear(12, 12)'] * depth)})\n"
        "  def forward(self, x):\n    return self.d(x)\n"
        for name, depth in (("Small", 1), ("Deep", 2), ("Deeper", 3))
    )
    text = code_of_notebook(
        notebook(
            cell(f"import torch\nfrom torch import nn\n{classes}"),
            cell("small = Small()\nsgd = torch.optim.SGD(small.parameters())"),
            cell("deep, unused = Deep(), Deeper()\nsgd = torch.optim.SGD(deep.parameters())"),
        )
    )
    found = read_code(text)
    assert found.networks == ("deep", "small", "unused")
    named = [note.text for note in found.notes if "another network" in note.text]
    assert [text.split()[0] for text in named] == ["small", "unused"]
    assert [place_in_notebook(text, note.line) for note in found.notes if note.text in named] == [
        "cell 2, line 1",
        "cell 3, line 1",
    ]
    assert len(read_code(text, "unused").network.nodes) == 4
