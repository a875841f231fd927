"""Exporters: what they write, that it is verified, and that failures leave nothing behind."""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from cnnstudio.core.files import read_json, write_json
from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import Dataset, Split
from cnnstudio.design.file import read_design
from cnnstudio.design.small_images import fit_input
from cnnstudio.design.templates import templates
from cnnstudio.export import ExportError, ExportFailed, ExportResult, exporters, select_exporters
from cnnstudio.export.onnx import Onnx
from cnnstudio.export.verification import BATCHES, TOLERANCE, Verification
from cnnstudio.interchange.onnx.reader import read_onnx
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from cnnstudio.runs.run import Run, RunError
from cnnstudio.training.model import build_model
from cnnstudio.training.pretrained.onnx_scores import compare_scores
from tests.interchange.onnx.graphs import scores
from tests.runs.written import WrittenRun


@pytest.fixture(scope="module")
def onnx_export(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportResult, Path, str]:
    """The ONNX export, its folder and its output; shared by the tests, because it takes seconds."""
    folder, printed = tmp_path_factory.mktemp("onnx"), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        result = exporters()["onnx"].export(run, folder)
    return result, folder, printed.getvalue()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != "home"}


# What is written


def test_the_formats_are_found_in_order() -> None:
    assert list(exporters()) == ["safetensors", "onnx", "pytorch"]
    for exporter in exporters().values():
        assert exporter.title
        assert exporter.description


def test_the_weights_contain_everything_needed_to_use_them(run: Run, tmp_path: Path) -> None:
    result = exporters()["safetensors"].export(run, tmp_path)
    assert result.largest_difference == 0
    assert names(tmp_path) == {path.name for path in result.files} == {"model.safetensors", "design.cnn.json"}
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    assert json.loads(metadata["classes"]) == ["one", "two", "three"]
    assert len(json.loads(metadata["mean"])) == len(json.loads(metadata["std"])) == 3
    assert read_design(tmp_path / "design.cnn.json") == run.network
    state = run.model().state_dict()
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[name], state[name]) for name in tensors)


def test_the_file_that_two_formats_share_is_left_as_it_is_if_it_is_the_same(run: Run, tmp_path: Path) -> None:
    exporters()["safetensors"].export(run, tmp_path)
    before = (tmp_path / "model.safetensors").stat()
    result = exporters()["pytorch"].export(run, tmp_path)
    assert tmp_path / "model.safetensors" in result.files
    after = (tmp_path / "model.safetensors").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_onnx_file_gives_the_same_logits_for_any_batch_size(
    run: Run, onnx_export: tuple[ExportResult, Path, str]
) -> None:
    result, folder, _ = onnx_export
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-4
    assert f"{result.largest_difference:.1e}" in result.message
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    model = run.model()
    for count in (1, 5, 32):
        images = np.random.default_rng(count).integers(0, 256, (count, 3, 12, 10), np.uint8)
        (found,) = session.run(["logits"], {"pixels": images.astype(np.float32) / 255})
        with torch.inference_mode():
            expected = model(model.normalize(images)).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_onnx_file_is_imported_with_its_weights_and_normalization(
    run: Run, onnx_export: tuple[ExportResult, Path, str]
) -> None:
    """Written by PyTorch's exporter of today, the other one than in tests/interchange/onnx."""
    imported = read_onnx(onnx_export[1] / "model.onnx")
    comparison = compare_scores(imported)
    assert imported.is_exact, imported.design.notes
    assert comparison.agrees, comparison.text
    assert imported.normalization is not None
    np.testing.assert_allclose(imported.normalization, run.normalization, rtol=1e-4)


@pytest.mark.timeout(240)
def test_efficientnet_lite0_comes_back_from_its_onnx_file_with_the_same_scores(tmp_path: Path) -> None:
    """With the layer that enlarges small images: 13 × 5, so that factor and size differ."""
    network = replace(templates()["efficientnet-lite0"].network, input=Shape.of(3, 64, 64))
    network = fit_input(network, Shape.of(3, 13, 13))
    written = WrittenRun(tmp_path / "run", network)
    torch.manual_seed(0)
    model = build_model(network)
    model.set_normalization((0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
    with torch.no_grad():
        # The last layer begins with zeros.
        for weights in model.parameters():
            weights.add_(0.02 * torch.randn(weights.shape))
        # Statistics other than those that a normalization begins with.
        model.train()(torch.randn(4, *network.input.dims))
    model.eval()
    Onnx().write(Run.open(written.folder), model, tmp_path)
    imported = read_onnx(tmp_path / "model.onnx")
    assert imported.is_exact, imported.design.notes
    assert network.nodes[0].layer == UpSampling2D((5, 5), "bilinear")
    assert imported.design.network.nodes[0].layer == network.nodes[0].layer
    images = np.random.default_rng(1).random((3, *network.input.dims), np.float32)
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (model.mean, model.std))
    with torch.inference_mode():
        original = model((torch.from_numpy(images) - mean) / std).numpy()
    ours, theirs = scores(tmp_path / "model.onnx", imported)
    assert original.std() > 1e-3
    scale = max(1.0, float(np.abs(original).max()))
    np.testing.assert_allclose(ours, original, atol=1e-5 * scale, rtol=0)
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * scale, rtol=0)


