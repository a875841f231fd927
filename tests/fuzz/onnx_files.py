"""The fuzzer of ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tests.fuzz.target import Attempts, Target, command


class OnnxFiles(Target):
    """ONNX files and the weights beside them: read, never run, in little time and memory."""

    fuzzed: ClassVar = ("nets/*",)
    may_leave: ClassVar = ("out", "out/*")
    cpu_seconds: ClassVar = 5
    megabytes: ClassVar = 300

    def prepare(self, folder: Path) -> None:
        from tests.interchange.onnx.graphs import Graph, ints

        nets = folder / "nets"
        nets.mkdir()
        graph = Graph()
        x = graph.add("Relu", graph.norm(graph.conv("image", 3, 4), 4))
        x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        x = graph.add("Concat", x, graph.add("Add", x, graph.conv(x, 4, 4)), axis=1)
        (nets / "branches.onnx").write_bytes(graph.model(graph.head(x, 8)).SerializeToString())
        graph = Graph(("N", 8, 8, 3), opset=12)
        x = graph.conv(graph.add("Transpose", "image", perm=[0, 3, 1, 2]), 3, 4)
        x = graph.add("Mul", x, graph.add("Sigmoid", x))
        x = graph.add("Reshape", graph.add("Transpose", x, perm=[0, 2, 3, 1]), ints(-1, 256))
        x = graph.add("Softmax", graph.add("MatMul", x, graph.weights(256, 3)))
        model = graph.model(x)
        tensor = model.graph.initializer[-1]
        (nets / "weights.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        tensor.external_data.add(key="location", value="weights.bin")
        (nets / "last.onnx").write_bytes(model.SerializeToString())

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.interchange.onnx.reader import read_onnx

        out = folder / "out"
        out.mkdir(exist_ok=True)
        for path in sorted((folder / "nets").glob("*.onnx")):
            imported = attempt("read", lambda path=path: read_onnx(path))
            if imported is not None:
                weights = ("--weights-out", str(out / "weights.safetensors"))
                attempt("import", command("import", path, "--out", out / "net.cnn.json", *weights))
