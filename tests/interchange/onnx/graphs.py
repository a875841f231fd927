"""ONNX files made by hand, as other programs write them, and their scores beside those of the design."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from cnnstudio.design.network import Network, Node, without_final_softmax
from cnnstudio.interchange.onnx.reader import ImportedOnnx, read_onnx
from cnnstudio.training.model import build_model

CLASSIFIER_SIZE = (3, 8, 8)


class Graph:
    """Collects nodes; each method returns the name of the new value. Weights are random, by a fixed seed."""

    def __init__(
        self,
        shape: Sequence[int | str | None] = ("N", *CLASSIFIER_SIZE),
        *,
        opset: int = 17,
        kind: int = TensorProto.FLOAT,
    ) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs = [helper.make_tensor_value_info("image", kind, list(shape))]
        self.opset = opset

    def add(
        self, kind: str, *inputs: str | np.ndarray, outputs: int = 1, name: str = "", **options: Any
    ) -> str:
        """A node; arrays become constants. Returns the first output; the others end in _1, _2."""
        name = name or f"{kind}_{len(self.nodes)}"
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        results = [name, *(f"{name}_{number}" for number in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, names, results, name=name, **options))
        return name

    def constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weights(self, *dims: int) -> np.ndarray:
        fan = max(int(np.prod(dims[1:])), 1)
        return (self.random.standard_normal(dims) / fan**0.5).astype(np.float32)

    def positive(self, *dims: int) -> np.ndarray:
        return self.random.uniform(0.5, 1.5, dims).astype(np.float32)

    def conv(
        self,
        x: str,
        inputs: int,
        filters: int,
        size: int = 3,
        *,
        groups: int = 1,
        bias: bool = True,
        **options: Any,
    ) -> str:
        options = {"pads": [size // 2] * 4, "kernel_shape": [size, size], **options}
        more = (self.weights(filters),) if bias else ()
        return self.add(
            "Conv", x, self.weights(filters, inputs // groups, size, size), *more, group=groups, **options
        )

    def norm(self, x: str, channels: int, **options: Any) -> str:
        values = (
            self.positive(channels),
            self.weights(channels),
            self.weights(channels),
            self.positive(channels),
        )
        return self.add("BatchNormalization", x, *values, **options)

    def head(self, x: str, channels: int, classes: int = 5) -> str:
        """Global average pooling, flatten and a dense layer, as PyTorch writes them."""
        flat = self.add("Flatten", self.add("GlobalAveragePool", x))
        return self.add("Gemm", flat, self.weights(classes, channels), self.weights(classes), transB=1)

    def model(self, *outputs: str) -> onnx.ModelProto:
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "graph", self.inputs, infos, self.initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10 if self.opset > 8 else 3)

    def save(self, folder: Path, *outputs: str) -> Path:
        path = folder / "net.onnx"
        path.write_bytes(self.model(*outputs).SerializeToString())
        return path


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def kinds(nodes: Sequence[Node]) -> list[Any]:
    """The types of layers; a group as (type, the types inside)."""
    return [
        (node.layer.type_name(), kinds(node.children)) if node.children else node.layer.type_name()
        for node in nodes
    ]


def layers(network: Network) -> list[Any]:
    return kinds(network.nodes)


def scores(path: Path, imported: ImportedOnnx, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(the design's scores, those that ONNX Runtime computes), each (N, K)."""
    source, network = imported.source, imported.design.network
    count = source.input.batch or count
    images = np.random.default_rng(1).random((count, *network.input.dims), np.float32)
    given = np.transpose(images * source.pixel_maximum, (0, *(axis + 1 for axis in source.input.order)))
    given = given.reshape(count, *source.input.dims).astype(source.input.numpy_type)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (theirs,) = session.run([source.output], {source.input.name: given})
    model = build_model(network).eval()
    # Strict: the weights have the very names of the model, and all of them.
    model.load_state_dict({name: torch.tensor(array.load()) for name, array in imported.weights.items()})
    if imported.normalization is not None:
        mean, std = (np.float32(each).reshape(1, -1, 1, 1) for each in imported.normalization)
        if source.input.is_integer:
            images = np.trunc(images * 255) / 255
        images = ((images - mean) / std).astype(np.float32)
    with torch.no_grad():
        ours = model(torch.tensor(images))
    if without_final_softmax(network.nodes) != network.nodes:
        ours = ours.log_softmax(1) if source.is_log else ours.softmax(1)
    if source.is_binary:
        ours = ours[:, 1:]
    return ours.numpy().reshape(count, -1), np.asarray(theirs).reshape(count, -1)


def same_scores(path: Path, **options: Any) -> ImportedOnnx:
    """The import, after checking that nothing was left out and that the scores are those of the file."""
    imported = read_onnx(path, **options)
    assert imported.is_exact, imported.design.notes
    ours, theirs = scores(path, imported)
    assert theirs.std() > 1e-3, "scores that are all equal prove nothing"
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * max(1.0, float(np.abs(theirs).max())), rtol=0)
    return imported


def notes(imported: ImportedOnnx) -> str:
    return "\n".join(note.text for note in imported.design.notes)