def test_scores_are_not_compared_where_all_images_at_once_do_not_fit_into_memory(
    onnx_export: tuple[ExportResult, Path, str],
) -> None:
    imported = read_onnx(onnx_export[1] / "model.onnx")
    given = replace(imported.source.input, batch=2**20)
    comparison = compare_scores(replace(imported, source=replace(imported.source, input=given)))
    assert comparison.largest_difference is None
    assert "too much memory to compute 1,048,576 images at once" in comparison.text


def test_the_onnx_file_documents_its_input_and_contains_no_local_paths(
    onnx_export: tuple[ExportResult, Path, str],
) -> None:
    _, folder, _ = onnx_export
    model = onnx.load(folder / "model.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["classes"]) == ["one", "two", "three"]
    assert metadata["normalization"] == "included"
    assert "float32 (N, C, H, W), 0 to 1" in model.doc_string
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    content = (folder / "model.onnx").read_bytes()
    assert str(Path.cwd()).encode() not in content
    assert b"site-packages" not in content


def test_the_onnx_export_prints_nothing(onnx_export: tuple[ExportResult, Path, str]) -> None:
    assert onnx_export[2] == ""


def test_the_pytorch_file_is_standalone(run: Run, tmp_path: Path) -> None:
    result = exporters()["pytorch"].export(run, tmp_path)
    assert names(tmp_path) == {"model.py", "model.safetensors"}
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-4
    source = (tmp_path / "model.py").read_text()
    assert "class EveryKind(nn.Sequential):" in source
    assert "import cnnstudio" not in source
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(SystemExit, match=r"Cannot read the weights: model\.safetensors is damaged\."):
        runpy.run_path(str(tmp_path / "model.py"), run_name="__main__")
    weights.write_bytes(save({"other": torch.zeros(3)}))
    with pytest.raises(SystemExit, match=r"Cannot use the weights: model\.safetensors is of another network"):
        runpy.run_path(str(tmp_path / "model.py"), run_name="__main__")
    weights.unlink()
    with pytest.raises(SystemExit, match="Cannot read the weights: No such file"):
        runpy.run_path(str(tmp_path / "model.py"), run_name="__main__")
    assert '"three"' in source


def test_progress_is_reported_to_the_end(run: Run, tmp_path: Path) -> None:
    reports: list[Progress] = []
    exporters()["safetensors"].export(run, tmp_path, progress=reports.append)
    # More than one may come before the first step: the confidences may have to be calibrated.
    done = [Fraction(progress.done, progress.total or 1) for progress in reports]
    assert done == sorted(done)
    assert {Fraction(step, 3) for step in range(4)} <= set(done)
    assert all(fraction < Fraction(1, 3) or (3 * fraction).denominator == 1 for fraction in done)
    assert all(progress.total and progress.text for progress in reports)


# The verification


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda logits: logits + 1, "logits differ by 1"),
        (lambda logits: logits * np.nan, "NaN or infinite"),
        (lambda logits: logits[:, :2], r"logits of shape \(16, 2\), the original \(16, 3\)"),
    ],
)
def test_a_model_with_other_results_is_refused(
    change: object, expected: str, run: Run, tmp_path: Path
) -> None:
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    assert callable(change)
    with pytest.raises(ExportFailed, match=expected):
        verification.compare(change(verification._logits))


def test_rounding_is_tolerated(run: Run, tmp_path: Path) -> None:
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    verification.compare(verification._logits + TOLERANCE / 2)
    assert verification.largest_difference == pytest.approx(TOLERANCE / 2, rel=0.1)


def test_a_model_that_fails_in_a_fresh_process_is_refused_with_the_reason(run: Run, tmp_path: Path) -> None:
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    with pytest.raises(ExportFailed, match="ValueError: no such operator"):
        verification.compare_in_fresh_process("raise ValueError('no such operator')")


def test_the_fresh_process_does_not_import_from_the_export_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong numpy')")
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    logits = verification._logits.tolist()
    verification.compare_in_fresh_process(f"results = [numpy.array({logits!r}, dtype='float32')]")
    assert sum(BATCHES) == len(logits)


def test_images_of_the_runs_data_set_are_compared_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(run), "dataset_name", "shapes")
    monkeypatch.setattr("cnnstudio.export.verification._SECONDS", 60.0)
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    verification.compare(verification._logits)
    assert len(verification.images) == 1_008
    assert "(1,008 images, 1,000 from the data set)" in verification.summary
    # All of them reach the other program, batch by batch.
    np.save(tmp_path / "expected.npy", verification._logits)
    verification.compare_in_fresh_process(
        "expected = numpy.load('expected.npy')\n"
        "results = [expected[start:start + size] for start, size in zip(starts, map(len, batches))]"
    )


