"""Reads an ONNX file as a design with weights, and notes each node that no layer here expresses.

The file is data: its graph is followed node by node, nothing in it is run. A design never differs from the
file without a note that says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnstudio.core.errors import UserError
from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import (
    CancelFunction,
    Cancelled,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
)
from cnnstudio.design.edits import rename
from cnnstudio.design.network import Network
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.interpreter.graph import SymbolicTensor, UnsupportedTopology, items_between
from cnnstudio.interchange.onnx import own_exports
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.assembly import Assembled, assemble
from cnnstudio.interchange.onnx.errors import NotExpressibleError, OnnxError
from cnnstudio.interchange.onnx.file.model import Graph, read_graph
from cnnstudio.interchange.onnx.inputs import ImageInput, image_inputs
from cnnstudio.interchange.onnx.merging import vector
from cnnstudio.interchange.onnx.operators.images import as_vector
from cnnstudio.interchange.onnx.remarks import grouped
from cnnstudio.interchange.onnx.tracer import Start, Traced, trace
from cnnstudio.interchange.onnx.two_classes import with_two_scores
from cnnstudio.interchange.onnx.values import Features, Inexpressible
from cnnstudio.interchange.onnx.views import is_plain_order, plain
from cnnstudio.interchange.onnx.weights import check_weights
from cnnstudio.interchange.source import MAXIMUM_NOTES, ImportedDesign, Notes

_log = logging.getLogger(__name__)

OLDEST_OPSET, NEWEST_OPSET = 7, 26
"""The versions of ONNX's operators that are known here; see onnx/docs/Versioning.md."""
_QUANTIZED = (
    "QLinear",
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantize",
    "ConvInteger",
    "MatMulInteger",
)
_LISTED = 8
_MAX_NAME = 100
_BYTE = 255

Normalization = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, for pixel values from 0 to 1."""


@dataclass(frozen=True)
class OnnxSource:
    """How to give an image to the file, and what comes out, to compare it with the design."""

    path: Path
    input: ImageInput
    output: str
    pixel_maximum: int
    """1 or 255: the value of a white pixel."""
    is_log: bool
    """Whether the output is the logarithm of probabilities."""
    is_binary: bool
    """Whether the output is the probability of the second of two classes."""


@dataclass(frozen=True)
class ImportedOnnx:
    """A design, its weights by their names in its model, and how the file normalizes images."""

    design: ImportedDesign
    weights: Mapping[str, Array]
    normalization: Normalization | None
    """None if the file does not normalize images."""
    source: OnnxSource
    is_exact: bool
    """Whether the design computes what the file computes."""


def read_onnx(
    path: Path,
    *,
    output: str = "",
    size: tuple[int, int] | None = None,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> ImportedOnnx:
    """The network in an ONNX file.

    `output` names one of several outputs; `size` is the height and width of images where the file leaves them
    open. Raises OnnxError, CodeError and Cancelled.
    """
    try:
        return _read(path, output, size, progress, cancelled)
    except OnnxError as error:
        text = str(error)
        named = text if path.name in text else f"{path.name}: {text}"
        raise type(error)(named if named.endswith(".") else f"{named}.") from None
    except CodeError as error:
        raise OnnxError(f"{path.name}: {error}.") from None
    except RecursionError:
        raise OnnxError(f"{path.name}: the network is nested too deeply.") from None
    except MemoryError:
        raise OnnxError(f"{path.name}: there is not enough memory to read it.") from None
    except (UserError, Cancelled):
        raise
    except Exception:
        # A file from anywhere may contain what no test has: the log tells, and the program goes on.
        _log.exception("Cannot read the ONNX file")
        raise OnnxError(f"{path.name}: it cannot be read: it is unlike any file of a network.") from None


def _read(
    path: Path,
    output: str,
    size: tuple[int, int] | None,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> ImportedOnnx:
    graph = read_graph(path)
    _require_readable(graph)
    names = [each.name for each in graph.outputs if each.name]
    chosen = _chosen(names, output)
    if graph.producer == own_exports.PRODUCER and chosen != own_exports.FEATURES:
        # Each export computes them anew, for “not sure”.
        names = [name for name in names if name != own_exports.FEATURES]
    if chosen is None:
        listed = ", ".join(shorten(name) for name in names[:_LISTED])
        raise OnnxError(f"there is no output “{shorten(output)}” in the file; there is {listed}")
    found = [_Attempt(graph, each, chosen, cancelled) for each in image_inputs(graph, size)]
    # The first reading of the input that layers express from end to end, or else that goes farthest.
    best = next((each for each in found if each.is_complete), max(found, key=lambda each: each.length))
    notes = Notes()
    assembled = best.assemble()
    input_ = best.input
    normalization, maximum = _normalization(assembled, input_, notes)
    if graph.opset > NEWEST_OPSET:
        notes.add(0, f"its operators are of version {graph.opset}; those up to {NEWEST_OPSET} are known here")
    is_exact = assembled.is_exact and best.is_exact
    said = grouped([*best.remarks, *assembled.remarks])
    for number, text in enumerate([*said, *input_.notes, *_output_notes(names, output)]):
        if number < MAXIMUM_NOTES - 1 or number == len(said) - 1:
            notes.add(0, text)
    check_weights(assembled.weights, progress, cancelled)
    network, weights = rename(Network(input_.shape, assembled.nodes), path.stem), assembled.weights
    two = with_two_scores(network, weights) if best.is_complete else None
    if two is not None:
        network, weights = two
        notes.add(0, "one sigmoid unit tells two classes apart; it becomes two units with softmax")
    others = tuple(shorten(name, _MAX_NAME) for name in names if name != chosen)
    design = ImportedDesign(
        network,
        {},
        notes.all(),
        "onnx",
        (shorten(chosen, _MAX_NAME), *others) if others else (),
    )
    source = OnnxSource(path, input_, chosen, maximum, best.traced.is_log, two is not None)
    return ImportedOnnx(design, weights, normalization, source, is_exact)


def _require_readable(graph: Graph) -> None:
    if not graph.operations:
        raise OnnxError("there is no network in the file")
    if not any(each.name for each in graph.outputs):
        raise OnnxError("the network in the file has no output")
    if not graph.opset:
        raise OnnxError("it does not say of which version its operators are")
    if graph.opset < OLDEST_OPSET:
        raise OnnxError(
            f"its operators are of version {graph.opset}, and those from {OLDEST_OPSET} on are read: "
            "convert it with onnx.version_converter"
        )
    quantized = next((each for each in graph.operations if each.kind.startswith(_QUANTIZED)), None)
    if quantized is not None:
        raise OnnxError(
            f"it is quantized ({quantized.label}), and integer weights cannot be trained: import the "
            "file as it was before quantization"
        )


class _Attempt:
    """The graph, read with one meaning of its input."""

    def __init__(self, graph: Graph, input_: ImageInput, output: str, cancelled: CancelFunction) -> None:
        self.input = input_
        start = Start(input_.name, input_.shape, input_.view, input_.batch or 1)
        self.traced: Traced = trace(graph, start, output, cancelled)
        self.remarks: list[str] = []
        self.is_exact = self.is_complete
        """Whether nothing that follows is left out, or in another order."""

    @property
    def is_complete(self) -> bool:
        return not isinstance(self.traced.value, Inexpressible)

    @property
    def length(self) -> int:
        """How many steps layers express."""
        last = self.traced.last
        return 1_000_000 if self.is_complete else 0 if last is None else last.tensor.depth

    def assemble(self) -> Assembled:
        """The design. Raises OnnxError if there is none."""
        value = self.traced.value
        if isinstance(value, Array):
            raise OnnxError("its output does not depend on the image")
        features: Features | None
        if isinstance(value, Inexpressible):
            features = self.traced.last
            self.remarks += [cause.note for cause in value.causes]
            if features is None:
                raise OnnxError(f"no layer here expresses how the network begins: {value.causes[0].note}")
            self.remarks.append("the network is imported up to there; what follows is left out")
        else:
            features = self._finished(value)
        tensor: SymbolicTensor | None = features.tensor
        while tensor is not None and tensor is not self.traced.start:
            try:
                return assemble(items_between(self.traced.start, tensor), self.input.shape)
            except UnsupportedTopology:
                self.is_exact = False
                tensor = tensor.dominator
                self.remarks.append(
                    "its branches meet in a way that groups do not express; it is imported up to there"
                )
        raise OnnxError("no layer here expresses how the network begins")

    def _finished(self, features: Features) -> Features:
        """The features as the output: a flat vector in the design's order, or an image."""
        if len(features.view) == 1:
            features = as_vector(features)
        if not is_plain_order(features.view) and features.view != plain(features.shape):
            self.is_exact = False
            self.remarks.append("the file gives its outputs in another order than the design")
        return features


