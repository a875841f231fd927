"""Files that are damaged, hostile or of another kind get one sentence; what layers lack is named by node."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.interchange.onnx.errors import OnnxError
from cnnstudio.interchange.onnx.reader import read_onnx
from tests.fuzz.mutations import damaged_bytes
from tests.interchange.onnx.graphs import Graph, ints, layers, notes, same_scores


def small(folder: Path, change: Callable[[onnx.ModelProto], object] = lambda model: None) -> Path:
    """A convolution, a relu and a head, with a change to its messages."""
    graph = Graph()
    model = graph.model(graph.head(graph.add("Relu", graph.conv("image", 3, 4)), 4))
    change(model)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(OnnxError) as error:
        read_onnx(path, **options)  # type: ignore[arg-type]  # options by name
    text = str(error.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert path.name in text
    return text


def message(path: Path) -> str:
    """Why the file is refused; empty if it is not."""
    try:
        read_onnx(path)
    except UserError as error:
        return str(error) or "?"
    return ""


def test_other_files_are_no_onnx_files(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for data in (b"", b"\0" * 100, b"\xff" * 100, b"# A text\n" * 20, b"PK\x03\x04" + b"x" * 50, b"\x08\x07"):
        path.write_bytes(data)
        assert any(each in refusal(path) for each in ("not an ONNX file", "is empty", "no network"))
    path.unlink()
    assert "there is no file" in refusal(path)
    path.mkdir()
    assert "a folder" in refusal(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "net.onnx")
    assert "pipe" in refusal(tmp_path / "net.onnx")


def test_a_file_cut_anywhere_is_refused_or_lacks_its_end(tmp_path: Path) -> None:
    whole = small(tmp_path).read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(1, len(whole), 37):
        path.write_bytes(whole[:length])
        text = message(path)
        assert not text or text.endswith(".")


def _with_data(location: str, **more: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, **more}.items():
            tensor.external_data.add(key=key, value=value)

    return change


def test_weights_in_a_file_beside_it_are_read(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    data = numpy_helper.to_array(onnx.load(small(tmp_path)).graph.initializer[0])
    (tmp_path / "parts" / "weights.bin").write_bytes(b"x" * 16 + data.tobytes())
    path = small(tmp_path, _with_data("parts/weights.bin", offset="16", length=str(data.nbytes)))
    weights = same_scores(path).weights
    np.testing.assert_array_equal(weights["conv2d_1.weight"].load(), data)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("../secret.bin", "only files in the folder"),
        ("a/../../secret.bin", "only files in the folder"),
        ("/etc/passwd", "only files in the folder"),
        ("C:\\secret.bin", "only files in the folder"),
        ("..\\secret.bin", "only files in the folder"),
        ("", "only files in the folder"),
        ("missing.bin", "there is no file missing.bin"),
        ("folder", "a folder"),
        ("short.bin", "too short"),
        ("link.bin", "leads out of the folder"),
    ],
)
def test_weights_elsewhere_are_never_opened(location: str, reason: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4000)
    (inside / "short.bin").write_bytes(b"\0" * 100)
    if location == "link.bin":
        if os.name == "nt":
            pytest.skip("links need rights on Windows")
        (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    assert reason in refusal(small(inside, _with_data(location)))


def test_places_beyond_the_end_of_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"\0" * 432)
    for more in (
        {"offset": "1"},
        {"offset": "-1"},
        {"length": "9" * 30},
        {"offset": str(2**60)},
        {"length": "4"},
    ):
        assert "constant" in refusal(small(tmp_path, _with_data("data.bin", **more)))


def test_a_sparse_file_of_two_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    def change(model: onnx.ModelProto) -> None:
        _with_data("large.bin")(model)
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend([2**29])

    with open(tmp_path / "large.bin", "wb") as file:
        file.truncate(2**31)
    path = small(tmp_path, change)
    tracemalloc.start()
    try:
        assert "no layer here expresses how the network begins" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_shapes_that_do_not_fit_the_values_are_refused(tmp_path: Path) -> None:
    for dims in ([2**40, 2**40], [-1, 3, 3, 3], [4, 3, 3, 4], [1] * 9, [2**62]):

        def change(model: onnx.ModelProto, dims: list[int] = dims) -> None:
            del model.graph.initializer[0].dims[:]
            model.graph.initializer[0].dims.extend(dims)

        assert "shape" in refusal(small(tmp_path, change))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
        weights[0, 0, 0, 0] = value
        model.graph.initializer[0].raw_data = weights.tobytes()

    assert "NaN or infinite" in refusal(small(tmp_path, change))


def test_cycles_and_values_that_nothing_computes_are_refused(tmp_path: Path) -> None:
    def cycle(model: onnx.ModelProto) -> None:
        model.graph.node[0].input[0] = model.graph.node[1].output[0]

    def missing(model: onnx.ModelProto) -> None:
        model.graph.node[1].input[0] = "nowhere"

    def twice(model: onnx.ModelProto) -> None:
        model.graph.node.append(model.graph.node[0])

    def no_output(model: onnx.ModelProto) -> None:
        model.graph.output[0].name = "nowhere"

    assert "depends on its own result" in refusal(small(tmp_path, cycle))
    assert "“Relu_1” (Relu) uses “nowhere”, which nothing computes" in refusal(small(tmp_path, missing))
    assert "so does another node" in refusal(small(tmp_path, twice))
    assert "the graph gives “nowhere”" in refusal(small(tmp_path, no_output))


def test_quantized_files_are_refused(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("QuantizeLinear", "image", np.asarray(np.float32(0.1)), np.asarray(np.uint8(0)))
    x = graph.add("DequantizeLinear", x, np.asarray(np.float32(0.1)), np.asarray(np.uint8(0)))
    text = refusal(graph.save(tmp_path, graph.head(graph.conv(x, 3, 4), 4)))
    assert "it is quantized (node “QuantizeLinear_0” (QuantizeLinear))" in text


def test_versions_before_the_seventh_are_refused(tmp_path: Path) -> None:
    assert "of which version" in refusal(small(tmp_path, lambda model: model.ClearField("opset_import")))
    graph = Graph(opset=6)
    assert "version 6" in refusal(graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4)))


def test_images_of_any_size_need_one(tmp_path: Path) -> None:
    graph = Graph(("N", 3, None, None))
    path = graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4))
    assert "--size 224" in refusal(path)


def test_the_number_of_channels_has_to_be_known(tmp_path: Path) -> None:
    graph = Graph(("N", None, 8, 8))
    assert "how many channels" in refusal(graph.save(tmp_path, graph.add("Relu", "image")))


@pytest.mark.parametrize(
    ("shape", "kind", "reason"),
    [
        (("N", 3, 5000, 5000), TensorProto.FLOAT, "at most 1,024"),
        ((100_000, 3, 8, 8), TensorProto.FLOAT, "exactly 100,000 images"),
        (("N", 3, 8, 8, 8), TensorProto.FLOAT, "5 axes"),
        (("N", 7), TensorProto.FLOAT, "no square image"),
        (("N", 3, 8, 8), TensorProto.STRING, "of the type string"),
    ],
)
def test_inputs_that_are_no_images_are_refused(
    shape: tuple[int | str, ...], kind: int, reason: str, tmp_path: Path
) -> None:
    graph = Graph(shape, kind=kind)
    assert reason in refusal(graph.save(tmp_path, graph.add("Relu", "image")))


def test_what_no_layer_expresses_is_named_and_what_comes_before_it_is_imported(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("Relu", graph.conv("image", 3, 4))
    x = graph.add("ConvTranspose", x, graph.weights(4, 4, 2, 2), name="up\x1b[31m\u202e")
    path = graph.save(tmp_path, graph.head(graph.conv(x, 4, 4), 4))
    imported = read_onnx(path)
    assert not imported.is_exact
    assert layers(imported.design.network) == ["Conv2D"]
    assert "node “up [31m” (ConvTranspose) enlarges the image with weights" in notes(imported)
    assert "what follows is left out" in notes(imported)


def test_what_changes_no_shape_is_left_out_or_replaced_with_a_note(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.add("LRN", graph.add("LeakyRelu", graph.conv("image", 3, 4), alpha=0.2), size=3)
    imported = read_onnx(graph.save(tmp_path, graph.head(x, 4)))
    assert not imported.is_exact
    assert layers(imported.design.network) == ["Conv2D", "GlobalAveragePooling2D", "Dense"]
    assert "(LeakyRelu) has the slope 0.2; 0.01 is used instead" in notes(imported)
    assert "(LRN) normalizes over neighboring channels, which no layer here does; it is left out" in notes(
        imported
    )


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("FusedConv", {"domain": "com.microsoft"}, "belongs to the extension com.microsoft"),
        ("Mystery", {}, "has no counterpart"),
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, "only after a relu"),
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [2, 2, 2, 2]}, "out of the mean"),
        ("Transpose", {"perm": [1, 0, 2, 3]}, "moves the axis of the batch"),
        ("Softmax", {"axis": 2}, "another axis than the channels"),
        ("ReduceMean", {"axes": [2]}, "other axes than height and width"),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [0, 0]}, ""),
        ("MaxPool", {"kernel_shape": [2**40, 1]}, ""),
        ("Flatten", {"axis": 0}, "mixes the values of different images"),
    ],
)
def test_settings_that_no_layer_has_are_named(
    kind: str, options: dict[str, object], reason: str, tmp_path: Path
) -> None:
    graph = Graph()
    x = graph.add(kind, graph.conv("image", 3, 4), name="culprit", **options)
    imported = read_onnx(graph.save(tmp_path, graph.add("Relu", x)))
    assert not imported.is_exact
    assert f"node “culprit” ({kind}) " in notes(imported)
    assert reason in notes(imported)


def test_nodes_of_which_the_same_is_said_are_counted(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 4)
    for number in range(3):
        x = graph.conv(graph.add("Celu", x, name=f"celu{number}"), 4, 4)
    said = notes(read_onnx(graph.save(tmp_path, graph.head(x, 4))))
    assert said == (
        "3 nodes (Celu), the first of them “celu0”: each is not supported; the closest activation, elu, is "
        "used instead"
    )


def test_graphs_inside_of_nodes_are_not_followed(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 4)
    branch = helper.make_graph(
        [helper.make_node("Relu", [x], ["inner"])], "b", [], [helper.make_empty_tensor_value_info("inner")]
    )
    x = graph.add("If", np.asarray(True), then_branch=branch, else_branch=branch)
    with pytest.raises(OnnxError, match="contains a graph of its own"):
        read_onnx(graph.save(tmp_path, x))


def test_branches_that_groups_do_not_express_are_cut_off_with_a_note(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.conv("image", 3, 4)
    a, b = graph.conv(x, 4, 4), graph.conv(x, 4, 4)
    crossed = [graph.add("Add", graph.conv(a, 4, 4), graph.conv(b, 4, 4)) for _ in range(2)]
    imported = read_onnx(graph.save(tmp_path, graph.head(graph.add("Concat", *crossed, axis=1), 8)))
    assert not imported.is_exact
    assert "in a way that groups do not express" in notes(imported)


def test_a_second_input_is_named(tmp_path: Path) -> None:
    graph = Graph()
    graph.inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["N", 4, 8, 8]))
    x = graph.add("Add", graph.conv("image", 3, 4), "mask")
    assert "node “mask” (input) is a second input" in notes(read_onnx(graph.save(tmp_path, x)))


def test_an_unknown_output_lists_those_that_there_are(tmp_path: Path) -> None:
    assert "there is no output “other” in the file; there is Gemm_" in refusal(
        small(tmp_path), output="other"
    )


def test_huge_constants_are_not_made(tmp_path: Path) -> None:
    graph = Graph()
    for kind, inputs in (
        ("ConstantOfShape", (ints(2**20, 2**20),)),
        ("Expand", (np.zeros((1, 1), np.float32), ints(2**20, 2**20))),
        ("Range", (np.asarray(np.int64(0)), np.asarray(np.int64(2**60)), np.asarray(np.int64(1)))),
    ):
        x = graph.add(kind, *inputs)
        imported = read_onnx(graph.save(tmp_path, graph.add("Add", graph.conv("image", 3, 4), x)))
        assert "very large constant" in notes(imported)


def test_weights_of_one_number_have_a_limit_together(tmp_path: Path) -> None:
    """A few bytes of a file for 2 GB of weights."""
    graph = Graph(("N", 3, 200, 200))
    x = graph.add("Flatten", "image")
    for inputs, units in ((120_000, 1_000), (1_000, 100_000), (100_000, 1_000)):
        x = graph.add("MatMul", x, graph.add("ConstantOfShape", ints(inputs, units)))
    assert "makes more weights of one number than networks have" in refusal(graph.save(tmp_path, x))


def test_long_chains_neither_recurse_nor_take_long(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.conv("image", 3, 4), graph.constant(np.zeros(4, np.float32))
    for _ in range(1500):
        x, y = graph.add("Identity", x), graph.add("Identity", y)
    x = graph.add("Add", x, graph.add("Reshape", y, ints(4, 1, 1)))
    started = time.thread_time()
    assert layers(read_onnx(graph.save(tmp_path, x)).design.network) == ["Conv2D"]
    assert time.thread_time() - started < 10


def test_constants_that_are_computed_from_each_other_again_and_again_are_refused(tmp_path: Path) -> None:
    """Each is read for both of its uses: after 60 doublings, 2 ** 60 times."""
    graph = Graph()
    doubled = graph.constant(graph.weights(8 * 64, 3 * 64))  # larger than what is computed at once
    for _ in range(60):
        doubled = graph.add("Add", doubled, doubled)
    path = graph.save(tmp_path, graph.add("Gemm", graph.add("Flatten", "image"), doubled, transB=1))
    assert "too many steps" in refusal(path)


def test_reading_can_be_cancelled_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path = small(tmp_path)
    with pytest.raises(Cancelled):
        read_onnx(path, cancelled=lambda: True)
    found: list[Progress] = []
    read_onnx(path, progress=found.append)
    assert found[-1].done == found[-1].total


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = small(tmp_path)
    imported = read_onnx(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(OnnxError, match=r"net\.onnx has changed"):
        next(iter(imported.weights.values())).load()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(st.data())
def test_damaged_files_are_read_or_refused_in_a_sentence(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "net.onnx"
    if not whole.exists():
        small(tmp_path)
    path = tmp_path / "damaged.onnx"
    path.write_bytes(data.draw(damaged_bytes(whole.read_bytes())))
    text = message(path)
    assert not text or text.endswith(".")


def test_reading_takes_no_more_memory_than_the_largest_weights(tmp_path: Path) -> None:
    import tracemalloc

    graph = Graph(("N", 16, 16, 4))
    x = graph.add("Reshape", graph.add("Relu", "image"), ints(-1, 1024))
    x = graph.add("MatMul", x, np.ones((1024, 4096), np.float32))
    path = graph.save(tmp_path, graph.add("MatMul", x, np.ones((4096, 4), np.float32)))
    del graph
    tracemalloc.start()
    try:
        imported = read_onnx(path)
        assert tracemalloc.get_traced_memory()[1] < 1.3 * 4 * 1024 * 4096
    finally:
        tracemalloc.stop()
    assert imported.is_exact
