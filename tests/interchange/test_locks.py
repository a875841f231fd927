"""Locked layers in code, in both directions."""

from __future__ import annotations

import pytest

from cnnstudio.design import edits
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.design.small_images import fit_input
from cnnstudio.design.templates import template
from cnnstudio.interchange.keras.reader import read_keras
from cnnstudio.interchange.keras.writer import write_model
from cnnstudio.interchange.pytorch.reader import read_pytorch
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.interchange.source import ImportedDesign
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.convolutional.separable_conv2d import SeparableConv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization


def _network() -> Network:
    """Each kind of layer with weights, in sequence, in a Repeat and in a Residual with a projection."""
    ids = IdGenerator()
    same = Conv2D(4, padding="same")
    nodes = (
        *(ids.node(Conv2D(4, (3, 3), activation="relu")), ids.node(BatchNormalization())),
        ids.node(SeparableConv2D(4)),
        ids.node(Repeat(times=2), children=(ids.node(same), ids.node(BatchNormalization()))),
        ids.node(Residual("projection"), children=(ids.node(Conv2D(6, padding="same")),)),
        *(
            ids.node(Flatten()),
            ids.node(Dense(8, activation="relu")),
            ids.node(Dense(3, activation="softmax")),
        ),
    )
    return Network(Shape.of(3, 12, 12), nodes)


def _there_and_back(language: str, network: Network) -> ImportedDesign:
    if language == "keras":
        return read_keras(write_model(network))
    return read_pytorch(write_module(network))


LOCKED = [
    (),
    ("conv2d_1",),
    ("batch_normalization_1", "separable_conv2d_1", "dense_1"),
    ("repeat_1",),
    ("residual_1",),
    ("conv2d_1", "batch_normalization_1", "separable_conv2d_1", "repeat_1", "residual_1"),
    ("conv2d_2",),
]


@pytest.mark.parametrize("ids", LOCKED, ids=lambda ids: ", ".join(ids) or "none")
@pytest.mark.parametrize("language", ["keras", "pytorch"])
def test_locks_survive_code(language: str, ids: tuple[str, ...]) -> None:
    network = edits.set_trainable(_network(), ids, False)
    imported = _there_and_back(language, network)
    assert not imported.notes

    def locks(value: Network) -> list[tuple[str, bool]]:
        return [(node.layer.type_name(), node.trainable) for node in value.walk()]

    assert locks(imported.network) == locks(network)


@pytest.mark.parametrize("language", ["keras", "pytorch"])
@pytest.mark.parametrize("side", [32, 160])
def test_the_pretrained_template_survives_code(language: str, side: int) -> None:
    network = fit_input(template("efficientnet-lite0").network, Shape.of(3, side, side))
    imported = _there_and_back(language, network)
    assert imported.network.input == network.input
    assert imported.network.nodes[0].layer == network.nodes[0].layer
    assert imported.network.locked_ids == network.locked_ids
    assert [node.trainable for node in imported.network.nodes] == [node.trainable for node in network.nodes]


def test_a_locked_projection_is_locked_in_the_code() -> None:
    network = edits.set_trainable(_network(), ["residual_1"], False)
    assert "trainable=False)(shortcut)" in write_model(network)
    lines = [line.strip() for line in write_module(network).splitlines()]
    (end,) = [line for line in lines if "nn.BatchNorm2d(6))" in line]
    assert end.endswith(".requires_grad_(False)),")


def test_modules_locked_after_they_were_made_are_locked() -> None:
    text = (
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "  def __init__(self):\n    super().__init__()\n"
        "    self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))\n"
        "    self.head = nn.Linear(64, 2)\n"
        "    self.features.requires_grad_(False)\n"
        "    self.head.requires_grad_(False)\n"
        "    self.head.requires_grad_()\n"
        "  def forward(self, x):\n    return self.head(self.features(x).flatten(1))\n"
        "net = Net()\nx = torch.zeros(1, 3, 8, 8)\nnet(x)\n"
    )
    design = read_pytorch(text).network
    locked = {node.layer.type_name() for node in design.walk() if node.id in design.locked_ids}
    assert "Conv2D" in locked
    assert "Dense" not in locked


