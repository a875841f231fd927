"""PyTorch code by other people, read as a design."""

from __future__ import annotations

from typing import Any

import pytest

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.interchange.pytorch.reader import read_pytorch
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.basic.zero_padding2d import ZeroPadding2D
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.interchange.test_round_trips import layers_in

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"

TUTORIAL = (
    HEAD
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        x = F.relu(self.fc1(x))
        return self.fc2(x)

net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
for epoch in range(2):
    for images, labels in loader:
        optimizer.step()
"""
)


def sequential(*modules: str) -> str:
    return f"{HEAD}model = nn.Sequential({', '.join(modules)})\n"


def found(text: str) -> list[Any]:
    return layers_in(read_pytorch(text).network.nodes)


def plain(text: str) -> list[Any]:
    return [layer for layer, _ in found(text)]


def test_a_module_with_a_simple_forward() -> None:
    imported = read_pytorch(TUTORIAL)
    assert [node.layer for node in imported.network.nodes] == [
        Conv2D(6, (5, 5), activation="relu"),
        MaxPooling2D(strides=(2, 2)),
        Conv2D(16, (5, 5), activation="relu"),
        MaxPooling2D(strides=(2, 2)),
        Flatten(),
        Dense(120, activation="relu"),
        Dense(10),
    ]
    assert imported.network.name == "Net"
    assert analyze(imported.network).problems == ()


def test_training_settings_become_a_recipe() -> None:
    assert read_pytorch(TUTORIAL).recipe == {
        "optimizer": "sgd",
        "learning_rate": 0.001,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "batch_size": 4,
        "epochs": 2,
    }


def test_the_input_shape_is_inferred_from_the_first_linear_and_reported() -> None:
    imported = read_pytorch(sequential("nn.Conv2d(1, 8, 3)", "nn.Flatten()", "nn.Linear(8 * 26 * 26, 10)"))
    assert imported.network.input == Shape.of(1, 28, 28)
    assert "does not specify the input shape" in imported.notes[0].text


@pytest.mark.parametrize(
    "line",
    [
        "INPUT = (1, 20, 30)",
        "input_shape = (20, 30, 1)",
        "# input: 1 x 20 x 30",
        "x = torch.randn(8, 1, 20, 30)",
    ],
)
def test_the_code_may_specify_the_input_shape(line: str) -> None:
    imported = read_pytorch(sequential("nn.Conv2d(1, 8, 3)") + line)
    assert imported.network.input == Shape.of(1, 20, 30)
    assert imported.notes == ()


def test_padding_unlike_keras_becomes_zero_padding() -> None:
    layers = plain(sequential("nn.Conv2d(3, 8, 3, stride=2, padding=1)", "nn.ReLU(inplace=True)"))
    assert layers == [ZeroPadding2D(1), Conv2D(8, strides=(2, 2), activation="relu")]
    assert plain(sequential("nn.Conv2d(3, 8, 3, padding=1)")) == [Conv2D(8, padding="same")]
    assert plain(sequential("nn.Conv2d(3, 8, 5, padding='same')")) == [Conv2D(8, (5, 5), padding="same")]


@pytest.mark.parametrize(
    "comment",
    ["thus 3,2,1 layers are used with input size 56 * 56", "5, 6, 7 are images", "3 x 2 x 1 images a block"],
)
def test_numbers_about_something_else_are_no_input_shape(comment: str) -> None:
    found = read_pytorch(sequential("nn.Conv2d(3, 8, 1)") + f"# {comment}")
    assert found.network.input == Shape.of(3, 32, 32)


def test_adaptive_pooling_becomes_the_equivalent_for_the_input_shape() -> None:
    assert plain(sequential("nn.AdaptiveAvgPool2d(1)", "nn.Flatten()")) == [GlobalAveragePooling2D()]
    assert plain(sequential("nn.AdaptiveAvgPool2d((4, 8))")) == [AveragePooling2D((8, 4))]


def test_a_residual_block_is_recognized() -> None:
    text = (
        HEAD
        + """
class Block(nn.Module):
    def __init__(self, a, b, stride=1):
        super(Block, self).__init__()
        self.conv = nn.Conv2d(a, b, 1, stride=stride)
        self.shortcut = nn.Sequential()
        if stride != 1 or a != b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride=stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, x):
        out = self.conv(x)
        out += self.shortcut(x)
        return F.relu(out)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = self._make([4, 8])

    def _make(self, widths):
        parts, last = [], 4
        for width in widths:
            parts.append(Block(last, width, 1 if width == last else 2))
            last = width
        return nn.Sequential(*parts)

    def forward(self, x):
        return self.layers(x)

