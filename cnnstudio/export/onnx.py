"""The whole model, normalization included, as an ONNX file."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio import __version__
from cnnstudio.export.base import Exporter
from cnnstudio.export.errors import ExportFailed
from cnnstudio.export.weights import about

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cnnstudio.export.verification import Proof
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

ONNX_FILE = "model.onnx"
LARGEST_IN_ONE_FILE = 1_500_000_000
"""Bytes of weights. A protobuf file ends at 2 GB; what is larger goes into a file beside it."""

_PROGRAM = f"""
import onnxruntime
session = onnxruntime.InferenceSession({ONNX_FILE!r}, providers=["CPUExecutionProvider"])
results = [session.run(["logits"], {{"pixels": batch}})[0] for batch in batches]
"""


class Onnx(Exporter):
    name = "onnx"
    title = "ONNX"
    description = "model.onnx for ONNX Runtime, browsers and phones; the normalization is inside."
    order = 1
    files = (ONNX_FILE,)
    usage = (
        "It takes “pixels”, float32 (N, C, H, W) from 0 to 1, not normalized, "
        "and gives “logits”, the scores before the softmax."
    )

    def write(self, run: Run, model: Model, folder: Path) -> None:
        import torch

        example = torch.zeros(2, *run.network.input.dims)
        large = sum(tensor.nbytes for tensor in model.state_dict().values()) > LARGEST_IN_ONE_FILE
        try:
            with _quiet():
                torch.onnx.export(
                    _with_normalization(model),
                    (example,),
                    folder / ONNX_FILE,
                    dynamo=True,
                    input_names=["pixels"],
                    output_names=["logits"],
                    dynamic_shapes=({0: torch.export.Dim("batch")},),
                    external_data=large,
                    verbose=False,
                )
        except Exception as error:
            # torch.onnx raises errors of many kinds, and its reasons run over pages.
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ExportFailed(f"torch cannot write this network as ONNX: {reason[:300]}") from error
        _describe(folder / ONNX_FILE, run, model)

    def prove(self, proof: Proof) -> None:
        proof.compare_elsewhere(_PROGRAM)


def _with_normalization(model: Model) -> nn.Module:
    import torch
    from torch import nn

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.mean = nn.Buffer(torch.tensor(model.mean).view(1, -1, 1, 1))
            self.std = nn.Buffer(torch.tensor(model.std).view(1, -1, 1, 1))

        def forward(self, pixels: Tensor) -> Tensor:
            scores: Tensor = self.model((pixels - self.mean) / self.std)
            return scores

    return Whole().eval()


def _describe(path: Path, run: Run, model: Model) -> None:
    """Says in the file what it takes and gives; drops the source lines that torch notes in every node."""
    import onnx

    # The weights of a very large model stand beside the file and are not needed here.
    whole = onnx.load(path, load_external_data=False)
    for part in (whole.graph.node, whole.graph.input, whole.graph.output, whole.graph.value_info):
        for entry in part:
            entry.ClearField("metadata_props")
    for initializer in whole.graph.initializer:
        initializer.ClearField("metadata_props")
    whole.graph.ClearField("metadata_props")
    whole.graph.name = run.network.name
    whole.producer_name, whole.producer_version = "CNN Studio", __version__
    whole.doc_string = Onnx.usage
    facts = {**about(run, model), "normalization": "included", "output": "logits"}
    onnx.helper.set_model_props(
        whole, {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    )
    path.write_bytes(whole.SerializeToString())
    onnx.checker.check_model(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch.onnx reports every step on standard output and in the log, and warns of its own deprecations."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
