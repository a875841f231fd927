"""Networks as other programs write them are imported with their weights, and give the same scores."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cnnstudio.design.templates import templates
from cnnstudio.interchange.onnx.operators import arrangement
from cnnstudio.interchange.onnx.reader import read_onnx
from cnnstudio.training.model import build_model
from tests.interchange.onnx.graphs import Graph, ints, layers, notes, same_scores


@pytest.fixture(scope="module")
def by_torch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, written by PyTorch's older exporter for any number of images."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten(), nn.Dropout(), nn.Linear(32, 5)),
    ).eval()
    path = tmp_path_factory.mktemp("torch") / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(1, 3, 8, 8),),
            path,
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )
    return path


def test_pytorchs_older_exporter(by_torch: Path) -> None:
    imported = same_scores(by_torch)
    assert layers(imported.design.network) == [
        *("Conv2D", "MaxPooling2D", "ZeroPadding2D", "Conv2D", "Flatten", "Dense")
    ]
    assert imported.design.network.name == "net"


def test_tensorflows_channels_last(tmp_path: Path) -> None:
    """Transpositions around each layer, biases of their own, a flatten of channels last, a matrix product."""
    graph = Graph(("N", 9, 8, 3), opset=15)
    x = graph.add("Transpose", "image", perm=[0, 3, 1, 2])
    x = graph.conv(x, 3, 6, bias=False, auto_pad="SAME_UPPER", strides=[2, 2], pads=None)
    x = graph.add("Add", x, graph.weights(1, 6, 1, 1))
    x = graph.add("Transpose", graph.add("Relu", x), perm=[0, 2, 3, 1])
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("Mul", x, graph.positive(6))
    x = graph.add("Reshape", x, ints(-1, 24))
    x = graph.add("Add", graph.add("MatMul", x, graph.weights(24, 7)), graph.weights(7))
    x = graph.add("Relu", x)
    x = graph.add("Add", graph.add("MatMul", x, graph.weights(7, 4)), graph.weights(4))
    imported = same_scores(graph.save(tmp_path, graph.add("Softmax", x)))
    network = imported.design.network
    assert network.input.dims == (3, 9, 8)
    assert layers(network) == [*("Conv2D", "MaxPooling2D", "DepthwiseConv2D", "Flatten", "Dense", "Dense")]
    first, last = network.nodes[0].layer, network.nodes[-1].layer
    assert (first.padding, first.activation, first.use_bias) == ("same", "relu", True)
    assert last.activation == "softmax"


def test_a_residual_network(tmp_path: Path) -> None:
    graph = Graph(("N", 3, 16, 16))
    x = graph.add("Relu", graph.norm(graph.conv("image", 3, 4, bias=False, strides=[2, 2]), 4))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = graph.norm(graph.conv(graph.add("Relu", graph.conv(x, 4, 4)), 4, 4, bias=False), 4)
    x = graph.add("Relu", graph.add("Add", y, x))
    y = graph.conv(graph.add("Relu", graph.conv(x, 4, 6, strides=[2, 2])), 6, 6)
    x = graph.add("Relu", graph.add("Add", y, graph.conv(x, 4, 6, 1, strides=[2, 2])))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 6)))
    assert layers(imported.design.network) == [
        *("ZeroPadding2D", "Conv2D", "BatchNormalization", "Activation", "ZeroPadding2D", "MaxPooling2D"),
        ("Residual", ["Conv2D", "Conv2D", "BatchNormalization"]),
        ("Parallel", [("Block", ["ZeroPadding2D", "Conv2D", "Conv2D"]), "Conv2D"]),
        *("Activation", "GlobalAveragePooling2D", "Dense"),
    ]
    assert imported.design.network.nodes[6].layer.activation == "relu"


def test_an_inverted_residual(tmp_path: Path) -> None:
    graph = Graph()
    six = (np.float32(0), np.float32(6))
    x = graph.add("Clip", graph.conv("image", 3, 4), *map(np.asarray, six))
    y = graph.add("Clip", graph.conv(x, 4, 8, 1), *map(np.asarray, six))
    y = graph.add("Clip", graph.conv(y, 8, 8, groups=8), *map(np.asarray, six))
    x = graph.add("Add", x, graph.conv(y, 8, 4, 1))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert layers(imported.design.network)[1] == ("Residual", ["Conv2D", "DepthwiseConv2D", "Conv2D"])


@pytest.mark.parametrize("opset", [7, 11])
def test_a_fire_module_with_a_convolution_as_the_classifier(opset: int, tmp_path: Path) -> None:
    graph = Graph((2, 3, 11, 11), opset=opset)
    x = graph.add("Relu", graph.conv("image", 3, 6, pads=[0, 0, 0, 0]))
    more = {"ceil_mode": 1} if opset > 9 else {}
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], **more)
    x = graph.add("Relu", graph.conv(x, 6, 2, 1))
    branches = [graph.add("Relu", graph.conv(x, 2, 4, size)) for size in (1, 3)]
    x = graph.add("Concat", *branches, axis=1)
    x = graph.add("Dropout", x, ratio=0.5) if opset < 12 else x
    x = graph.add("GlobalAveragePool", graph.add("Relu", graph.conv(x, 8, 5, 1)))
    x = graph.add("Reshape", x, ints(2, 5))
    imported = same_scores(graph.save(tmp_path, graph.add("Softmax", x, axis=1)))
    assert ("Parallel", ["Conv2D", "Conv2D"]) in layers(imported.design.network)


def test_dense_connections(tmp_path: Path) -> None:
    """All that came before is concatenated again at each layer."""
    graph = Graph()
    parts = [graph.conv("image", 3, 4)]
    for _ in range(3):
        x = graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
        parts.append(graph.conv(graph.add("Relu", x), 4 + 2 * (len(parts) - 1), 2))
    x = graph.add("Concat", *parts, axis=1)
    imported = same_scores(graph.save(tmp_path, graph.head(x, 10)))
    types = [each[0] for each in layers(imported.design.network) if isinstance(each, tuple)]
    assert types == ["Parallel"] * 3


def test_squeeze_and_excitation(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 10)
    for hidden in (5, 4):
        # No ratio leads to four hidden units of ten channels: one more has no weights.
        y = graph.conv(graph.add("GlobalAveragePool", x), 10, hidden, 1)
        y = graph.add("Sigmoid", graph.conv(graph.add("Relu", y), hidden, 10, 1))
        x = graph.add("Mul", x, y)
    imported = same_scores(graph.save(tmp_path, graph.head(x, 10)))
    assert layers(imported.design.network)[1:3] == ["SqueezeExcite", "SqueezeExcite"]
    assert "has 4 hidden units; SqueezeExcite has 5, of which 1" in notes(imported)


@pytest.mark.parametrize("form", ["node", "spelled out"])
def test_squeeze_and_excitation_with_a_hard_sigmoid(form: str, tmp_path: Path) -> None:
    """As in MobileNetV3, by PyTorch and by Keras."""
    graph = Graph()
    x = graph.add("HardSwish", graph.conv("image", 3, 16))
    y = graph.conv(graph.add("GlobalAveragePool", x), 16, 4, 1)
    y = graph.conv(graph.add("Relu", y), 4, 16, 1)
    if form == "node":
        y = graph.add("HardSigmoid", y, alpha=1 / 6)
    else:
        y = graph.add("Clip", graph.add("Add", y, np.float32(3)), np.float32(0), np.float32(6))
        y = graph.add("Mul", y, np.float32(1 / 6))
    x = graph.conv(graph.add("Mul", x, y), 16, 4, 1)
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert imported.is_exact
    assert layers(imported.design.network)[1] == "SqueezeExcite"
    assert getattr(imported.design.network.nodes[1].layer, "gate", "") == "hard_sigmoid"


def test_another_slope_of_a_hard_sigmoid_is_said(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("HardSigmoid", graph.conv("image", 3, 4))
    imported = read_onnx(graph.save(tmp_path, graph.head(x, 4)))
    assert "is 0.2 x + 0.5 from 0 to 1; x / 6 + 0.5 is used instead" in notes(imported)
    assert not imported.is_exact


def test_shuffled_and_split_channels(tmp_path: Path) -> None:
    graph = Graph((1, 3, 6, 6))
    x = graph.conv("image", 3, 8)
    for _ in range(2):
        left = graph.add("Split", x, ints(4, 4), outputs=2, axis=1)
        x = graph.add("Concat", left, graph.conv(f"{left}_1", 4, 4, groups=2), axis=1)
        x = graph.add("Reshape", x, ints(1, 2, 4, 6, 6))
        x = graph.add("Reshape", graph.add("Transpose", x, perm=[0, 2, 1, 3, 4]), ints(1, 8, 6, 6))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 8)))
    assert "ChannelShuffle" in layers(imported.design.network)


def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    """The flatten of PyTorch's older exporter: the batch is asked for, and the rest is -1."""
    graph = Graph()
    x = graph.add("Relu", graph.conv("image", 3, 4))
    batch = graph.add("Gather", graph.add("Shape", x), np.array(0, np.int64), axis=0)
    target = graph.add("Concat", graph.add("Unsqueeze", batch, ints(0)), ints(-1), axis=0)
    x = graph.add("Reshape", x, target)
    same_scores(
        graph.save(tmp_path, graph.add("Gemm", x, graph.weights(256, 5), graph.weights(5), alpha=0.5))
    )


