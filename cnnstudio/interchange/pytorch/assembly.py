"""PyTorch modules as layers: a layer is what its own code for the shape at hand would write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import parameters
from cnnstudio.design.network import Node
from cnnstudio.interchange.assembly import Assembler, drawn, group_types, output_of
from cnnstudio.interchange.input_shapes import DEFAULT_INPUT, flat_input, image
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import Items, Piece
from cnnstudio.interchange.layer_calls import layer_call
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.activations import pytorch_activation_of
from cnnstudio.layers.base import Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_type, layer_types, snake_case
from cnnstudio.layers.code import Arguments, Call, Name, NotDrawable, Unknown, same, signature

_LONGEST = 5
"""So many modules at most make one layer."""
_DERIVED = frozenset(
    {"in_channels", "in_features", "num_features", "num_channels", "normalized_shape", "channels"}
)
"""Arguments that follow from the shape: the code may say another one, but the layer is the same."""
_USUAL: Mapping[str, Any] = {"out_channels": 32, "out_features": 10, "kernel_size": 3, "padding": 0}
"""What stands for an argument that only the running program knows."""
_NEUTRAL = frozenset({"inplace", "dim", "device", "dtype", "track_running_stats"})
_ALIASES = {"BatchNorm1d": "BatchNorm2d", "LogSoftmax": "Softmax"}
_SIZES = (32, 28, 64, 224, 96, 128, 48, 227, 299, 256, 16, 8)
_LARGEST_TRIED = 256


def _signatures() -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in layer_types().values():
        found.update(kind.pytorch_calls)
    return found


PYTORCH_SIGNATURES: Mapping[str, str] = _signatures()
"""Name of a module that some layer is read from -> its signature."""


@cache
def _own_name() -> re.Pattern[str]:
    stems = "|".join(snake_case(name) for name in layer_types())
    return re.compile(rf"(?P<id>(?P<stem>{stems})_[0-9]+)(?:_[a-z][a-z0-9_]*)?")


def is_own_name(name: str) -> bool:
    """Whether this program gave the name: `conv2d_3`, `conv2d_3_activation`."""
    return _own_name().fullmatch(name) is not None


class PyTorchAssembler(Assembler):
    """Tries layers until one writes just what the code has."""

    def __init__(self, notes: Notes, *, own: bool = False) -> None:
        super().__init__(notes, own=own)
        self.mismatches = 0
        """How often the code says another number of channels or features than what arrives."""

    @staticmethod
    def bends(call: Call) -> bool:
        """Whether a module is an activation."""
        return pytorch_activation_of(call) is not None

    def activation(self, call: Call) -> str:
        name = pytorch_activation_of(call, lambda text: self.notes.add(call.line, text))
        if name is None:
            raise NotDrawable("is no activation")
        return name

    def pieces(self, pieces: Sequence[Piece], shape: Shape | None) -> Iterator[Node]:
        for key, run in groupby(pieces, key=_owner):
            left = list(run)
            while left:
                node, taken, shape = self._next(left, shape, key)
                if node is not None:
                    yield from node
                del left[:taken]

    def _next(
        self, pieces: Sequence[Piece], shape: Shape | None, owner: str
    ) -> tuple[list[Node] | None, int, Shape | None]:
        """The layers of the first few pieces, how many these are, and what comes out."""
        calls = [self._settled(piece.call, shape) for piece in pieces[:_LONGEST]]
        self._compare(calls[0], shape)
        stem = owner.rpartition("_")[0]
        layer, taken = _best(calls, shape or _stand_in(calls), stem)
        name = "" if owner else pieces[0].name
        if layer is not None:
            return [drawn(Node("", layer), name)], taken, output_of(layer, shape)
        row, taken = self._instead(calls[0], shape), 1
        following = pytorch_activation_of(calls[1]) if len(calls) > 1 else None
        if row and following is not None and getattr(row[-1], "activation", "") == "linear":
            row[-1], taken = row[-1].taking({"activation": following}), 2
        for each in row:
            shape = output_of(each, shape)
        return [Node("", each) for each in row], taken, shape

    def _settled(self, call: Call, shape: Shape | None) -> Call:
        """The call with something in place of what only the running program knows."""
        given = _bound(call)
        if isinstance(given.get("padding"), str):
            return Call(call.path, (), {**given, "padding": _padding(given)}, call.line)
        unknown = [name for name, value in given.items() if isinstance(value, Unknown)]
        if not unknown or call.name not in PYTORCH_SIGNATURES:
            return call
        defaults = signature(PYTORCH_SIGNATURES[call.name])
        values = dict(given)
        for name in unknown:
            usual = _USUAL.get(name, defaults[name])
            values[name] = shape.channels if name in _DERIVED and shape is not None else usual
            if name not in _DERIVED:
                what = f"“{given[name].text}”, which" if given[name].text else "what"
                self.notes.add(
                    call.line,
                    f"{call.name}: {name} is {what} only the running program knows: {usual} is drawn",
                )
        known = {name: value for name, value in values.items() if not isinstance(value, Unknown)}
        return Call(call.path, (), known, call.line)

    def _compare(self, call: Call, shape: Shape | None) -> None:
        """Notes where the code counts on other channels or features than those that arrive."""
        inner = _innermost(call)
        values = _bound(inner)
        said = next(
            (values[name] for name in ("in_channels", "in_features", "num_features") if name in values), None
        )
        if shape is None or type(said) is not int or said == shape.channels:
            return
        if "in_features" in values and shape.is_image:
            return
        self.mismatches += 1
        self.notes.add(inner.line, f"{inner.name} says that it takes {said:,}, but {shape.channels:,} arrive")

    def _instead(self, call: Call, shape: Shape | None) -> list[Layer]:
        inner = _innermost(call)
        for kind in layer_types().values():
            if inner.name not in kind.pytorch_calls:
                continue
            try:
                row, note = kind.instead_of_pytorch(inner, shape or _stand_in([inner]))
                layers = [layer_type(name)(**values) for name, values in row]
            except (NotDrawable, ParameterError) as error:
                self.notes.add(inner.line, f"{inner.name} is left out: it {error}")
                return []
            except (TypeError, ValueError, ZeroDivisionError):
                self.notes.add(inner.line, f"{inner.name} is left out: its arguments make no sense")
                return []
            if row or note:
                if note:
                    self.notes.add(inner.line, f"{inner.name}: {note}")
                return layers
        self.notes.add(inner.line, f"there is no layer like {inner.name} here, so it is left out")
        return []


def _owner(piece: Piece) -> str:
    """The id of the node that this program wrote the piece for; empty for other people's names."""
    match = _own_name().fullmatch(piece.name)
    return match["id"] if match else ""


