"""The model, including normalization, as an ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from cnnstudio import __version__
from cnnstudio.core.formatting import escape_bytes
from cnnstudio.export.base import Exporter
from cnnstudio.export.errors import ExportFailed
from cnnstudio.export.examples import onnx_example
from cnnstudio.export.training_features import FEATURES_FILE, distance_in
from cnnstudio.export.weights import metadata_texts, model_metadata
from cnnstudio.interchange.onnx import own_exports

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cnnstudio.export.verification import Verification
    from cnnstudio.interchange.pytorch.file import TrainingDistance
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

ONNX_FILE = "model.onnx"
FEATURES_USAGE = f"Output “features”: to compare with those in {FEATURES_FILE}, for “not sure”."
MAX_BYTES_IN_ONE_FILE = 1_500_000_000
"""Weights above this size go into a second file, because a protobuf file cannot exceed 2 GB."""

_SCRIPT = f"""
import onnxruntime
session = onnxruntime.InferenceSession({ONNX_FILE!r}, providers=["CPUExecutionProvider"])
results = [session.run(["logits"], {{"pixels": batch}})[0] for batch in batches]
"""
_DISTANCES = f"""
import safetensors.numpy
known = safetensors.numpy.load_file({FEATURES_FILE!r})["features"].astype(numpy.float32)
found = [session.run(["features"], {{"pixels": batch}})[0] for batch in batches]
similar = [each @ known.T for each in found]
distances = [1 - numpy.partition(each, -NEIGHBORS, axis=1)[:, -NEIGHBORS] for each in similar]
"""


class Onnx(Exporter):
    name = "onnx"
    title = "ONNX"
    description = "model.onnx for ONNX Runtime, browsers and phones; normalization included."
    order = 1
    files = (ONNX_FILE,)
    compares_images = True
    usage = (
        "Input: “pixels”, float32 (N, C, H, W), 0 to 1, not normalized. Output: “logits”, before the softmax."
    )
    needs = MappingProxyType({"onnx": "The package onnx", "onnxscript": "The package onnxscript"})
    verification_needs = MappingProxyType({"onnxruntime": "ONNX Runtime"})

    def write(self, run: Run, model: Model, folder: Path) -> None:
        import torch

        example = torch.zeros(2, *run.network.input.dims)
        distance = distance_in(folder)
        outputs = ["logits"] if distance is None else ["logits", own_exports.FEATURES]
        large = sum(tensor.nbytes for tensor in model.state_dict().values()) > MAX_BYTES_IN_ONE_FILE
        try:
            layer = None if distance is None else distance.layer
            with _quiet(), _with_normalization(model, layer) as normalized:
                torch.onnx.export(
                    normalized,
                    (example,),
                    folder / ONNX_FILE,
                    dynamo=True,
                    input_names=["pixels"],
                    output_names=outputs,
                    dynamic_shapes=({0: torch.export.Dim("batch")},),
                    external_data=large,
                    verbose=False,
                )
        except Exception as error:
            # torch.onnx raises many types of errors, with messages of several pages.
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ExportFailed(f"torch cannot export this network to ONNX: {reason[:300]}") from error
        _add_metadata(folder / ONNX_FILE, run, model, distance, is_large=large)

    def verify(self, verification: Verification) -> None:
        script = _SCRIPT
        distance = distance_in(verification.folder)
        if distance is not None:
            script += _DISTANCES.replace("NEIGHBORS", str(distance.neighbors))
        verification.compare_in_fresh_process(script)

    def example(self, folder: Path, run: Run) -> str:
        distance = distance_in(folder)
        features = None if distance is None else folder / distance.file
        return onnx_example(folder / ONNX_FILE, run.resize, flip=run.recipe.test_time_flip, features=features)


@contextlib.contextmanager
def _with_normalization(model: Model, layer: str | None) -> Iterator[nn.Module]:
    """The model with the normalization of pixels; with a `layer`, also the features that it gets."""
    import torch
    from torch import nn

    from cnnstudio.insight.curation.features import normalize_features

    seen: list[Tensor] = []

    class NormalizedModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.mean = nn.Buffer(torch.tensor(model.mean).view(1, -1, 1, 1))
            self.std = nn.Buffer(torch.tensor(model.std).view(1, -1, 1, 1))

        def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            """Logits float32 (N, classes) for pixels float32 (N, C, H, W), 0 to 1, not normalized.

            With a layer, its features as well, float32 (N, values), rows of length 1.
            """
            seen.clear()
            logits: Tensor = self.model((pixels - self.mean) / self.std)
            return (logits, normalize_features(seen[0])) if seen else logits

    with contextlib.ExitStack() as stack:
        if layer is not None:
            last = model.get_submodule(layer)
            handle = last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
            stack.callback(handle.remove)
        yield NormalizedModel().eval()


def _add_metadata(
    path: Path, run: Run, model: Model, distance: TrainingDistance | None, *, is_large: bool
) -> None:
    """Adds the model's documentation to the file and removes this computer's paths, which torch adds."""
    import onnx

    # The weights of a very large model are in a second file and are not needed here.
    proto = onnx.load(path, load_external_data=False)
    graph = proto.graph
    for part in (graph.node, graph.input, graph.output, graph.value_info):
        for entry in part:
            entry.ClearField("metadata_props")
    for initializer in graph.initializer:
        initializer.ClearField("metadata_props")
    graph.ClearField("metadata_props")
    graph.name = escape_bytes(run.network.name)
    proto.producer_name, proto.producer_version = own_exports.PRODUCER, __version__
    proto.doc_string = Onnx.usage if distance is None else f"{Onnx.usage} {FEATURES_USAGE}"
    metadata = {**model_metadata(run, model, distance), "normalization": "included", "output": "logits"}
    onnx.helper.set_model_props(proto, metadata_texts(metadata))
    path.write_bytes(proto.SerializeToString())
    # Not the path, which the checker takes only if it is UTF-8, unless the weights are in a second file.
    onnx.checker.check_model(path if is_large else proto)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences torch.onnx, which prints and logs every step and warns of deprecations in its own code."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