def _chosen(names: list[str], output: str) -> str | None:
    """The output of that name, by default the first; None if there is none. Shown names may be shortened."""
    if not output:
        return names[0]
    return next((name for name in names if output in (name, shorten(name, _MAX_NAME))), None)


def _output_notes(names: list[str], chosen: str) -> list[str]:
    if len(names) < 2 or chosen:
        return []
    others = ", ".join(f"“{shorten(name)}”" for name in names[1:_LISTED])
    return [f"the file has {len(names)} outputs; the first, “{shorten(names[0])}”, is imported, not {others}"]


def _normalization(
    assembled: Assembled, input_: ImageInput, notes: Notes
) -> tuple[Normalization | None, int]:
    """(mean and standard deviation of what the file does to pixels first, the value of a white pixel)."""
    maximum = _BYTE if input_.is_integer else 1
    affine = assembled.normalization
    if affine is None:
        return (None, maximum) if maximum == 1 else (_of_bytes(np.zeros(1), np.ones(1), input_), maximum)
    channels = input_.shape.channels
    try:
        scale = vector(affine.scale, channels, 1.0).small().astype(np.float64)
        shift = vector(affine.shift, channels, 0.0).small().astype(np.float64)
    except NotExpressibleError as error:
        raise OnnxError(
            f"the image is normalized in another way than channel by channel: it {error}"
        ) from None
    if not (np.isfinite(scale).all() and np.isfinite(shift).all() and np.abs(scale).min() > 1e-12):
        raise OnnxError("the image is multiplied by zero, or by a value that is NaN or infinite")
    # x * scale + shift = (x - mean) / std.
    std, mean = 1 / scale, -shift / scale
    if np.abs(std).min() > _BYTE / 50:
        # No deviation of pixel values from 0 to 1 is that large.
        maximum = _BYTE
    if std.min() <= 0:
        raise OnnxError("the image is turned into its negative, which no normalization here does")
    return _of_bytes(mean, std, input_, maximum), maximum


def _of_bytes(mean: np.ndarray, std: np.ndarray, input_: ImageInput, maximum: int = _BYTE) -> Normalization:
    """For pixel values from 0 to 1."""
    count = input_.shape.channels
    means, stds = (np.broadcast_to(each / maximum, count) for each in (mean, std))
    return tuple(map(float, means)), tuple(map(float, stds))
