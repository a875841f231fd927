"""Whether an imported design gives the scores that its ONNX file gives, computed by ONNX Runtime."""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, never_cancelled, raise_if_cancelled
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import without_final_softmax
from cnnstudio.interchange.onnx.reader import ImportedOnnx
from cnnstudio.interchange.onnx.weights import values_of
from cnnstudio.training.model import build_model

if TYPE_CHECKING:
    import onnxruntime

_log = logging.getLogger(__name__)

MAXIMUM_BYTES = 2**30
"""Larger files are not compared: both networks have to be in memory."""
TOLERANCE = 1e-4
"""Of the largest score, at least of 1: rounding differs by that much in very deep networks."""
_IMAGES = 2
_MAXIMUM_VALUES = 2**28
"""Of the largest layer, for all images at once: 1 GB."""

_NUMPY_TYPES: Mapping[str, type] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}
"""Of ONNX Runtime's names."""


@dataclass(frozen=True)
class ScoreComparison:
    """How the scores differ, or why they were not compared."""

    largest_difference: float | None = None
    """As a fraction of the largest score, at least of 1."""
    reason: str = ""
    """Why nothing was compared; empty if it was."""

    @property
    def agrees(self) -> bool:
        return self.largest_difference is not None and self.largest_difference <= TOLERANCE

    @property
    def text(self) -> str:
        """One line, without a period."""
        if self.largest_difference is None:
            return f"The scores were not compared with the file: {self.reason}"
        if self.agrees:
            return (
                f"The scores agree with the file, computed by ONNX Runtime, to {self.largest_difference:.0e}"
            )
        return f"The scores differ from those of the file by up to {self.largest_difference:.2g}"


def compare_scores(imported: ImportedOnnx, cancelled: CancelFunction = never_cancelled) -> ScoreComparison:
    """Compares on random images. Raises OnnxError if the weights cannot be read; Cancelled."""
    size = sum(array.size * 4 for array in imported.weights.values())
    network = imported.design.network
    analysis = analyze(network)
    problems = analysis.problems
    if not imported.is_exact:
        return ScoreComparison(reason="the design differs from it, as the notes say")
    if problems:
        return ScoreComparison(reason=f"the design has a problem: {problems[0].full_message}")
    if size > MAXIMUM_BYTES:
        return ScoreComparison(reason=f"it has more than {MAXIMUM_BYTES // 2**30} GB of weights")
    if importlib.util.find_spec("onnxruntime") is None:
        return ScoreComparison(reason="ONNX Runtime is not installed: pip install onnxruntime")
    count = imported.source.input.batch or _IMAGES
    shapes = [network.input, *filter(None, (each.output for each in analysis.reports))]
    if count * max(math.prod(each.dims) for each in shapes) > _MAXIMUM_VALUES:
        images_at_once = pluralize(count, "image")
        return ScoreComparison(reason=f"it takes too much memory to compute {images_at_once} at once")
    images = np.random.default_rng(0).random((count, *network.input.dims), np.float32)
    theirs = _scores_of_file(imported, images)
    if isinstance(theirs, str):
        return ScoreComparison(reason=theirs)
    raise_if_cancelled(cancelled)
    ours = _scores_of_design(imported, images)
    if ours.size != theirs.size:
        return ScoreComparison(reason=f"the file gives {theirs.size // count:,} scores per image")
    difference = np.abs(ours.reshape(count, -1) - theirs.reshape(count, -1)).max()
    if not np.isfinite(difference):
        return ScoreComparison(reason="the file gives scores that are NaN or infinite")
    return ScoreComparison(float(difference / max(1.0, np.abs(theirs).max())))


def _scores_of_file(imported: ImportedOnnx, images: np.ndarray) -> np.ndarray | str:
    """The file's scores for images (N, C, H, W) with values from 0 to 1, or why there are none."""
    import onnxruntime

    source = imported.source
    given = images * source.pixel_maximum
    arranged = given.transpose(0, *(axis + 1 for axis in source.input.order))
    arranged = arranged.reshape(len(images), *source.input.dims)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(source.path), options, providers=["CPUExecutionProvider"])
        feed = _unused_inputs(session, source.input.name)
        feed[source.input.name] = arranged.astype(source.input.numpy_type)
        (scores,) = session.run([source.output], feed)
        return np.asarray(scores, np.float32)
    except Exception as error:
        # ONNX Runtime raises many types of errors, with messages of several lines.
        _log.info("ONNX Runtime cannot run %s: %s", source.path, error)
        return "ONNX Runtime cannot run it"


def _unused_inputs(session: onnxruntime.InferenceSession, used: str) -> dict[str, np.ndarray]:
    """Zeros for inputs that the scores do not depend on: tf2onnx leaves over what it has computed already.

    Raises KeyError for other types of values, MemoryError if they are large.
    """
    found: dict[str, np.ndarray] = {}
    for each in session.get_inputs():
        if each.name != used:
            dims = [size if isinstance(size, int) else 1 for size in each.shape]
            if math.prod(dims) > _MAXIMUM_VALUES:
                raise MemoryError
            found[each.name] = np.zeros(dims, _NUMPY_TYPES[each.type])
    return found


def _scores_of_design(imported: ImportedOnnx, images: np.ndarray) -> np.ndarray:
    """The design's scores for the same images, as the file gives them: as probabilities if it does."""
    network = imported.design.network
    model = build_model(network).eval()
    state = {
        name: torch.from_numpy(values_of(name, array).copy()) for name, array in imported.weights.items()
    }
    model.load_state_dict(state)
    if imported.normalization is not None:
        model.set_normalization(*imported.normalization)
    mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in (model.mean, model.std))
    # Integer pixels are whole numbers.
    maximum = imported.source.pixel_maximum
    pixels = torch.from_numpy(images)
    if imported.source.input.is_integer:
        pixels = (pixels * maximum).trunc() / maximum
    with torch.no_grad():
        scores = model((pixels - mean) / std)
    if without_final_softmax(network.nodes) != network.nodes:
        scores = scores.log_softmax(1) if imported.source.is_log else scores.softmax(1)
    found: np.ndarray = scores[:, 1:].numpy() if imported.source.is_binary else scores.numpy()
    return found
