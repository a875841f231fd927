"""Exporters: what they write, that it is proven, and that nothing half-done stays behind."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.design.file import read_design
from cnnstudio.export import ExportError, ExportFailed, ExportResult, chosen_exporters, exporters
from cnnstudio.export.onnx import Onnx
from cnnstudio.export.verification import BATCHES, TOLERANCE, Proof
from cnnstudio.runs.run import Run, RunError


@pytest.fixture(scope="module")
def onnx_export(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[ExportResult, Path, str]:
    """The ONNX export, its folder and what it printed; made once, for torch takes seconds for it."""
    folder, printed = tmp_path_factory.mktemp("onnx"), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        result = exporters()["onnx"].export(run, folder)
    return result, folder, printed.getvalue()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != "home"}


# What is written


def test_the_formats_are_found_and_offered_in_order() -> None:
    assert list(exporters()) == ["safetensors", "onnx", "pytorch"]
    for exporter in exporters().values():
        assert exporter.title
        assert exporter.description


def test_the_weights_carry_all_that_is_needed_to_use_them(run: Run, tmp_path: Path) -> None:
    result = exporters()["safetensors"].export(run, tmp_path)
    assert result.largest_difference == 0
    assert names(tmp_path) == {path.name for path in result.files} == {"model.safetensors", "design.cnn.json"}
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        about = file.metadata()
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
    assert json.loads(about["classes"]) == ["one", "two", "three"]
    assert len(json.loads(about["mean"])) == len(json.loads(about["std"])) == 3
    assert read_design(tmp_path / "design.cnn.json") == run.network
    state = run.model().state_dict()
    assert kept.keys() == state.keys()
    assert all(torch.equal(kept[name], state[name]) for name in kept)


def test_the_onnx_file_gives_the_same_scores_for_any_number_of_images(
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


def test_the_onnx_file_says_what_it_takes_and_nothing_of_this_machine(
    onnx_export: tuple[ExportResult, Path, str],
) -> None:
    _, folder, _ = onnx_export
    model = onnx.load(folder / "model.onnx")
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["classes"]) == ["one", "two", "three"]
    assert facts["normalization"] == "included"
    assert "float32 (N, C, H, W) from 0 to 1" in model.doc_string
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    content = (folder / "model.onnx").read_bytes()
    assert str(Path.cwd()).encode() not in content
    assert b"site-packages" not in content


def test_the_export_of_onnx_prints_nothing(onnx_export: tuple[ExportResult, Path, str]) -> None:
    assert onnx_export[2] == ""


def test_the_pytorch_file_stands_alone_with_its_weights(run: Run, tmp_path: Path) -> None:
    result = exporters()["pytorch"].export(run, tmp_path)
    assert names(tmp_path) == {"model.py", "model.safetensors"}
    assert result.largest_difference is not None
    assert result.largest_difference < 1e-4
    source = (tmp_path / "model.py").read_text()
    assert "class EveryKind(nn.Sequential):" in source
    assert "import cnnstudio" not in source
    assert '"three"' in source


def test_progress_comes_in_words_to_its_end(run: Run, tmp_path: Path) -> None:
    heard: list[Progress] = []
    exporters()["safetensors"].export(run, tmp_path, progress=heard.append)
    assert [progress.done for progress in heard] == [0, 1, 2, 3]
    assert all(progress.total == 3 and progress.text for progress in heard)


# The proof


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda scores: scores + 1, "scores differ by 1"),
        (lambda scores: scores * np.nan, "no numbers"),
        (lambda scores: scores[:, :2], "scores, not"),
    ],
)
def test_a_model_that_answers_otherwise_is_refused(
    change: object, expected: str, run: Run, tmp_path: Path
) -> None:
    proof = Proof(run, run.model(), tmp_path, lambda: False)
    assert callable(change)
    with pytest.raises(ExportFailed, match=expected):
        proof.compare(change(proof._scores))


def test_rounding_is_no_other_answer(run: Run, tmp_path: Path) -> None:
    proof = Proof(run, run.model(), tmp_path, lambda: False)
    proof.compare(proof._scores + TOLERANCE / 2)
    assert proof.largest_difference == pytest.approx(TOLERANCE / 2, rel=0.1)


def test_a_model_that_does_not_run_elsewhere_is_refused_with_the_reason(run: Run, tmp_path: Path) -> None:
    proof = Proof(run, run.model(), tmp_path, lambda: False)
    with pytest.raises(ExportFailed, match="ValueError: no such operator"):
        proof.compare_elsewhere("raise ValueError('no such operator')")


def test_elsewhere_is_a_python_that_does_not_see_the_folder_as_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError('the wrong numpy')")
    proof = Proof(run, run.model(), tmp_path, lambda: False)
    scores = proof._scores.tolist()
    proof.compare_elsewhere(f"results = [numpy.array({scores!r}, dtype='float32')]")
    assert sum(BATCHES) == len(scores)


def test_images_of_the_runs_own_data_are_among_those_compared(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(run), "dataset_name", "shapes")
    proof = Proof(run, run.model(), tmp_path, lambda: False)
    proof.compare(proof._scores)
    assert "8 of them from the data set" in proof.words


# What goes wrong


def broken(*results: object) -> type[Onnx]:
    """An exporter that writes a file and cannot prove it."""

    class Broken(Onnx):
        def write(self, run: Run, model: object, folder: Path) -> None:
            (folder / "model.onnx").write_bytes(b"new")

        def prove(self, proof: Proof) -> None:
            proof.compare(proof._scores + 1)

    return Broken


def test_what_is_not_proven_replaces_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"old")
    with pytest.raises(ExportFailed):
        broken()().export(run, tmp_path)
    assert names(tmp_path) == {"model.onnx"}
    assert (tmp_path / "model.onnx").read_bytes() == b"old"


def test_without_verification_it_is_written_and_the_message_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"old")
    result = broken()().export(run, tmp_path, verify=False)
    assert (tmp_path / "model.onnx").read_bytes() == b"new"
    assert result.largest_difference is None
    assert "were not compared" in result.message


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_cancelled_at_any_point_nothing_is_left(run: Run, tmp_path: Path, after: int) -> None:
    asked = iter([False] * after + [True] * 1000)
    folder = tmp_path / "new"
    with pytest.raises(Cancelled):
        exporters()["pytorch"].export(run, folder, cancelled=lambda: next(asked))
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="choose another folder"):
        exporters()["safetensors"].export(run, tmp_path / "file" / "model")


def test_a_file_that_cannot_be_replaced_is_an_error_in_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors" / "below").mkdir(parents=True)
    with pytest.raises(ExportError, match="nothing can be written"):
        exporters()["safetensors"].export(run, tmp_path)


def test_a_network_that_torch_cannot_write_is_refused_in_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("Unsupported operator\nand a page more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ExportFailed, match=r"as ONNX: Unsupported operator$"):
        exporters()["onnx"].export(run, tmp_path)
    assert names(tmp_path) == set()


def test_a_run_without_weights_is_refused(run: Run, tmp_path: Path) -> None:
    empty = Run(tmp_path / "empty", run.about)
    shutil.copytree(run.folder, empty.folder, ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(RunError, match="has no weights"):
        exporters()["safetensors"].export(empty, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wanted", [["keras"], ["onnx", "pt2"], [], [""]])
def test_an_unknown_format_is_answered_with_those_that_exist(wanted: Sequence[str]) -> None:
    with pytest.raises(ExportError, match="there are safetensors, onnx, pytorch"):
        chosen_exporters(wanted)


def test_formats_are_taken_once_and_whatever_their_case() -> None:
    chosen = chosen_exporters([" ONNX", "onnx", "pytorch"])
    assert [exporter.name for exporter in chosen] == ["onnx", "pytorch"]
