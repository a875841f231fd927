"""The PyTorch code of a design is the same network as the one that is trained."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from PIL import Image
from safetensors.torch import save_file

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import IdGenerator, Network, Node
from cnnstudio.design.templates import Template, template, templates
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.pytorch.writer import layer_code, write_module
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.training.model import build_model
from tests.interchange.networks import networks


def run_module(source: str) -> dict[str, Any]:
    """The names defined by the file."""
    module = ModuleType("written")
    exec(compile(source, "written.py", "exec"), module.__dict__)
    return vars(module)


def assert_same_network(network: Network) -> None:
    """The generated class loads all of the model's weights and gives the same output."""
    torch.manual_seed(0)
    model = build_model(network).eval()
    written = run_module(write_module(network, "Written"))["Written"]()
    written.load_state_dict(model.state_dict(), strict=True)
    images = torch.randn(2, *network.input.dims)
    with torch.no_grad():
        torch.testing.assert_close(written.eval()(images), model(images))


@pytest.mark.parametrize("each", templates().values(), ids=lambda each: each.name)
def test_the_file_of_a_template_gives_the_same_output(each: Template) -> None:
    assert_same_network(each.network)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_the_file_of_any_network_gives_the_same_output(network: Network) -> None:
    assert_same_network(network)


@settings(max_examples=40, deadline=None)
@given(networks())
def test_every_enabled_layer_has_lines(network: Network) -> None:
    shown = {node_id for node_id, _ in layer_code(network)}
    model_nodes = {name.split(".")[0] for name, _ in build_model(network).named_children()}
    assert {node.id for node in network.nodes if node.id in model_nodes} <= shown


def test_the_lines_look_like_ordinary_pytorch_code() -> None:
    lines = [line for _, line in layer_code(template("lesson-32").network)]
    assert lines == [
        "nn.Conv2d(3, 32, kernel_size=3),",
        "nn.ReLU(),",
        "nn.MaxPool2d(2),",
        "nn.Conv2d(32, 64, kernel_size=3),",
        "nn.ReLU(),",
        "nn.MaxPool2d(2),",
        "nn.Flatten(),",
        "nn.Linear(2304, 128),",
        "nn.ReLU(),",
        "nn.Linear(128, 10),",
    ]


def test_equal_copies_are_written_once() -> None:
    ids = IdGenerator()
    body = ids.node(Conv2D(8, padding="same"))
    many = Network(Shape.of(8, 8, 8), (Node("repeat_1", Repeat(1000), children=(body,)), ids.node(Flatten())))
    assert [line for _, line in layer_code(many)] == [
        "nn.Sequential(*[nn.Sequential(",
        "    nn.Conv2d(8, 8, kernel_size=3, padding=1),",
        ") for _ in range(1000)]),",
        "nn.Flatten(),",
    ]


def test_different_copies_are_written_up_to_the_first_that_keeps_its_shape() -> None:
    ids = IdGenerator()
    body = ids.node(Conv2D(8, padding="same"))
    network = Network(Shape.of(3, 8, 8), (Node("repeat_1", Repeat(3), children=(body,)), ids.node(Flatten())))
    code = "\n".join(line for _, line in layer_code(network))
    assert code.count("nn.Conv2d(3, 8,") == 1
    assert code.count("nn.Conv2d(8, 8,") == 1
    assert "range(2)" in code
    assert_same_network(network)


def test_a_layer_with_an_error_is_a_comment_and_the_rest_is_code() -> None:
    ids = IdGenerator()
    layers = (Conv2D(64, activation="relu"), MaxPooling2D(), Dense(128), Dense(10))
    network = Network(Shape.of(3, 32, 32), tuple(map(ids.node, layers)))
    problem = "Dense takes a flat vector, but gets 64 × 15 × 15 from MaxPooling2D: insert Flatten before it"
    assert layer_code(network, analyze(network))[3:] == [
        ("dense_1", f"# {problem}"),
        ("dense_2", "nn.Linear(128, 10),"),
    ]


def test_branches_that_cannot_be_joined_are_a_list_after_the_problem() -> None:
    ids = IdGenerator()
    branches = (ids.node(Conv2D(4, padding="same")), ids.node(Conv2D(4)))
    network = Network(Shape.of(3, 8, 8), (Node("parallel_1", Parallel("add"), children=branches),))
    lines = [line for _, line in layer_code(network)]
    assert lines[0].startswith("# Parallel cannot add the 4 × 8 × 8 of branch 1 and the 4 × 6 × 6 of")
    assert lines[1:] == [
        "[",
        *("    nn.Sequential(", "        nn.Conv2d(3, 4, kernel_size=3, padding=1),", "    ),"),
        *("    nn.Sequential(", "        nn.Conv2d(3, 4, kernel_size=3),", "    ),"),
        "],",
    ]