INPUT = (4, 8, 8)
"""
    )
    assert found(text) == [
        (Residual(), [(Conv2D(4, (1, 1)), [])]),
        (Residual("projection"), [(Conv2D(8, (1, 1), strides=(2, 2)), [])]),
    ]


def test_concatenated_branches_are_a_parallel() -> None:
    text = (
        HEAD
        + """
class Fire(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 4, 1)
        self.three = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], dim=1)

INPUT = (3, 8, 8)
"""
    )
    branches = [
        (Conv2D(4, (1, 1), activation="relu"), []),
        (Conv2D(4, padding="same", activation="relu"), []),
    ]
    assert found(text) == [(Parallel("concat"), branches)]


def test_copies_are_a_repeat() -> None:
    body = [(Conv2D(3, padding="same"), [])]
    made = "nn.Conv2d(3, 3, 3, padding=1) for _ in range(1000)"
    assert found(sequential(f"*[{made}]")) == [(Repeat(1000), body)]


def test_an_ordered_dict_gives_the_names() -> None:
    text = HEAD + (
        "from collections import OrderedDict\n"
        "m = nn.Sequential(OrderedDict([('stem', nn.Conv2d(3, 8, 3)), ('act', nn.ReLU())]))"
    )
    (node,) = read_pytorch(text).network.nodes
    assert (node.name, node.layer) == ("stem", Conv2D(8, activation="relu"))


def test_unsupported_code_is_reported_by_line_and_the_rest_imported() -> None:
    text = sequential("nn.Conv2d(3, 8, 3)", "\nnn.LSTM(3, 3)", "\nnn.Softsign()", "\nnn.Linear(9, classes)")
    imported = read_pytorch(text + "INPUT = (3, 8, 8)")
    assert [node.layer.type_name() for node in imported.network.nodes] == ["Conv2D", "Activation", "Dense"]
    assert [(note.line, note.text.split(":")[0]) for note in imported.notes] == [
        (5, "LSTM is not supported and is skipped"),
        (6, "Softsign"),
        (7, "Linear"),
    ]


def test_inconsistent_sizes_are_reported() -> None:
    imported = read_pytorch(sequential("nn.Conv2d(3, 8, 3)", "nn.Conv2d(9, 8, 3)") + "INPUT = (3, 8, 8)")
    assert [note.text for note in imported.notes] == ["Conv2d expects 9 inputs but gets 8"]


@pytest.mark.parametrize(("package", "notes"), [("d2l", 0), ("course", 1)])
def test_a_class_whose_base_is_elsewhere_applies_its_net(package: str, notes: int) -> None:
    text = HEAD + (
        f"from {package} import torch as base\ninput_shape = (3, 8, 8)\n"
        "class Net(base.Classifier):\n    def __init__(self):\n        super().__init__()\n"
        "        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())\n"
        "    def layer_summary(self, shape):\n        x = torch.randn(*shape)\n"
        "model = Net()\n"
    )
    imported = read_pytorch(text)
    assert [node.layer for node in imported.network.nodes] == [Conv2D(4, activation="relu")]
    assert len(imported.notes) == notes


def test_the_first_of_several_results_is_taken_as_it_is_in_the_end() -> None:
    text = (
        "import torch.nn.functional as F\nclass Net(nn.Module):\n  def __init__(self):\n"
        "    super().__init__()\n    self.c = nn.Conv2d(3, 5, 3)\n"
        "  def forward(self, x):\n    x = F.adaptive_avg_pool2d(self.c(x), 1)\n"
        "    x.squeeze_(-1)\n    x.squeeze_(-1)\n    return x, F.softmax(x, 1)\n"
    )
    assert plain(text)[-1] == GlobalAveragePooling2D()