def test_padding_cropping_nothing_and_enlarging(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 4, pads=[0, 1, 2, 3], dilations=[2, 1])
    x = graph.add("Pad", x, ints(0, 1, 1, 0, 0, 0, 2, 3), np.asarray(np.float32(0)))
    x = graph.add("Resize", x, "", np.array([1, 1, 2, 3], np.float32), mode="nearest")
    x = graph.add(
        "AveragePool", x, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0], count_include_pad=1
    )
    x = graph.add("Resize", x, "", np.array([1, 1, 2, 2], np.float32), mode="linear")
    imported = same_scores(graph.save(tmp_path, graph.head(x, 5)))
    assert "ChannelPadding" in layers(imported.design.network)


def test_the_padding_of_a_layer_of_its_own_becomes_same(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("Pad", "image", ints(0, 0, 1, 1, 0, 0, 1, 1), np.asarray(np.float32(0)))
    imported = same_scores(graph.save(tmp_path, graph.head(graph.conv(x, 3, 4, pads=[0] * 4), 4)))
    assert layers(imported.design.network)[0] == "Conv2D"
    assert imported.design.network.nodes[0].layer.padding == "same"


def test_normalization_layers(tmp_path: Path) -> None:
    """Groups as PyTorch writes them, channels last by a node of its own, and spelled out."""
    graph = Graph((1, 3, 6, 6))
    x = graph.conv("image", 3, 8)
    y = graph.add("Reshape", x, ints(0, 4, -1))
    y = graph.add("InstanceNormalization", y, np.ones(4, np.float32), np.zeros(4, np.float32), epsilon=1e-4)
    y = graph.add("Reshape", y, ints(1, 8, 6, 6))
    x = graph.add("Add", graph.add("Mul", y, graph.positive(8, 1, 1)), graph.weights(8, 1, 1))
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("LayerNormalization", x, graph.positive(8), graph.weights(8), axis=-1)
    x = graph.add("Add", graph.add("MatMul", x, graph.weights(8, 7)), graph.weights(7))
    mean = graph.add("ReduceMean", x, axes=[-1])
    centered = graph.add("Sub", x, mean)
    variance = graph.add("ReduceMean", graph.add("Pow", centered, np.asarray(np.float32(2))), axes=[-1])
    root = graph.add("Sqrt", graph.add("Add", variance, np.asarray(np.float32(1e-3))))
    x = graph.add("Mul", graph.add("Div", centered, root), graph.positive(7))
    x = graph.add("ReduceMean", x, axes=[1, 2], keepdims=0)
    x = graph.norm(x, 7)
    x = graph.add("MatMul", x, graph.weights(7, 4))
    imported = same_scores(graph.save(tmp_path, x))
    assert layers(imported.design.network) == [
        *("Conv2D", "GroupNormalization", "LayerNormalization", "Conv2D", "LayerNormalization"),
        *("GlobalAveragePooling2D", "BatchNormalization", "Dense"),
    ]


def _hard_swish(graph: Graph, x: str) -> str:
    inner = graph.add(
        "Clip", graph.add("Add", x, np.float32([3])), np.asarray(np.float32(0)), np.asarray(np.float32(6))
    )
    return graph.add("Div", graph.add("Mul", x, inner), np.float32([6]))


def _gelu(graph: Graph, x: str) -> str:
    inner = graph.add("Erf", graph.add("Div", x, np.float32([2**0.5])))
    return graph.add("Mul", graph.add("Mul", x, graph.add("Add", inner, np.float32([1]))), np.float32([0.5]))


SPELLED_OUT = {
    "silu": lambda graph, x: graph.add("Mul", graph.add("Sigmoid", x), x),
    "hard_silu": _hard_swish,
    "gelu": _gelu,
    "mish": lambda graph, x: graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x))),
    "relu6": lambda graph, x: graph.add("Min", graph.add("Relu", x), np.float32([6])),
    "leaky_relu": lambda graph, x: graph.add("Max", x, graph.add("Mul", x, np.float32([0.01]))),
    "elu": lambda graph, x: graph.add("Elu", x),
    "selu": lambda graph, x: graph.add("Selu", x),
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "sigmoid": lambda graph, x: graph.add("Sigmoid", x),
    "softplus": lambda graph, x: graph.add("Softplus", x),
}