def _padding(given: Mapping[str, Any]) -> Any:
    """torch's padding by a word as the numbers that it stands for, where both sides get the same."""
    if given["padding"] == "valid":
        return 0
    sizes = [given.get(name) for name in ("kernel_size", "dilation")]
    kernel, dilation = (size if isinstance(size, tuple) else (size, size) for size in sizes)
    if not all(type(size) is int for size in (*kernel, *dilation)):
        return given["padding"]
    totals = [(size - 1) * step for size, step in zip(kernel, dilation, strict=False)]
    return tuple(total // 2 for total in totals) if not any(total % 2 for total in totals) else "same"


def _innermost(call: Call) -> Call:
    """The module within the helpers that were put around it."""
    while call.name not in PYTORCH_SIGNATURES and call.positional and isinstance(call.positional[0], Call):
        call = call.positional[0]
    return call


def _bound(call: Call) -> Mapping[str, Any]:
    try:
        return Arguments(call, PYTORCH_SIGNATURES.get(call.name, "")).values()
    except NotDrawable:
        return call.keywords


def _best(calls: Sequence[Call], shape: Shape, stem: str) -> tuple[Layer | None, int]:
    """The layer whose code the first calls are, and how many they are. `stem` is the type in an own id."""
    best: tuple[tuple[int, bool, int, int], Layer] | None = None
    for kind in layer_types().values():
        if kind in group_types() or not _may_read(kind, calls[0]):
            continue
        for layer in _candidates(kind, calls, shape):
            written = _written(layer, shape)
            if not written or not _alike(written, calls):
                continue
            given = sum(map(_as_much_given, written, calls))
            score = len(written), snake_case(kind.type_name()) == stem, given, -_unusual(layer)
            if best is None or score > best[0]:
                best = score, layer
    return (best[1], best[0][0]) if best else (None, 1)


def _may_read(kind: type[Layer], call: Call) -> bool:
    return not kind.pytorch_calls or _innermost(call).name in kind.pytorch_calls


def _candidates(kind: type[Layer], calls: Sequence[Call], shape: Shape) -> Iterator[Layer]:
    try:
        yield from kind.from_pytorch(calls, shape)
    except (UserError, TypeError, ValueError, KeyError, ZeroDivisionError):
        # Arguments that make no sense for this type: another one may take them, or a note says so.
        return


def _as_much_given(one: Call, other: Call) -> bool:
    """Whether both calls leave the same arguments to their defaults."""
    return _given(_innermost(one)) == _given(_innermost(other))


def _given(call: Call) -> set[str]:
    positional = signature(PYTORCH_SIGNATURES.get(call.name, ""))
    return {*call.keywords, *(name for name, _ in zip(positional, call.positional, strict=False))}


def _unusual(layer: Layer) -> int:
    return sum(getattr(layer, each.name) != each.default for each in parameters(layer))


def _written(layer: Layer, shape: Shape) -> list[Call]:
    """The calls of the layer's own code where `shape`, or one that it takes, comes in."""
    for each in (shape, Shape.of(shape.channels, 32, 32), Shape.of(shape.channels)):
        try:
            layer.output_shape(each)
        except ShapeError as error:
            if error.assumed is None:
                continue
        try:
            return [layer_call(code) for _, code in layer.pytorch(each)]
        except (UserError, IndexError, ValueError):
            continue
    return []


def _alike(written: Sequence[Call], calls: Sequence[Call]) -> bool:
    return len(written) <= len(calls) and all(
        _same_call(one, other) for one, other in zip(written, calls, strict=False)
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
        first, second = _bound(one), _bound(other)
        names = (set(first) | set(second)) - _DERIVED - _NEUTRAL
        pairs = [(first.get(name), second.get(name)) for name in names]
    return all(_same_value(*pair) for pair in pairs)


def _same_value(one: Any, other: Any) -> bool:
    if isinstance(one, Call) and isinstance(other, Call):
        return _same_call(one, other)
    if isinstance(one, Name) and isinstance(other, Name):
        return one.last == other.last
    return same(one, other)


def _stand_in(calls: Sequence[Call]) -> Shape:
    """Some shape that a module takes, where the real one is not known."""
    values = _bound(_innermost(calls[0]))
    channels = values.get("in_channels", values.get("num_features"))
    if type(channels) is int and channels > 0:
        return Shape.of(channels, 32, 32)
    features = values.get("in_features")
    return Shape.of(features) if type(features) is int and features > 0 else Shape.of(3, 32, 32)


def fitting_input(items: Items, said: Sequence[int] | None, line: int, notes: Notes) -> Shape:
    """The images that a network takes: as the code says, else such that its numbers of features fit."""
    if said is not None:
        shape, words = image(*said)
        if words:
            notes.add(line, words)
        return shape or DEFAULT_INPUT
    first = next(iter(graph.calls(items)), None)
    values = _bound(_innermost(_first_weighty(graph.calls(items)) or first)) if first else {}
    if type(values.get("in_features")) is int:
        shape, words = flat_input(values["in_features"])
        notes.add(line, f"the code does not say what goes in: {words}")
        return shape or DEFAULT_INPUT
    channels = values.get("in_channels", 3)
    channels = channels if type(channels) is int and 1 <= channels <= 1024 else 3
    shape = _fitting_size(items, channels)
    notes.add(line, f"the code does not say what goes in: images of {shape} are drawn")
    return shape


def _first_weighty(calls: Iterable[Call]) -> Call | None:
    return next(
        (call for call in calls if {"in_channels", "in_features"} & set(_bound(_innermost(call)))), None
    )


def _fitting_size(items: Items, channels: int) -> Shape:
    """The size at which no number in the code contradicts what arrives; the usual one where none does."""
    few = sum(1 for _ in graph.calls(items)) <= 200
    others = [size for size in range(4, _LARGEST_TRIED + 1) if size not in _SIZES] if few else []
    for size in (*_SIZES, *others):
        shape = Shape.of(channels, size, size)
        trial = PyTorchAssembler(Notes())
        trial.row(items, shape)
        if trial.mismatches == 0:
            return shape
    return Shape.of(channels, *DEFAULT_INPUT.dims[1:])
