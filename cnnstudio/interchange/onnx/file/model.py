"""The messages of an ONNX file (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): the graph's nodes,
inputs, outputs and constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cnnstudio.core.files import open_regular
from cnnstudio.core.parameters import shorten
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.errors import OnnxError
from cnnstudio.interchange.onnx.file.tensors import TYPE_NAMES, TensorReader
from cnnstudio.interchange.onnx.file.wire import (
    BYTES,
    DAMAGED,
    FIXED32,
    MAXIMUM_FILE,
    FileBytes,
    Reader,
    Span,
    float_of,
    span_of,
)

MAXIMUM_GRAPH_NODES = 20_000

AttributeValue = int | float | str | list[int] | list[float] | Array | None


@dataclass(frozen=True, eq=False)
class Operation:
    """A node of the graph."""

    kind: str
    """Such as `Conv`."""
    domain: str
    inputs: tuple[str, ...]
    """Names; empty for an optional one that is missing."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeValue]
    """None for one of a kind that no layer needs, such as a subgraph."""
    name: str
    """As in the file; may be empty."""

    @property
    def label(self) -> str:
        """How messages name it: `node “Conv_12” (Conv)`."""
        name = self.name or next((each for each in self.outputs if each), "")
        kind = shorten(self.kind) or "no operator"
        return f"node “{shorten(name, 60)}” ({kind})" if name else f"a node ({kind})"


@dataclass(frozen=True)
class ValueInfo:
    """An input or output of the graph."""

    name: str
    type_name: str
    """Such as `float`; empty if it is not known."""
    dims: tuple[int | None, ...] | None
    """None for what is only known at run time."""


@dataclass
class Graph:
    """All that is known of a file."""

    operations: list[Operation] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: list[ValueInfo] = field(default_factory=list)
    outputs: list[ValueInfo] = field(default_factory=list)
    opset: int = 0
    producer: str = ""
    data_files: set[str] = field(default_factory=set)
    """The files beside it that hold weights."""


def read_graph(path: Path) -> Graph:
    """The graph in a file; of its weights, only shapes. Raises OnnxError."""
    source = FileBytes.of(path)
    try:
        with open_regular(path, MAXIMUM_FILE) as file:
            source.require_unchanged(file)
            return _Messages(source, Reader(file, source.size)).model()
    except OSError as error:
        raise OnnxError(f"{path.name} cannot be read ({error.strerror})") from None