NET = """
import torch
from torch import nn, optim
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.classifier = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2))
    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))
model = Net()
{}
model(torch.zeros(1, 3, 8, 8))
"""
FEATURES = ["Conv2D", "BatchNormalization", "Conv2D"]


@pytest.mark.parametrize(
    ("statements", "locked"),
    [
        ("for p in model.parameters(): p.requires_grad = False", [*FEATURES, "Dense", "Dense"]),
        ("for p in model.features.parameters():\n    p.requires_grad_(False)", FEATURES),
        ("for p in model.features.parameters(): p.requires_grad_(requires_grad=False)", FEATURES),
        (
            "for name, p in model.named_parameters():\n    p.requires_grad = False\n"
            "for p in model.classifier[2].parameters():\n    p.requires_grad = True",
            [*FEATURES, "Dense"],
        ),
        (
            "for n, p in model.named_parameters():\n    if 'classifier' not in n: p.requires_grad = False",
            FEATURES,
        ),
        (
            "for name, p in model.named_parameters():\n    p.requires_grad = name.startswith('classifier.2')",
            [*FEATURES, "Dense"],
        ),
        ("for p in list(model.parameters())[:-4]: p.requires_grad = False", FEATURES),
        ("for i, p in enumerate(model.parameters()):\n    if i < 3: p.requires_grad = False", FEATURES[:2]),
        (
            "for m in (model.features, model.classifier[0]):\n"
            "    for p in m.parameters(): p.requires_grad_(False)",
            [*FEATURES, "Dense"],
        ),
        ("model.features[0].weight.requires_grad = False", ["Conv2D"]),
        (
            "def freeze(net, only):\n  if only:\n    for p in net.parameters(): p.requires_grad = False\n"
            "freeze(model.features, True)",
            FEATURES,
        ),
        ("model.requires_grad_(False)\nmodel.classifier.requires_grad_(True)", FEATURES),
        ("optimizer = optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1)", []),
    ],
)
def test_parameters_locked_one_by_one_lock_their_layers(statements: str, locked: list[str]) -> None:
    imported = read_pytorch(NET.replace("{}", statements))
    design = imported.network
    found = [node.layer for node in design.walk() if node.id in design.locked_ids]
    with_weights = [each for each in found if isinstance(each, Conv2D | BatchNormalization | Dense)]
    assert [each.type_name() for each in with_weights] == locked
    assert not imported.notes


@pytest.mark.parametrize(
    "statements",
    [
        "for name, p in model.named_parameters():\n    if name in wanted: p.requires_grad = False",
        "for p in model.parameters(): p.requires_grad = flag",
        "for p in unknown.parameters(): p.requires_grad = False",
        "if flag:\n    model.features.requires_grad_(False)",
        "model.features.requires_grad_(flag)",
    ],
)
def test_locks_that_depend_on_what_is_not_known_are_said(statements: str) -> None:
    text = NET.replace(
        "model = Net()",
        "import sys\nfrom elsewhere import unknown, wanted\nflag = len(sys.argv) > 1\nmodel = Net()",
    ).replace("{}", statements)
    imported = read_pytorch(text)
    assert not imported.network.locked_ids
    assert [
        each for each in imported.notes if "which layers this locks is only known at run time" in str(each)
    ]


def test_a_layer_of_which_only_a_part_is_locked_learns_and_is_named() -> None:
    imported = read_pytorch(
        NET.replace(
            "{}",
            "for name, p in model.named_parameters():\n    if name.endswith('bias'): p.requires_grad = False",
        )
    )
    assert not imported.network.locked_ids
    assert sum("only a part of" in str(each) for each in imported.notes) == 3