@pytest.mark.parametrize("mode", ["concat", "add"])
def test_branches_are_joined_in_their_order(mode: str) -> None:
    ids = IdGenerator()
    pair = (ids.node(Conv2D(2, (1, 1))), ids.node(Conv2D(3, padding="same", activation="relu")))
    branches = (ids.node(Conv2D(3, padding="same")), ids.node(Block(), children=pair), ids.node(Block()))
    twice = (Node("parallel_1", Parallel(mode), children=branches),)
    nodes = (Node("repeat_1", Repeat(2), children=twice), ids.node(Flatten()), ids.node(Dense(2)))
    assert_same_network(Network(Shape.of(3, 6, 6), nodes))


def test_branches_are_a_list_of_sequentials() -> None:
    ids = IdGenerator()
    branches = (ids.node(Conv2D(4, (1, 1), activation="relu")), ids.node(Block()))
    network = Network(Shape.of(3, 8, 8), (Node("parallel_1", Parallel(), children=branches),))
    assert [line for _, line in layer_code(network)] == [
        "Parallel([",
        *("    nn.Sequential(", "        nn.Conv2d(3, 4, kernel_size=1),", "        nn.ReLU(),", "    ),"),
        *("    nn.Sequential(", "        nn.Sequential(),", "    ),"),
        "]),",
    ]


def test_one_comment_replaces_what_follows_a_layer_without_an_output() -> None:
    ids = IdGenerator()
    layers = (Conv2D(4, kernel_size=(99, 99)), Conv2D(4), Flatten(), Dense(10))
    lines = layer_code(Network(Shape.of(3, 32, 32), tuple(map(ids.node, layers))))
    assert [line[:2] for _, line in lines] == ["# ", "# "]
    assert lines[0][1].startswith("# Conv2D needs an image of at least 99 × 99")


def test_a_network_with_problems_is_not_written_as_a_file() -> None:
    ids = IdGenerator()
    network = Network(Shape.of(3, 32, 32), (ids.node(Conv2D(4)), ids.node(Dense(10))))
    with pytest.raises(CodeError, match="insert Flatten before it"):
        write_module(network)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Lesson CNN", "LessonCNN"),
        ("", "Network"),
        ("1st try", "Network1stTry"),
        ("None", "Network"),
        ("Residual", "ResidualNetwork"),
        ("CLASSES", "CLASSESNetwork"),
        ('"""\n\\import os\0', "ImportOs"),
        ("Netz ü \ud800", "Netz"),
    ],
)
def test_any_design_name_gives_a_file_that_runs(name: str, expected: str) -> None:
    ids = IdGenerator()
    inner = ids.node(Conv2D(3, padding="same"))
    nodes = (ids.node(Residual(), children=(inner,)), ids.node(Flatten()), ids.node(Dense(2)))
    names = run_module(write_module(Network(Shape.of(3, 4, 4), nodes, name), classes=["'\"\n", "b"]))
    assert names[expected]()(torch.zeros(1, 3, 4, 4)).shape == (1, 2)
    assert names["CLASSES"] == ("'\"\n", "b")


def test_the_standalone_file_loads_the_weights_and_classifies_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = template("lesson-32").network
    model = build_model(network).eval()
    with torch.no_grad():
        model.get_submodule("dense_2").bias[7] += 100.0  # type: ignore[index]  # torch's types do not know that this is a parameter
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    Image.new("L", (50, 40), 128).save(tmp_path / "gray.png")
    source = write_module(
        network, weights_file="model.safetensors", classes=list("abcdefghij"), mean=[0.5] * 3, std=[0.25] * 3
    )
    (tmp_path / "model.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-I", str(tmp_path / "model.py"), str(tmp_path / "gray.png")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.stderr == ""
    assert done.stdout.startswith(f"{tmp_path / 'gray.png'}: h 100.0%\n")
    # In this process: another one would mostly import torch.
    for name, reason in (("gone.png", "No such file or directory"), ("model.py", "it is not an image")):
        monkeypatch.setattr(sys, "argv", [str(tmp_path / "model.py"), str(tmp_path / name)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(tmp_path / "model.py"), run_name="__main__")
        assert str(ended.value) == f"Cannot read {tmp_path / name}: {reason}."


def test_images_are_normalized_as_in_training() -> None:
    source = write_module(template("lesson-32").network, mean=[0.5, 0.25, 0.0], std=[0.5, 0.25, 2.0])
    names = run_module(source)
    pixels = torch.tensor([1.0, 0.5, 1.0]).view(1, 3, 1, 1)
    assert names["normalize"](pixels).flatten().tolist() == [1.0, 1.0, 0.5]


def test_without_weights_the_file_prints_its_input_and_output_shape(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = run_module(write_module(template("lenet-5").network))
    names["sys"].argv, before = ["model.py"], names["sys"].argv
    try:
        names["main"]()
    finally:
        names["sys"].argv = before
    assert capsys.readouterr().out == "Input: (3, 32, 32) Output: (10,)\n"