class _Messages:
    """One method per kind of message; numbers are those of its fields in onnx.proto."""

    def __init__(self, source: FileBytes, reader: Reader) -> None:
        self._reader = reader
        self._graph = Graph()
        self._tensors = TensorReader(source, reader)

    def model(self) -> Graph:
        spans, reader, opset = list[Span](), self._reader, 0
        if not reader.size:
            raise OnnxError("the file is empty")
        for number, wire, value in reader.fields((0, reader.size)):
            if number == 7 and wire == BYTES:
                spans.append(span_of(value))
            elif number == 2 and wire == BYTES:
                self._graph.producer = shorten(reader.text(value))
            elif number == 8 and wire == BYTES:
                domain, version = self._opset(span_of(value))
                opset = version if domain in ("", "ai.onnx") else opset
        if len(spans) != 1:
            raise OnnxError(DAMAGED)
        self._read_graph(spans[0])
        self._graph.opset = opset
        self._graph.data_files = set(self._tensors.data_files)
        return self._graph

    def _opset(self, span: Span) -> tuple[str, int]:
        domain, version = "", 0
        for number, wire, value in self._reader.fields(span):
            if number == 1 and wire == BYTES:
                domain = self._reader.text(value)
            elif number == 2 and isinstance(value, int):
                version = value
        return domain, version

    def _read_graph(self, span: Span) -> None:
        graph = self._graph
        for number, wire, value in self._reader.fields(span):
            if wire != BYTES:
                continue
            inner = span_of(value)
            if number == 1:
                graph.operations.append(self._operation(inner))
                if len(graph.operations) > MAXIMUM_GRAPH_NODES:
                    raise OnnxError(f"it has more than {MAXIMUM_GRAPH_NODES:,} nodes")
            elif number == 5:
                name, array = self._tensors.read(inner)
                if name in graph.constants:
                    raise OnnxError(f"two constants have the name “{shorten(name)}”")
                graph.constants[name] = array
            elif number == 11:
                graph.inputs.append(self._value_info(inner))
            elif number == 12:
                graph.outputs.append(self._value_info(inner))
            elif number == 15:
                raise OnnxError("it has sparse weights, which no layer here has")

    def _operation(self, span: Span) -> Operation:
        inputs, outputs = list[str](), list[str]()
        name = kind = domain = ""
        attributes: dict[str, AttributeValue] = {}
        for number, wire, value in self._reader.fields(span):
            if wire != BYTES:
                continue
            if number == 1:
                inputs.append(self._reader.text(value))
            elif number == 2:
                outputs.append(self._reader.text(value))
            elif number == 3:
                name = self._reader.text(value)
            elif number == 4:
                kind = self._reader.text(value)
            elif number == 5:
                key, found = self._attribute(span_of(value))
                attributes[key] = found
            elif number == 7:
                domain = self._reader.text(value)
        domain = "" if domain == "ai.onnx" else domain
        return Operation(kind, domain, tuple(inputs), tuple(outputs), attributes, name)

    def _attribute(self, span: Span) -> tuple[str, AttributeValue]:
        name, kind, found = "", 0, dict[int, AttributeValue]()
        numbers, floats = list[int](), list[float]()
        for number, wire, value in self._reader.fields(span):
            if number == 1 and wire == BYTES:
                name = self._reader.text(value)
            elif number == 2 and wire == FIXED32 and isinstance(value, int):
                found[1] = float_of(value)
            elif number == 3 and isinstance(value, int):
                found[2] = self._reader.integers(0, value)[0]
            elif number == 4 and wire == BYTES:
                found[3] = self._reader.text(value)
            elif number == 5 and wire == BYTES:
                found[4] = self._tensors.read(span_of(value))[1]
            elif number == 7:
                floats += self._reader.floats(wire, value)
            elif number == 8:
                numbers += self._reader.integers(wire, value)
            elif number == 20 and isinstance(value, int):
                kind = value
        found |= {6: floats} if floats or kind == 6 else {}
        found |= {7: numbers} if numbers or kind == 7 else {}
        if kind == 0 and len(found) == 1:
            # The very first version of the format did not say which kind it is.
            return name, next(iter(found.values()))
        # A field of the kind's default value may be left out.
        defaults: dict[int, AttributeValue] = {1: 0.0, 2: 0, 3: ""}
        return name, found.get(kind, defaults.get(kind))

    def _value_info(self, span: Span) -> ValueInfo:
        name, type_name = "", ""
        dims: tuple[int | None, ...] | None = None
        for number, wire, value in self._reader.fields(span):
            if number == 1 and wire == BYTES:
                name = self._reader.text(value)
            elif number == 2 and wire == BYTES:
                for inner, inner_wire, tensor in self._reader.fields(span_of(value)):
                    if inner == 1 and inner_wire == BYTES:
                        type_name, dims = self._tensor_type(span_of(tensor))
        return ValueInfo(name, type_name, dims)

    def _tensor_type(self, span: Span) -> tuple[str, tuple[int | None, ...] | None]:
        type_name, dims = "", None
        for number, wire, value in self._reader.fields(span):
            if number == 1 and isinstance(value, int):
                type_name = TYPE_NAMES.get(value, f"type {value}")
            elif number == 2 and wire == BYTES:
                dims = tuple(
                    self._dimension(span_of(each))
                    for inner, inner_wire, each in self._reader.fields(span_of(value))
                    if inner == 1 and inner_wire == BYTES
                )
        return type_name, dims

    def _dimension(self, span: Span) -> int | None:
        size: int | None = None
        for number, _, value in self._reader.fields(span):
            if number == 1 and isinstance(value, int):
                size = self._reader.integers(0, value)[0]
        return size if size is not None and size > 0 else None