def test_a_slow_model_is_compared_on_fewer_images(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(run), "dataset_name", "shapes")
    monkeypatch.setattr("cnnstudio.export.verification._SECONDS", 0.0)
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    verification.compare(verification._logits)
    assert "(16 images, 8 from the data set)" in verification.summary


def test_the_compared_images_are_of_all_classes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of classes the first images are all of the first class."""
    labels = np.repeat(np.arange(3), 400)
    images = np.broadcast_to(labels.astype(np.uint8)[:, None, None, None], (1_200, 3, 12, 10))
    split = Split(images, labels)
    source = SimpleNamespace(
        load=lambda cancelled: Dataset("sorted", "Sorted", ("a", "b", "c"), split, split)
    )
    monkeypatch.setattr("cnnstudio.export.verification.find_source", lambda name: source)
    monkeypatch.setattr("cnnstudio.export.verification._SECONDS", 0.0)
    verification = Verification(run, run.model(), tmp_path, lambda: False)
    assert set(verification.images[:8, 0, 0, 0].tolist()) == {0, 1, 2}


# Errors


def broken(*results: object) -> type[Onnx]:
    """An exporter that writes a file that fails verification."""

    class Broken(Onnx):
        def write(self, run: Run, model: object, folder: Path) -> None:
            (folder / "model.onnx").write_bytes(b"new")

        def verify(self, verification: Verification) -> None:
            verification.compare(verification._logits + 1)

    return Broken


def test_files_that_fail_verification_replace_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"old")
    with pytest.raises(ExportFailed):
        broken()().export(run, tmp_path)
    assert names(tmp_path) == {"model.onnx"}
    assert (tmp_path / "model.onnx").read_bytes() == b"old"


def test_without_verification_the_message_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"old")
    result = broken()().export(run, tmp_path, verify=False)
    assert (tmp_path / "model.onnx").read_bytes() == b"new"
    assert result.largest_difference is None
    assert "Not compared" in result.message


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_cancelling_at_any_point_leaves_nothing(run: Run, tmp_path: Path, after: int) -> None:
    answers = iter([False] * after + [True] * 1000)
    folder = tmp_path / "new"
    with pytest.raises(Cancelled):
        exporters()["pytorch"].export(run, folder, cancelled=lambda: next(answers))
    assert not folder.exists()


def test_an_unwritable_folder_is_reported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="choose another folder"):
        exporters()["safetensors"].export(run, tmp_path / "file" / "model")


def test_a_file_that_cannot_be_replaced_is_reported(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors" / "below").mkdir(parents=True)
    with pytest.raises(ExportError, match="is not writable"):
        exporters()["safetensors"].export(run, tmp_path)


def test_a_network_that_torch_cannot_export_is_reported(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("Unsupported operator\nand a page more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ExportFailed, match=r"to ONNX: Unsupported operator$"):
        exporters()["onnx"].export(run, tmp_path)
    assert names(tmp_path) == set()


def test_a_run_without_weights_is_refused(run: Run, tmp_path: Path) -> None:
    empty = Run(tmp_path / "empty", run.metadata)
    shutil.copytree(run.folder, empty.folder, ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(RunError, match="has no saved weights"):
        exporters()["safetensors"].export(empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wanted", [["keras"], ["onnx", "pt2"], [], [""]])
def test_the_error_for_an_unknown_format_lists_the_known_ones(wanted: Sequence[str]) -> None:
    with pytest.raises(ExportError, match="choose from safetensors, onnx, pytorch"):
        select_exporters(wanted)


def test_formats_are_case_insensitive_and_duplicates_are_dropped() -> None:
    chosen = select_exporters([" ONNX", "onnx", "pytorch"])
    assert [exporter.name for exporter in chosen] == ["onnx", "pytorch"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not Unicode")
@pytest.mark.parametrize("name", exporters())
def test_names_that_are_not_utf8_are_exported(name: str, run: Run, tmp_path: Path) -> None:
    strange, folder = os.fsdecode(b"caf\xe9"), tmp_path / os.fsdecode(b"out\xff")
    copy = tmp_path / os.fsdecode(b"run\xfe")
    shutil.copytree(run.folder, copy)
    classes = [strange, "two", "three"]
    write_json(copy / "run.json", {**read_json(copy / "run.json"), "classes": classes})

    result = exporters()[name].export(Run.open(copy), folder)
    assert result.largest_difference is not None
    if name == "onnx":
        found = {entry.key: entry.value for entry in onnx.load(folder / "model.onnx").metadata_props}
    else:
        data = (folder / "model.safetensors").read_bytes()
        found = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert json.loads(found["classes"]) == classes
