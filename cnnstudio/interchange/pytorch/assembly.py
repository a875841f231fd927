"""Turns PyTorch modules into layers, by finding the layer whose own code consists of just these modules.

PyTorch and Keras divide a network differently. A convolution with an activation and "same" padding is one
layer here, but two or three modules there, and how many depends on the shape of the image. Instead of a
second set of rules that would have to invert the writer, the writer itself is used: each layer type proposes
candidates for the next few modules (`from_pytorch`), each candidate generates its code for the current shape,
and if the code equals the modules, the candidate is right by construction. Of several matches the one with
the most modules is taken.

In code by other people some values are unknown and some shapes wrong. Unknown values are replaced by usual
ones, with a note. If the input shape is not given either, it is inferred: the size is searched for which all
numbers of channels and features in the code are consistent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import parameters
from cnnstudio.design.network import Node
from cnnstudio.interchange.assembly import Assembler, Nodes, group_types, output_shape_of, renamed_node
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import Join, LayerCall
from cnnstudio.interchange.interpreter.values import BoundMethod
from cnnstudio.interchange.layer_calls import layer_call
from cnnstudio.interchange.pytorch.modules import lines_of
from cnnstudio.interchange.pytorch.parts import DUAL, changes_nothing, why_without_layer, with_known_sizes
from cnnstudio.interchange.pytorch.products import read_product
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.activations import activation_from_pytorch
from cnnstudio.layers.base import Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_type, layer_types, snake_case
from cnnstudio.layers.code import (
    Arguments,
    Call,
    Name,
    Unknown,
    UnsupportedCall,
    is_same_value,
    parse_signature,
)

_MAX_MODULES = 5
"""The most modules that make up one layer."""
_INPUT_SIZES = frozenset(
    {"in_channels", "in_features", "num_features", "num_channels", "normalized_shape", "channels"}
)
"""Arguments that follow from the input shape. They are not compared: another value is an error there."""
_USUAL: Mapping[str, Any] = {"out_channels": 32, "out_features": 10, "kernel_size": 3, "padding": 0}
"""Values for arguments that are only known at run time."""
_IGNORED = frozenset({"inplace", "dim", "device", "dtype"})
"""Arguments that do not change what the module computes here."""
_ALIASES = {"BatchNorm1d": "BatchNorm2d", "LogSoftmax": "Softmax"}


_NEVER_NEGATIVE = ("relu", "relu6", "sigmoid", "softmax", "softplus")
"""Activations without negative values."""


def _signatures() -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in layer_types().values():
        found.update(kind.pytorch_calls)
    return found


PYTORCH_SIGNATURES: Mapping[str, str] = _signatures()
"""Name of a module from which some layer can be read -> its signature."""


@cache
def _generated_name() -> re.Pattern[str]:
    stems = "|".join(snake_case(name) for name in layer_types())
    return re.compile(rf"(?P<id>(?P<stem>{stems})_[0-9]+)(?:_[a-z][a-z0-9_]*)?")


def is_generated_name(name: str) -> bool:
    """Whether the name is one that this program generates: `conv2d_3`, `conv2d_3_activation`."""
    return _generated_name().fullmatch(name) is not None


class PyTorchAssembler(Assembler):
    """Turns PyTorch modules into layers."""

    def __init__(self, notes: Notes, *, generated: bool = False) -> None:
        super().__init__(notes, generated=generated)
        self.mismatches = 0
        """How often a number of input channels or features in the code differs from the actual one."""

    @staticmethod
    def is_nonlinear(call: Call) -> bool:
        """Whether a module is an activation."""
        return activation_from_pytorch(call) is not None

    def activation(self, call: Call) -> str:
        name = activation_from_pytorch(call, lambda text: self.notes.add(call.line, text))
        if name is None:
            raise UnsupportedCall("is not an activation")
        return name

    def join(self, item: Join, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        if item.mode.startswith(DUAL):
            return self._dual_path(item, int(item.mode.removeprefix(DUAL)), shape)
        if item.mode != "multiply":
            return super().join(item, shape)
        product = read_product(item.branches, shape)
        if product is None:
            first, *others = sorted(item.branches, key=lambda branch: len(list(graph.iter_calls(branch))))
            lost = lines_of(call for branch in others for call in graph.iter_calls(branch))
            self.notes.add(
                item.line,
                "this product is not supported; only one of its factors is imported"
                + (f", and what is in {lost} is lost with the other" if lost else ""),
            )
            return self.sequence(first, shape)
        factor, layer = product
        nodes, output = self.sequence(factor, shape)
        return [*nodes, Node("", layer)], output

    def _dual_path(self, item: Join, count: int, shape: Shape | None) -> tuple[Nodes, Shape | None]:
        """A sum of two branches, of which only the first channels, `count` of them, meet.

        The others get channels of zeros to be added to: those of the first branch behind them, those of the
        second branch in front.
        """
        (first, one), (second, other) = (self._branch(branch, shape) for branch in item.branches)
        is_known = one is not None and other is not None and min(one.channels, other.channels) > count
        if one is None or other is None or not is_known:
            self.notes.add(
                item.line, "these branches cannot be joined in a group; only the first is imported"
            )
            return first, one
        padding, part = layer_type("ChannelPadding"), layer_type("ChannelSlice")
        behind = padding().with_values({"after": other.channels - count})
        rest = [
            Node("", part().with_values({"start": count, "channels": other.channels - count})),
            Node("", padding().with_values({"before": one.channels - count, "after": 0})),
        ]
        parallel = next(kind for kind in group_types() if kind.has_branches)
        begun = Node("", part().with_values({"channels": count}))
        total = Shape.of(one.channels + other.channels - count, *one.dims[1:])
        spread = Node("", parallel(), children=(begun, self.make_block(rest, "")))
        branches = [([*first, Node("", behind)], total), ([*second, spread], total)]
        return self._group(parallel().with_values({"mode": "add"}), branches, shape)

    def layers_from_calls(self, calls: Sequence[LayerCall], shape: Shape | None) -> Iterator[Node]:
        # Modules generated for one node have names with its id; a layer never spans modules of two nodes.
        for node_id, group in groupby(calls, key=_generating_node):
            left = list(group)
            activation = ""
            while left:
                nodes, used, shape = self._next(left, shape, node_id, activation)
                made_of = [each.call for each in left[:used]]
                yield from (self.with_lock(node, made_of) for node in nodes)
                activation = getattr(nodes[-1].layer, "activation", "") if nodes else activation
                del left[:used]

    def _next(
        self, modules: Sequence[LayerCall], shape: Shape | None, node_id: str, activation: str
    ) -> tuple[list[Node], int, Shape | None]:
        """(nodes for the first few modules, number of modules they stand for, output shape).

        `activation` is that of the layer before; empty if it has none.
        """
        first = with_known_sizes(modules[0].call, shape)
        if first is not modules[0].call:
            modules = [LayerCall(first, modules[0].name), *modules[1:]]
        if first.path == "tensor.channels":
            if shape is not None and first.positional != (shape.channels,):
                self.notes.add(first.line, f"this expects {first.positional[0]:,} channels but gets {shape}")
            return [], 1, shape
        if changes_nothing(first, shape):
            return [], 1, shape
        reason = why_without_layer(first)
        if reason:
            self.notes.add(first.line, reason)
            return [], 1, shape
        if shape is not None and _removes_axes(first):
            if shape.is_flat:
                return [], 1, shape
            if shape.dims[1:] == (1, 1):
                flatten = layer_type("Flatten")()
                return [Node("", flatten)], 1, output_shape_of(flatten, shape)
        calls = list(self._with_settled_arguments(modules[:_MAX_MODULES], shape))
        self._check_input_size(calls[0], shape)
        stem = node_id.rpartition("_")[0]
        layer, used = _best_match(calls, shape or _plausible_shape(calls), stem)
        name = "" if node_id else modules[0].name
        if layer is not None:
            return [renamed_node(Node("", layer), name)], used, output_shape_of(layer, shape)
        layers, used = self._substitute(calls[0], shape, activation), 1
        if len(calls) > 1 and layers and getattr(layers[-1], "activation", "") == "linear":
            # Only the exact one: any other is a layer of its own, with its note.
            notes: list[str] = []
            following = activation_from_pytorch(calls[1], notes.append)
            if following is not None and not notes:
                layers[-1], used = layers[-1].with_values({"activation": following}), 2
        for each in layers:
            shape = output_shape_of(each, shape)
        return [Node("", each) for each in layers], used, shape

    def _with_settled_arguments(self, modules: Sequence[LayerCall], shape: Shape | None) -> Iterator[Call]:
        is_image = shape is not None and shape.is_image
        for each in modules:
            is_image = is_image and each.call.name not in ("Flatten", "Linear")
            self._check_axis(each.call, is_image=is_image)
            yield self._with_known_arguments(each.call, shape)

    def _with_known_arguments(self, call: Call, shape: Shape | None) -> Call:
        """The call with usual values, and notes, for arguments that are only known at run time."""
        given = {
            name: Unknown(value.name) if isinstance(value, BoundMethod) else value
            for name, value in bound_arguments(call).items()
        }
        if isinstance(given.get("padding"), str):
            return Call(call.path, (), {**given, "padding": _padding(given)}, call.line)
        unknown = [name for name, value in given.items() if isinstance(value, Unknown)]
        if not unknown or call.name not in PYTORCH_SIGNATURES:
            return call
        defaults = parse_signature(PYTORCH_SIGNATURES[call.name])
        values = dict(given)
        for name in unknown:
            usual = _USUAL.get(name, defaults[name])
            values[name] = shape.channels if name in _INPUT_SIZES and shape is not None else usual
            if name not in _INPUT_SIZES:
                what = f"“{given[name].text}”, which is" if given[name].text else "a value"
                self.notes.add(
                    call.line,
                    f"{call.name}: {name} is {what} only known at run time; {usual} is used instead",
                )
        known = {name: value for name, value in values.items() if not isinstance(value, Unknown)}
        return Call(call.path, (), known, call.line)

    def _check_axis(self, call: Call, *, is_image: bool) -> None:
        """Notes a softmax along another axis than that of the channels."""
        axis = bound_arguments(call).get("dim")
        usual = (1, -3) if is_image else (1, -1)
        if call.name in ("Softmax", "LogSoftmax") and axis is not None and axis not in usual:
            self.notes.add(
                call.line, f"{call.name} is along axis {axis}; the axis of the channels is used instead"
            )

    def _check_input_size(self, call: Call, shape: Shape | None) -> None:
        """Notes and counts a mismatch if the code expects another number of input channels or features."""
        inner = innermost(call)
        values = bound_arguments(inner)
        expected = next(
            (values[name] for name in ("in_channels", "in_features", "num_features") if name in values), None
        )
        if shape is None or type(expected) is not int or expected == shape.channels:
            return
        if "in_features" in values and shape.is_image:
            return  # a Linear on an image: the missing Flatten is reported by the analysis
        self.mismatches += 1
        self.notes.add(inner.line, f"{inner.name} expects {expected:,} inputs but gets {shape.channels:,}")

    def _substitute(self, call: Call, shape: Shape | None, activation: str) -> list[Layer]:
        """Layers that replace a module without a counterpart; none, and a note, if there are none."""
        inner = innermost(call)
        for kind in layer_types().values():
            if inner.name not in kind.pytorch_calls:
                continue
            try:
                replacement, note = kind.substitute_for_pytorch(inner, shape or _plausible_shape([inner]))
                layers = [layer_type(name)(**values) for name, values in replacement]
            except UnsupportedCall as error:
                self.notes.add(inner.line, f"{inner.name} is skipped: it {error}")
                return []
            except ParameterError as error:
                self.notes.add(inner.line, f"{inner.name} is skipped: {error}")
                return []
            except (TypeError, ValueError, ZeroDivisionError):
                is_known = not any(isinstance(each, Unknown) for each in bound_arguments(inner).values())
                reason = "not valid" if is_known else "only known at run time"
                self.notes.add(inner.line, f"{inner.name} is skipped: its arguments are {reason}")
                return []
            if replacement or note:
                # Where no value is negative, a border of zeros changes no maximum.
                is_exact = inner.name == "MaxPool2d" and activation in _NEVER_NEGATIVE
                if note and not is_exact:
                    self.notes.add(inner.line, f"{inner.name}: {note}")
                return layers
        reason = _why_unreadable(inner, shape or _plausible_shape([inner]))
        self.notes.add(inner.line, f"{inner.name} is {reason}")
        return []


def _removes_axes(call: Call) -> bool:
    """Whether this turns feature maps of a single pixel into a vector: `x.squeeze()`, `x[:, :, 0, 0]`."""
    return call.path == "tensor.squeeze" or (call.path == "tensor.indexing" and bool(call.positional))


def _generating_node(module: LayerCall) -> str:
    """The id of the node for which this program generated the module; empty in code by other people."""
    match = _generated_name().fullmatch(module.name)
    return match["id"] if match else ""


def _padding(given: Mapping[str, Any]) -> Any:
    """padding="valid" or "same" as numbers, if both sides of the image get the same; else unchanged."""
    if given["padding"] == "valid":
        return 0
    sizes = [given.get(name) for name in ("kernel_size", "dilation")]
    kernel, dilation = (size if isinstance(size, tuple) else (size, size) for size in sizes)
    if not all(type(size) is int for size in (*kernel, *dilation)):
        return given["padding"]
    totals = [(size - 1) * step for size, step in zip(kernel, dilation, strict=False)]
    return tuple(total // 2 for total in totals) if not any(total % 2 for total in totals) else "same"


def innermost(call: Call) -> Call:
    """The module inside the helper modules that are wrapped around it."""
    while call.name not in PYTORCH_SIGNATURES and call.positional and isinstance(call.positional[0], Call):
        call = call.positional[0]
    return call


def bound_arguments(call: Call) -> Mapping[str, Any]:
    """All arguments of a module by name, including defaults."""
    try:
        return Arguments(call, PYTORCH_SIGNATURES.get(call.name, "")).values()
    except UnsupportedCall:
        return call.keywords


def _best_match(calls: Sequence[Call], shape: Shape, stem: str) -> tuple[Layer | None, int]:
    """(the layer whose code consists of the first calls, number of those calls); (None, 1) if there is none.

    `stem` is the layer type in the generated name of the module. Several layers may match. The best one
    explains the most calls; among those, its type is the one in the name; then it gives the same arguments
    explicitly, and has the most parameters at their defaults.
    """
    best: tuple[tuple[int, bool, int, int], Layer] | None = None
    for kind in layer_types().values():
        if kind in group_types() or not _may_read(kind, calls[0]):
            continue
        for layer in _candidates(kind, calls, shape):
            own_calls = _own_calls(layer, shape)
            if not own_calls or not _starts_with(calls, own_calls):
                continue
            same_arguments = sum(map(_gives_same_arguments, own_calls, calls))
            has_same_type = snake_case(kind.type_name()) == stem
            score = len(own_calls), has_same_type, same_arguments, -_changed_parameters(layer)
            if best is None or score > best[0]:
                best = score, layer
    return (best[1], best[0][0]) if best else (None, 1)


def _why_unreadable(call: Call, shape: Shape) -> str:
    """Why no layer can be created from a call: `skipped: rate: must be between 0 and 1, got 2`."""
    for kind in layer_types().values():
        if call.name in kind.pytorch_calls:
            try:
                list(kind.from_pytorch([call], shape))
            except UnsupportedCall as error:
                return f"skipped: it {error}"
            except UserError as error:
                return f"skipped: {error}"
            except (TypeError, ValueError, KeyError, ZeroDivisionError):
                return "skipped: its arguments are not valid"
    return (
        "not supported and is skipped"
        if call.name not in PYTORCH_SIGNATURES
        else "skipped: its arguments are not supported"
    )


def _may_read(kind: type[Layer], call: Call) -> bool:
    return not kind.pytorch_calls or innermost(call).name in kind.pytorch_calls


def _candidates(kind: type[Layer], calls: Sequence[Call], shape: Shape) -> Iterator[Layer]:
    try:
        yield from kind.from_pytorch(calls, shape)
    except (UserError, TypeError, ValueError, KeyError, ZeroDivisionError):
        # The arguments are not valid for this type. Another type may match; if none does, there is a note.
        return


def _gives_same_arguments(one: Call, other: Call) -> bool:
    """Whether both calls give the same arguments explicitly."""
    return _given_names(innermost(one)) == _given_names(innermost(other))


def _given_names(call: Call) -> set[str]:
    positional = parse_signature(PYTORCH_SIGNATURES.get(call.name, ""))
    return {*call.keywords, *(name for name, _ in zip(positional, call.positional, strict=False))}


def _changed_parameters(layer: Layer) -> int:
    """How many parameters differ from their defaults."""
    return sum(getattr(layer, each.name) != each.default for each in parameters(layer))


def _own_calls(layer: Layer, shape: Shape) -> list[Call]:
    """The calls in the layer's own code for `shape`, or for another shape if it does not take that one."""
    for each in (shape, Shape.of(shape.channels, 32, 32), Shape.of(shape.channels)):
        try:
            layer.output_shape(each)
        except ShapeError as error:
            if error.assumed is None:
                continue
        try:
            return [layer_call(code) for _, code in layer.pytorch_code(each)]
        except (UserError, IndexError, ValueError):
            continue
    return []


