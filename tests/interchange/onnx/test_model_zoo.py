"""The structures of ONNX's model zoo, which the onnx package brings without weights, as Caffe2 wrote them.

They are of opset 9, with forms of their own: weights that a node makes, inputs for all constants, a softmax
over a flattened axis, constants that broadcast along an axis.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from cnnstudio.interchange.onnx.reader import read_onnx
from tests.interchange.onnx.graphs import layers, notes, same_scores

_FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
_WIDE = 4096
"""The hidden units of older networks, which would only make their files large."""


def zoo(name: str) -> Path:
    return _FOLDER / f"light_{name}.onnx"


def with_weights(name: str, folder: Path) -> Path:
    """The structure with random weights, and narrower dense layers, under which its scores differ."""
    model = onnx.load(zoo(name))
    graph, random = model.graph, np.random.default_rng(0)
    known = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    users = {
        each: (node.op_type, index)
        for node in reversed(graph.node)
        for index, each in reversed(list(enumerate(node.input)))
    }
    made = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    weights = {}
    _remove(graph, {node.input[0] for node in made})
    for node in made:
        kind, index = users[node.output[0]]
        shape = [int(size) for size in known[node.input[0]]]
        if kind == "Gemm":
            shape = [64 if size == _WIDE else size for size in shape]
        if kind == "BatchNormalization" and index in (1, 4):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.standard_normal(shape) * (2 / max(int(np.prod(shape[1:])), 1)) ** 0.5
        weights[node.output[0]] = value.astype(np.float32)
        graph.node.remove(node)
    _calibrate(model, weights)
    graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in weights.items())
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def _remove(graph: onnx.GraphProto, names: set[str]) -> None:
    """Constants of a graph, which are inputs as well, as files of that time have them."""
    for listed in (graph.initializer, graph.input):
        for each in [each for each in listed if each.name in names]:
            listed.remove(each)


def _calibrate(model: onnx.ModelProto, weights: dict[str, np.ndarray]) -> None:
    """Divides the last weights so that the scores are a few units: a softmax of large ones is 0 or 1."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    nodes = list(copy.graph.node)
    last = next(node for node in reversed(nodes) if node.op_type in ("Conv", "Gemm"))
    copy.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in weights.items())
    copy.graph.output.append(onnx.helper.make_tensor_value_info(last.output[0], 1, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, ["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    image = np.random.default_rng(1).random(given.shape, np.float32)
    (scores,) = session.run([last.output[0]], {given.name: image})
    reshaped = {node.output[0]: node.input[0] for node in nodes if node.op_type == "Reshape"}
    for name in (reshaped.get(each, each) for each in last.input[1:]):
        weights[name] = (4 * weights[name] / scores.std()).astype(np.float32)


@pytest.mark.parametrize("name", ["densenet121", "inception_v2", "resnet50", "squeezenet", "vgg19"])
def test_the_structures_that_layers_express_give_the_same_scores(name: str, tmp_path: Path) -> None:
    same_scores(with_weights(name, tmp_path))


@pytest.mark.parametrize("name", ["bvlc_alexnet", "inception_v1", "zfnet512"])
def test_of_those_with_local_response_normalization_just_that_is_left_out(name: str, tmp_path: Path) -> None:
    imported = read_onnx(with_weights(name, tmp_path))
    assert not imported.is_exact
    text = notes(imported)
    assert text.startswith("2 nodes (LRN), the first of them “")
    assert text.endswith("normalizes over neighboring channels, which no layer here does; it is left out")
    assert layers(imported.design.network)[-1] == "Dense"
    model = onnx.load(tmp_path / f"{name}.onnx")
    for node in [node for node in model.graph.node if node.op_type == "LRN"]:
        # Without it, everything else is the same.
        node.op_type = "Identity"
        del node.attribute[:]
    onnx.save(model, tmp_path / f"{name}.onnx")
    same_scores(tmp_path / f"{name}.onnx")


def test_the_pooling_that_no_layer_expresses_is_named() -> None:
    """Shufflenet's mean at a stride of 2 leaves out the padding on both sides; "same" pads one of them."""
    imported = read_onnx(zoo("shufflenet"))
    assert notes(imported).splitlines()[0] == (
        "node “n14” (AveragePool) leaves its padding out of the mean, which is only supported for “same”"
    )


@pytest.mark.parametrize("path", sorted(_FOLDER.glob("*.onnx")), ids=lambda path: path.stem)
def test_weights_that_a_node_makes_are_weights(path: Path) -> None:
    """As the package has them: without weights, each is the same number again and again."""
    imported = read_onnx(path)
    assert "constant" not in notes(imported)
    assert imported.weights


def test_all_structures_of_the_package_are_here() -> None:
    tried = {"densenet121", "inception_v2", "resnet50", "squeezenet", "vgg19"}
    tried |= {"bvlc_alexnet", "inception_v1", "zfnet512", "shufflenet"}
    assert {path.stem.removeprefix("light_") for path in _FOLDER.glob("*.onnx")} == tried
