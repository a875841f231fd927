"""`cnnstudio import FILE.onnx`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file

from cnnstudio.cli.main import main
from cnnstudio.design.file import read_design
from cnnstudio.training.pretrained import onnx_scores
from cnnstudio.training.pretrained.start_weights import from_file
from tests.interchange.onnx.graphs import Graph, layers

Output = pytest.CaptureFixture[str]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Two classes, images of 8 × 8 pixels that the file normalizes itself."""
    graph = Graph()
    x = graph.add("Div", graph.add("Sub", "image", np.float32([0.5])), np.float32([0.25]))
    x = graph.add("Relu", graph.norm(graph.conv(x, 3, 4, bias=False), 4))
    y = graph.add("Relu", graph.conv(x, 4, 4))
    x = graph.add("Add", x, graph.conv(y, 4, 4))
    return graph.save(tmp_path, graph.head(x, 4, 2))


def test_the_design_and_its_weights_are_written(net: Path, tmp_path: Path, capsys: Output) -> None:
    design, weights = tmp_path / "net.cnn.json", tmp_path / "net.safetensors"
    assert main(["import", str(net), "--out", str(design), "--weights-out", str(weights)]) == 0
    printed = capsys.readouterr().out
    assert "The scores agree with the file, computed by ONNX Runtime, to " in printed
    assert f"Train with: cnnstudio train {design} --weights {weights}" in printed
    assert "training normalizes as the file does" in printed
    network = read_design(design)
    assert layers(network)[3] == ("Residual", ["Conv2D", "Conv2D"])
    start = from_file(weights, network)
    assert start.fresh == ()
    assert start.normalization == ((0.5,) * 3, (0.25,) * 3)
    assert load_file(weights).keys() == dict(start.weights).keys() | {
        "batch_normalization_1.num_batches_tracked"
    }


def test_training_starts_from_these_weights(
    net: Path, images: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    design, weights, run = tmp_path / "net.cnn.json", tmp_path / "net.safetensors", tmp_path / "run"
    assert main(["import", str(net), "--out", str(design), "--weights-out", str(weights)]) == 0
    capsys.readouterr()
    options = ["--epochs", "1", "--recipe", "lesson", "--device", "cpu", "--run", str(run)]
    arguments = [str(design), "--data", str(images), "--weights", str(weights), *options]
    assert main(["train", *arguments, "--json"]) == 0
    assert "Starts afresh" not in capsys.readouterr().out
    metadata = json.loads((run / "run.json").read_text())
    assert (metadata["mean"], metadata["std"]) == ([0.5] * 3, [0.25] * 3)


def test_inputs_that_the_scores_do_not_depend_on_are_given_something(tmp_path: Path, capsys: Output) -> None:
    """tf2onnx leaves over constants of a normalization that it has computed, as inputs."""
    graph = Graph()
    graph.inputs.append(helper.make_tensor_value_info("Sqrt/x:0", TensorProto.FLOAT, [1, 1, 1, 3]))
    graph.inputs.append(helper.make_tensor_value_info("steps", TensorProto.INT64, ["N"]))
    path = graph.save(tmp_path, graph.head(graph.conv("image", 3, 4), 4, 2))
    assert main(["import", str(path), "--out", str(tmp_path / "out.cnn.json")]) == 0
    assert "The scores agree with the file" in capsys.readouterr().out


def test_json_says_what_was_found(net: Path, tmp_path: Path, capsys: Output) -> None:
    assert main(["import", str(net), "--out", str(tmp_path / "out.cnn.json"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["language"] == "onnx"
    assert content["exact"] is True
    assert content["comparison"]["agrees"] is True
    assert content["comparison"]["largest_difference"] < 1e-5
    assert content["normalization"] == {"mean": [0.5] * 3, "std": [0.25] * 3}
    assert content["weights"] is None
    assert content["layers"][0]["type"] == "Conv2D"


def test_weights_that_are_not_kept_are_said(net: Path, tmp_path: Path, capsys: Output) -> None:
    assert main(["import", str(net), "--out", str(tmp_path / "out.cnn.json")]) == 0
    assert "add --weights-out FILE.safetensors" in capsys.readouterr().out


def test_the_last_layer_suits_other_classes(net: Path, tmp_path: Path) -> None:
    design, weights = tmp_path / "net.cnn.json", tmp_path / "net.safetensors"
    options = ["--out", str(design), "--weights-out", str(weights), "--classes", "7"]
    assert main(["import", str(net), *options]) == 0
    network = read_design(design)
    assert network.nodes[-1].layer.units == 7
    assert from_file(weights, network).fresh == (network.nodes[-1].id,)


def test_scores_that_differ_are_a_failure(
    net: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = onnx_scores._scores_of_file
    monkeypatch.setattr(onnx_scores, "_scores_of_file", lambda *given: real(*given) + 0.5)
    assert main(["import", str(net), "--out", str(tmp_path / "out.cnn.json")]) == 1
    assert "The scores differ from those of the file by up to " in capsys.readouterr().err


def test_without_onnx_runtime_the_import_says_so(
    net: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_scores.importlib.util, "find_spec", lambda name: None)
    assert main(["import", str(net), "--out", str(tmp_path / "out.cnn.json")]) == 0
    assert "not compared with the file: ONNX Runtime is not installed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--recipe", "r.json"], "does not say how its network was trained"),
        (["--weights-out", "weights.pt"], "ends in .safetensors"),
        (["--size", "0"], "must be an integer from 1 to 1,024"),
        (["--size", "8x8x8"], "must be an integer from 1 to 1,024"),
        (["--network", "other"], "there is no output “other” in the file"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], reason: str, net: Path, tmp_path: Path, capsys: Output
) -> None:
    out = tmp_path / "out.cnn.json"
    assert main(["import", str(net), "--out", str(out), *options]) == 2
    assert reason in capsys.readouterr().err
    assert not out.exists()


def test_options_of_onnx_files_are_refused_for_code(tmp_path: Path, capsys: Output) -> None:
    code = tmp_path / "code.py"
    code.write_text("m = Sequential([Dense(3)])\n")
    for option in (["--size", "8"], ["--weights-out", str(tmp_path / "w.safetensors")]):
        assert main(["import", str(code), "--out", str(tmp_path / "o.cnn.json"), *option]) == 2
        assert "only for ONNX files" in capsys.readouterr().err


def test_weights_that_cannot_be_written_leave_no_file(net: Path, tmp_path: Path, capsys: Output) -> None:
    weights = tmp_path / "net.onnx" / "w.safetensors"
    out = tmp_path / "out.cnn.json"
    assert main(["import", str(net), "--out", str(out), "--weights-out", str(weights)]) == 2
    assert "Cannot write" in capsys.readouterr().err
    assert not out.exists()
