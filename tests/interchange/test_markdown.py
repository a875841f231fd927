"""Markdown pages and pasted answers: the code of their blocks, with the lines of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.markdown import MAXIMUM_BLOCKS, code_of_markdown
from cnnstudio.interchange.reading import read_code
from cnnstudio.interchange.source import CODE_SUFFIXES, read_text
from cnnstudio.layers.base import Layer
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D

LAST = "m = keras.Sequential([Flatten(input_shape=(4, 4, 3)), Dense(3)])"
KERAS = f"import keras\nfrom keras.layers import *\n{LAST}"


def layers(text: str) -> list[Layer]:
    return [node.layer for node in read_code(text).network.nodes]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("```python", "```"),
        ("~~~ py", "~~~"),
        ("```{.python .input}", "```"),
        ("```", "```"),
        ("````Python title=net.py", "````"),
        ("```python", ""),
    ],
)
def test_blocks_of_python_are_read(opening: str, closing: str) -> None:
    page = f"# A network\n\nIt's *small*:\n\n{opening}\n{KERAS}\n{closing}\n"
    assert layers(page) == [Flatten(), Dense(3)]


def test_blocks_belong_together_and_others_are_left_out() -> None:
    first, last = KERAS.rsplit("\n", 1)
    page = (
        f"Install it:\n```bash\npip install keras\n```\nThen\n```python\n{first}\n```\nand\n"
        f"1. build\n   ```python\n   {last}\n   ```\n```json\n[1, {{}}]\n```\nDone.\n"
    )
    assert layers(page) == [Flatten(), Dense(3)]
    assert read_code(page).notes == ()


def test_notes_name_the_lines_of_the_page() -> None:
    page = f"Title\n\n```python\nthis is ___ not\n```\n\n```python\n{KERAS}\nm.add(Strange(1))\n```\n"
    notes = [(note.line, note.text) for note in read_code(page).notes]
    assert notes[0] == (4, "this block is not Python and is skipped")
    assert notes[1][0] == 11
    assert "Strange" in notes[1][1]


def test_prompts_of_the_interpreter_are_no_code() -> None:
    page = "```python\n" + "\n".join(f">>> {line}" for line in KERAS.split("\n")) + "\n<Sequential>\n```\n"
    assert layers(page) == [Flatten(), Dense(3)]


TABS = """
# LeNet
```{.python .input}
%load_ext d2lbook.tab
tab.interact_select(['mxnet', 'pytorch', 'tensorflow'])
```
```{.python .input}
%%tab mxnet
from mxnet.gluon import nn
```
```{.python .input}
%%tab pytorch
from torch import nn
```
```{.python .input}
%%tab tensorflow
import tensorflow as tf
```
```{.python .input}
%%tab pytorch, mxnet, tensorflow
class Net(d2l.Classifier):
    def __init__(self, filters=4):
        super().__init__()
        if tab.selected('mxnet'):
            self.net = nn.HybridSequential()
        if tab.selected('pytorch'):
            self.net = nn.Sequential(nn.Conv2d(1, filters, 3), nn.Flatten(), nn.Linear(filters * 36, 5))
        if tab.selected('tensorflow'):
            self.net = tf.keras.models.Sequential([tf.keras.layers.Dense(1)])
```
```{.python .input}
%%tab mxnet, tensorflow
model = Net(filters=99)
```
```{.python .input}
%%tab pytorch
model = Net(filters=6)
model.net(torch.randn(1, 1, 8, 8))
```
"""


def test_of_a_page_for_several_libraries_one_is_read() -> None:
    found = read_code(TABS)
    assert [node.layer for node in found.network.nodes] == [Conv2D(6), Flatten(), Dense(5)]
    assert found.notes == ()
    others = TABS.replace("pytorch", "jax").replace("from torch", "from flax").replace("nn.Conv2d", "nn.Conv")
    keras = others.replace("layers.Dense(1)", "layers.Dense(1, input_shape=(4, 4, 1))")
    found = read_code(keras)
    assert found.language == "keras"
    assert [node.layer for node in found.network.nodes][-1] == Dense(1)


def test_text_without_code_is_refused_in_one_sentence() -> None:
    with pytest.raises(CodeError, match="this is a text without a block of Python code"):
        read_code("# Title\n\nOnly words.\n```bash\nls\n```\n")
    assert code_of_markdown("Only words.") == ""


def test_python_with_a_page_in_a_string_stays_what_it_is() -> None:
    assert layers(f'"""Usage:\n```\nimport net\n```\n"""\n{KERAS}') == [Flatten(), Dense(3)]


def test_markdown_files_are_listings(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"Net\n```python\n{KERAS}\n```\n", encoding="utf-8")
    assert page.suffix in CODE_SUFFIXES
    assert layers(read_text(page)) == [Flatten(), Dense(3)]


def test_a_page_of_countless_blocks_is_refused_before_they_are_parsed() -> None:
    page = "Title:\n" + "```\nx = 1\n```\n" * (MAXIMUM_BLOCKS + 1)
    with pytest.raises(CodeError, match="more than 1,000 blocks"):
        read_code(page)