@pytest.mark.parametrize("name", SPELLED_OUT)
def test_activations_however_they_are_written(name: str, tmp_path: Path) -> None:
    graph = Graph()
    x = SPELLED_OUT[name](graph, graph.conv("image", 3, 4))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert imported.design.network.nodes[0].layer.activation == name


def test_a_sum_with_its_own_activation_stays_a_sum(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 4)
    x = graph.add("Add", x, graph.add("Tanh", x))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert layers(imported.design.network)[1] == ("Residual", ["Activation"])


def test_constants_that_no_layer_takes_in(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("Relu", graph.conv("image", 3, 4))
    x = graph.add("Add", graph.add("Mul", x, graph.positive(4, 1, 1)), graph.weights(4, 1, 1))
    x = graph.add("Relu", x)
    x = graph.add("Div", x, np.float32([4]))
    x = graph.add("Flatten", graph.add("GlobalMaxPool", x))
    x = graph.add("Sub", np.float32([1]), x)
    imported = same_scores(graph.save(tmp_path, graph.add("MatMul", x, graph.weights(4, 3))))
    assert layers(imported.design.network) == [
        *("Conv2D", "DepthwiseConv2D", "Scale", "GlobalMaxPooling2D", "BatchNormalization", "Dense")
    ]


@pytest.mark.parametrize("range_", [1, 255])
def test_what_the_file_does_to_pixels_becomes_the_normalization(range_: int, tmp_path: Path) -> None:
    graph = Graph()
    mean = np.float32([0.4, 0.5, 0.6]).reshape(1, 3, 1, 1) * range_
    std = np.float32([0.2, 0.25, 0.3]).reshape(1, 3, 1, 1) * range_
    x = graph.add("Div", graph.add("Sub", "image", mean), std)
    imported = same_scores(graph.save(tmp_path, graph.head(graph.conv(x, 3, 4), 4)))
    assert layers(imported.design.network)[0] == "Conv2D"
    np.testing.assert_allclose(imported.normalization, [[0.4, 0.5, 0.6], [0.2, 0.25, 0.3]], rtol=1e-5)


def test_an_input_of_bytes(tmp_path: Path) -> None:
    from onnx import TensorProto

    graph = Graph(("N", 8, 8, 3), kind=TensorProto.UINT8)
    x = graph.add("Transpose", graph.add("Cast", "image", to=1), perm=[0, 3, 1, 2])
    x = graph.add("Sub", graph.add("Div", x, np.float32([127.5])), np.float32([1]))
    imported = same_scores(graph.save(tmp_path, graph.head(graph.conv(x, 3, 4), 4)))
    np.testing.assert_allclose(imported.normalization, [[0.5] * 3, [0.5] * 3], rtol=1e-5)


def test_a_vector_or_a_gray_image_without_channels(tmp_path: Path) -> None:
    graph = Graph(("N", 6, 6))
    x = graph.add("Gemm", graph.add("Flatten", "image"), graph.weights(36, 4), graph.weights(4))
    assert same_scores(graph.save(tmp_path, x)).design.network.input.dims == (1, 6, 6)
    graph = Graph(("N", 108))
    imported = same_scores(graph.save(tmp_path, graph.add("MatMul", "image", graph.weights(108, 4))))
    assert imported.design.network.input.dims == (3, 6, 6)
    assert "a vector of 108 values, read as an image of 3 × 6 × 6" in notes(imported)


def test_logarithms_of_probabilities(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("LogSoftmax", graph.head(graph.conv("image", 3, 4), 4))
    imported = same_scores(graph.save(tmp_path, x))
    assert imported.source.is_log


def test_one_sigmoid_unit_becomes_two_scores_of_the_same_probabilities(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("Sigmoid", graph.head(graph.conv("image", 3, 4), 4, 1))
    imported = same_scores(graph.save(tmp_path, x))
    last = imported.design.network.nodes[-1].layer
    assert (last.units, last.activation) == (2, "softmax")
    assert "it becomes two units with softmax" in notes(imported)


def test_one_of_several_outputs_is_chosen(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("Relu", graph.conv("image", 3, 4))
    first, second = graph.head(x, 4, 3), graph.head(graph.conv(x, 4, 6), 6, 7)
    path = graph.save(tmp_path, first, second)
    imported = same_scores(path)
    assert imported.design.networks == (first, second)
    assert f"the file has 2 outputs; the first, “{first}”, is imported" in notes(imported)
    other = same_scores(path, output=second)
    assert other.design.networks == (second, first)
    assert layers(other.design.network)[-1:] == ["Dense"]
    assert other.design.network.nodes[-1].layer.units == 7


def test_a_size_that_is_left_open_is_given(tmp_path: Path) -> None:
    graph = Graph(("N", 3, "h", "w"))
    path = graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4))
    assert same_scores(path, size=(12, 10)).design.network.input.dims == (3, 12, 10)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_weights_of_other_precision_become_float32(kind: type, tmp_path: Path) -> None:
    graph = Graph()
    weight = graph.weights(4, 3, 3, 3).astype(kind)
    x = graph.add("Conv", "image", graph.add("Cast", weight, to=1), kernel_shape=[3, 3])
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert {str(array.dtype) for array in imported.weights.values()} == {"float32"}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("order", ["same", "reversed"])
def test_the_end_of_convnext_as_pytorchs_newer_exporter_writes_it(
    order: str, batch: int, tmp_path: Path
) -> None:
    """The images as one row of values, gathered as what they were, and normalized channels last."""
    graph = Graph((batch, 3, 8, 8), opset=20)
    x = graph.add("ReduceMean", graph.conv("image", 3, 6), ints(-1, -2), keepdims=1)
    x = graph.add("Reshape", x, ints(-1))
    places = np.arange(6 * batch)[:: 1 if order == "same" else -1].reshape(batch, 6, 1, 1)
    x = graph.add("Gather", x, places, axis=0, name="strided")
    x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
    x = graph.add("LayerNormalization", x, graph.positive(6), graph.weights(6), axis=-1, epsilon=1e-6)
    x = graph.add("Reshape", graph.add("Transpose", x, perm=[0, 3, 1, 2]), ints(batch, 6), allowzero=1)
    path = graph.save(tmp_path, graph.add("Gemm", x, graph.weights(5, 6), graph.weights(5), transB=1))
    if order == "same":
        imported = same_scores(path)
        assert layers(imported.design.network) == [
            *("Conv2D", "GlobalAveragePooling2D", "LayerNormalization", "Dense")
        ]
    else:
        imported = read_onnx(path)
        assert not imported.is_exact
        assert "mixes the values of different images, or drops the axis of the batch" in notes(imported)


def test_a_few_values_gathered_from_very_many_take_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file has some hundred bytes, and the places of all values would take tens of gigabytes."""
    graph = Graph((1, 3, 1024, 1024), opset=20)
    x = graph.add("Reshape", graph.conv("image", 3, 512), ints(-1))
    path = graph.save(tmp_path, graph.add("Gather", x, np.zeros((1, 4), np.int64), axis=0))
    monkeypatch.setattr(arrangement, "range", _short_range, raising=False)
    imported = read_onnx(path)
    assert not imported.is_exact
    assert "mixes the values of different images, or drops the axis of the batch" in notes(imported)


def _short_range(count: int) -> range:
    assert count < 10**6, "not a list of so many numbers"
    return range(count)


def test_a_slice_that_names_all_axes_as_tensorflow_writes_it(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 6)
    end = 2**31 - 1
    x = graph.add("Slice", x, ints(0, 1, 0, 0), ints(end, 5, end, end), ints(0, 1, 2, 3), ints(1, 1, 1, 1))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert layers(imported.design.network)[1] == "ChannelSlice"
    x = graph.add("Slice", x, ints(0, 0, 1, 1), ints(end, end, end, end), ints(0, 1, 2, 3), ints(1, 1, 1, 1))
    imported = read_onnx(graph.save(tmp_path, graph.head(x, 4)))
    assert "cuts out a part of the image or vector" in notes(imported)


def test_the_newest_operators(tmp_path: Path) -> None:
    import onnx

    graph = Graph(opset=min(onnx.defs.onnx_opset_version(), 23))
    x = graph.add("Gelu", graph.conv("image", 3, 4))
    x = graph.add("GroupNormalization", x, graph.positive(4), graph.weights(4), num_groups=2)
    x = graph.add("ReduceMean", x, ints(2, 3), keepdims=0)
    imported = read_onnx(graph.save(tmp_path, graph.add("MatMul", x, graph.weights(4, 3))))
    assert imported.is_exact
    assert layers(imported.design.network)[-3:] == ["GroupNormalization", "GlobalAveragePooling2D", "Dense"]


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_a_pooling_whose_first_row_and_column_are_cut_off(kind: str, tmp_path: Path) -> None:
    """How PyTorch has to write Keras's "same"."""
    graph = Graph()
    x = graph.add(kind, graph.conv("image", 3, 4), kernel_shape=[2, 2], pads=[1, 1, 1, 1])
    x = graph.add("Slice", x, ints(1, 1), ints(2**31 - 1, 2**63 - 1), ints(2, 3))
    imported = same_scores(graph.save(tmp_path, graph.head(x, 4)))
    assert imported.design.network.nodes[1].layer.padding == "same"


FAST = ("lesson-32", "squeezenet-fire")


@pytest.mark.parametrize(
    "name",
    [
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
        for name in templates()
        if name != "efficientnet-lite0"
    ],
)
def test_templates_come_back_with_their_scores(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = templates()[name].network
    model = build_model(network)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]  # it has statistics
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]  # the same
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(), (torch.zeros(1, *network.input.dims),), path, dynamo=False, input_names=["x"]
        )
    assert same_scores(path).design.network.input == network.input
