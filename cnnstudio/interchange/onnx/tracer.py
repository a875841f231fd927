"""Follows an image through the nodes of a graph, in the order in which they depend on each other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cnnstudio.core.parameters import shorten
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.interchange.interpreter.graph import SymbolicTensor
from cnnstudio.interchange.onnx.arrays import Array
from cnnstudio.interchange.onnx.errors import NotExpressibleError, OnnxError
from cnnstudio.interchange.onnx.file.model import Graph, Operation
from cnnstudio.interchange.onnx.folding import fold
from cnnstudio.interchange.onnx.node import Context, Handler, Node
from cnnstudio.interchange.onnx.operators.activations import ACTIVATIONS, functions_of, spelled_out
from cnnstudio.interchange.onnx.operators.arrangement import ARRANGEMENT, regathered
from cnnstudio.interchange.onnx.operators.dense import DENSE
from cnnstudio.interchange.onnx.operators.joins import JOINS
from cnnstudio.interchange.onnx.operators.normalization import NORMALIZATION, spelled_out_normalization
from cnnstudio.interchange.onnx.operators.windows import WINDOWS, cropped_pooling
from cnnstudio.interchange.onnx.pointwise import BINARY, UNARY, with_source
from cnnstudio.interchange.onnx.values import Cause, Features, Inexpressible, Value
from cnnstudio.interchange.onnx.views import View
from cnnstudio.layers.base import Shape

_log = logging.getLogger(__name__)

_HANDLERS: Mapping[str, Handler] = {
    **WINDOWS,
    **DENSE,
    **NORMALIZATION,
    **ACTIVATIONS,
    **ARRANGEMENT,
    **JOINS,
}
_POINTWISE = frozenset({*UNARY, *BINARY, "Clip", "HardSigmoid"}) - {"Identity"}
_TOGETHER: Mapping[str, Callable[[Node], Features | None]] = {
    "Slice": cropped_pooling,
    "Pad": cropped_pooling,
    "Gather": regathered,
}
"""What is something else together with the node before it; None if it is not."""
_REASONS: Mapping[str, str] = {
    "ConvTranspose": "enlarges the image with weights, which no layer here does",
    **dict.fromkeys(("If", "Loop", "Scan"), "contains a graph of its own, which no layer here does"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "is recurrent, and no layer here is"),
    **dict.fromkeys(("ArgMax", "TopK"), "chooses among the scores, which no layer here does"),
}
_MAXIMUM_CAUSES = 50
_MAXIMUM_MADE = 2**28
"""Elements of all weights that a file does not hold, but makes of one number: 1 GB."""


@dataclass(frozen=True)
class Start:
    """The input that is followed: its name, shape and view, and the number of images at once."""

    name: str
    shape: Shape
    view: View
    batch: int


@dataclass(frozen=True)
class Traced:
    """What comes out of a graph."""

    start: SymbolicTensor
    value: Value
    last: Features | None
    """Of an output that no layers express: what all its nodes depend on, as far as layers express it."""
    is_log: bool


def order_of(graph: Graph, output: str) -> list[Operation]:
    """The operations that the output depends on, each after those that it depends on itself.

    Raises OnnxError for a cycle, and for a value that nothing computes.
    """
    producers = producers_of(graph)
    known = {*graph.constants, *(each.name for each in graph.inputs)}
    order: list[Operation] = []
    done: set[int] = set()
    active: set[int] = set()
    pending: list[tuple[str, Operation | None, bool]] = [(output, None, False)]
    while pending:
        name, user, is_left = pending.pop()
        operation = producers.get(name)
        if operation is None:
            if name not in known:
                by = f"{user.label} uses" if user is not None else "the graph gives"
                raise OnnxError(f"{by} “{shorten(name)}”, which nothing computes")
            continue
        if is_left:
            active.discard(id(operation))
            if id(operation) not in done:
                done.add(id(operation))
                order.append(operation)
            continue
        if id(operation) in done:
            continue
        if id(operation) in active:
            raise OnnxError(f"{operation.label} depends on its own result")
        active.add(id(operation))
        pending.append((name, user, True))
        pending += [(each, operation, False) for each in operation.inputs if each]
    return order


def producers_of(graph: Graph) -> dict[str, Operation]:
    """The name of each value -> the operation that computes it. Raises OnnxError if two do."""
    found: dict[str, Operation] = {}
    for operation in graph.operations:
        for name in filter(None, operation.outputs):
            if name in found:
                raise OnnxError(f"{operation.label} computes “{shorten(name)}”, and so does another node")
            found[name] = operation
    return found


def trace(graph: Graph, start: Start, output: str, cancelled: CancelFunction) -> Traced:
    """Follows the input to the output. Raises OnnxError and Cancelled."""
    order = order_of(graph, output)
    context = Context(graph.opset, start.batch, output, producers=producers_of(graph))
    tensor = SymbolicTensor()
    context.values |= graph.constants
    for other in graph.inputs:
        if other.name not in graph.constants and other.name != start.name:
            source = Operation("input", "", (), (other.name,), {}, other.name)
            cause = Cause(source, "is a second input, and a design has one, an image")
            context.values[other.name] = Inexpressible((cause,))
    context.values[start.name] = Features(tensor, start.shape, start.view)
    context.functions[start.name] = with_source({}, start.name)
    before: list[SymbolicTensor] = []
    views: dict[int, Features] = {}
    for operation in order:
        raise_if_cancelled(cancelled)
        results = _evaluate(operation, context)
        for index, name in enumerate(operation.outputs):
            if not name:
                continue
            value = results[index] if index < len(results) else None
            if value is None:
                value = Inexpressible((Cause(operation, "gives a second result, which no layer here does"),))
            context.values[name] = value
            if isinstance(value, Features):
                views[id(value.tensor)] = value
            elif isinstance(value, Inexpressible):
                inputs = [context.values.get(each) for each in operation.inputs]
                before += [each.tensor for each in inputs if isinstance(each, Features)]
    found = context.values[output]
    last = _last_before(before, views) if isinstance(found, Inexpressible) else None
    return Traced(tensor, found, last, context.is_log)


def _last_before(tensors: Sequence[SymbolicTensor], views: Mapping[int, Features]) -> Features | None:
    """The features that all of these tensors depend on; None if that is the image itself."""
    if not tensors:
        return None
    common = tensors[0] if len(tensors) == 1 else SymbolicTensor(tuple(tensors), (), "add").dominator
    return views.get(id(common)) if common is not None and common.inputs else None


def _evaluate(operation: Operation, context: Context) -> Sequence[Value]:
    """The outputs of an operation."""
    node = Node(operation, context)
    try:
        try:
            return _outputs(node)
        except NotExpressibleError:
            raise
        except (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError) as error:
            _log.info("Cannot read %s: %r", operation.label, error)
        except (TypeError, ValueError) as error:
            _log.info("Cannot read %s: %r", operation.label, error)
        raise NotExpressibleError("has inputs or settings that do not fit together")
    except NotExpressibleError as error:
        return [Inexpressible((Cause(operation, str(error)),))] * max(len(operation.outputs), 1)


def _outputs(node: Node) -> Sequence[Value]:
    operation, context = node.operation, node.context
    if operation.domain:
        raise NotExpressibleError(f"belongs to the extension {shorten(operation.domain)}, not to ONNX itself")
    values = [node.value(index) for index in range(node.count)]
    if all(value is None or isinstance(value, Array) for value in values):
        folded = fold(operation, node.arrays())
        if folded is None:
            raise NotExpressibleError(_REASONS.get(operation.kind, "computes something without the image"))
        if operation.kind == "ConstantOfShape":
            context.made += folded.size
            if context.made > _MAXIMUM_MADE:
                raise NotExpressibleError("makes more weights of one number than networks have")
        return [folded]
    inexpressible = [value for value in values if isinstance(value, Inexpressible)]
    handler = _HANDLERS.get(operation.kind)
    is_pointwise = operation.kind in _POINTWISE
    if is_pointwise and operation.outputs:
        functions = functions_of(node)
        context.functions[operation.outputs[0]] = with_source(functions, operation.outputs[0])
        is_mixed = sum(isinstance(value, Features) for value in values) > 1
        if inexpressible or is_mixed or handler is None:
            found = spelled_out(node, functions) or spelled_out_normalization(node)
            if found is not None:
                return [found]
    else:
        found = _TOGETHER[operation.kind](node) if operation.kind in _TOGETHER else None
        if found is not None:
            return [found]
    if not is_pointwise and operation.outputs:
        context.functions[operation.outputs[0]] = with_source({}, operation.outputs[0])
    if inexpressible:
        causes = dict.fromkeys(cause for value in inexpressible for cause in value.causes)
        return [Inexpressible(tuple(causes)[:_MAXIMUM_CAUSES])] * max(len(operation.outputs), 1)
    if handler is None:
        raise NotExpressibleError(_REASONS.get(operation.kind, "has no counterpart among the layers here"))
    result = handler(node)
    return result if isinstance(result, Sequence) else [result]