def _starts_with(calls: Sequence[Call], expected: Sequence[Call]) -> bool:
    return len(expected) <= len(calls) and all(
        _same_call(one, other) for one, other in zip(expected, calls, strict=False)
    )


def _same_call(one: Call, other: Call) -> bool:
    if _ALIASES.get(one.name, one.name) != _ALIASES.get(other.name, other.name):
        return False
    if one.name not in PYTORCH_SIGNATURES:
        if len(one.positional) != len(other.positional) or set(one.keywords) != set(other.keywords):
            return False
        pairs = [*zip(one.positional, other.positional, strict=True)]
        pairs += [(one.keywords[name], other.keywords[name]) for name in one.keywords]
    else:
        first, second = bound_arguments(one), bound_arguments(other)
        names = (set(first) | set(second)) - _INPUT_SIZES - _IGNORED
        pairs = [(first.get(name), second.get(name)) for name in names]
    return all(_same_value(*pair) for pair in pairs)


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, Call) and isinstance(other, Call):
        return _same_call(one, other)
    if isinstance(one, Name) and isinstance(other, Name):
        return one.last == other.last
    return is_same_value(one, other)


def _plausible_shape(calls: Sequence[Call]) -> Shape:
    """A shape that the first module accepts, for use if the real one is unknown."""
    values = bound_arguments(innermost(calls[0]))
    channels = values.get("in_channels", values.get("num_features"))
    if type(channels) is int and channels > 0:
        return Shape.of(channels, 32, 32)
    features = values.get("in_features")
    return Shape.of(features) if type(features) is int and features > 0 else Shape.of(3, 32, 32)
