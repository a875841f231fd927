"""What Keras code says about how layers work: frozen weights, and layers that are told whether they train.

A design locks the former and does not have the latter. A layer that is applied with `training=False` and then
does nothing is left out; where all normalizations are, the recipe keeps their statistics. What else is asked
for is noted on its line, with the layers that it concerns.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cnnstudio.interchange.interpreter.graph import Items, iter_calls
from cnnstudio.interchange.interpreter.syntax import parameter_names
from cnnstudio.interchange.interpreter.values import BoundMethod, Function, Instance, Scope
from cnnstudio.interchange.keras.augmentation import is_augmentation_layer
from cnnstudio.interchange.keras.loops import LoopReader
from cnnstudio.interchange.keras.models import WEIGHTED_LAYERS, Model
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Unknown

_TRAINABLE = "trainable"
_MAXIMUM_NAMED = 3
_NORMALIZATION = "BatchNormalization"
_DROPOUT = frozenset({"Dropout", "SpatialDropout2D"})
_PRETRAINED = "keras.applications."


class ModeReader(LoopReader):
    """Collects what is frozen, and in which mode layers are applied."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._frozen: dict[int, tuple[Any, int, bool]] = {}
        """id of a layer, a model or an object -> itself, the line that froze it, whether it surely did."""
        self._keeping: list[tuple[Call, str, int]] = []
        """Normalizations that never use the statistics of batches, what notes call them, and the line."""
        self._has_literal_mode = False
        """Whether the call that is being interpreted says `training=True` or `training=False` itself."""
        self._assumes_training = False
        """Whether `training` is true only because the reader says so, as in a method `call`."""
        self._mode: bool | None = None
        """What the call around the one that is being interpreted says, which Keras passes on."""

    def model_of(self, value: Any) -> Model | None:
        """The model that a value is; None for anything else."""
        raise NotImplementedError

    # Frozen weights

    def on_assign_attribute(self, owner: Any, name: str, value: Any, line: int) -> None:
        if name == _TRAINABLE:
            self._freeze(owner, value, line)
        else:
            super().on_assign_attribute(owner, name, value, line)

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        if name == _TRAINABLE:
            self._freeze(owner, value, owner.line)
        super().on_assign(owner, name, value)

    def _freeze(self, owner: Any, value: Any, line: int) -> None:
        if isinstance(owner, BoundMethod) and owner.name == "layers":
            # One of the layers of a model that are not known one by one.
            owner = owner.owner
        if value is True:
            self._frozen.pop(id(owner), None)
        elif not (isinstance(owner, Call) and owner.path.startswith(_PRETRAINED)):
            # A pretrained network is skipped with all its layers, which has a note.
            self._frozen[id(owner)] = owner, line, value is False

    def on_element(self, value: Any) -> Any:
        is_layers = isinstance(value, BoundMethod) and value.name == "layers"
        return value if is_layers else super().on_element(value)

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        is_layers = isinstance(owner, BoundMethod) and owner.name == "layers"
        return owner if is_layers else super().on_subscript(owner, index, scope)

    def locked_calls(self, items: Items) -> set[int]:
        """The ids of the calls among these items whose layers the code freezes."""
        used = {id(call): call for call in iter_calls(items)}
        frozen = {
            id(call)
            for owner, _, is_certain in self._frozen.values()
            if is_certain
            for call in self._layers_of(owner)
        }
        said = {each for each, call in used.items() if call.keywords.get(_TRAINABLE) is False}
        return said | (frozen & used.keys())

    def note_frozen(self, items: Items) -> None:
        """Notes the layers of which only the run of the program would show whether they are frozen.

        And those that keep their statistics without being frozen.
        """
        used = {id(call) for call in iter_calls(items)}
        locked = self.locked_calls(items)
        for call, name, line in self._keeping:
            if id(call) not in locked:
                uses = "always uses its moving statistics; here only outside of training, or where the recipe"
                self.notes.add(line, f"in the code {name} {uses} keeps them (batch_norm_statistics)")
        by_line: dict[int, list[Call]] = {}
        for owner, line, is_certain in self._frozen.values():
            calls = [call for call in self._layers_of(owner) if id(call) in used]
            if calls and not is_certain:
                by_line.setdefault(line, []).extend(call for call in calls if call.name in WEIGHTED_LAYERS)
            elif isinstance(owner, Unknown):
                self.notes.add(line, "what is frozen here is only known at run time; all layers are trained")
        for line, frozen in by_line.items():
            if frozen:
                verb = "is" if len(frozen) == 1 else "are"
                text = f"what is frozen here is only known at run time; {_named(frozen)} {verb} trained"
                self.notes.add(line, text)

    def keeps_statistics(self, items: Items) -> bool:
        """Whether no normalization that learns among these items ever uses the statistics of batches.

        What is locked never does.
        """
        locked, keeping = self.locked_calls(items), {id(call) for call, *_ in self._keeping}
        learning = {id(call) for call in iter_calls(items) if call.name == _NORMALIZATION} - locked
        return bool(learning) and learning <= keeping

    def _layers_of(self, owner: Any) -> Iterable[Call]:
        if isinstance(owner, Call):
            return [owner]
        model = self.model_of(owner)
        return iter_calls(model.items) if model is not None else ()

    # Layers that are told whether they train

    def call_node(self, node: ast.Call, scope: Scope) -> Any:
        outer = self._has_literal_mode
        given = [word.value for word in node.keywords if word.arg == "training"]
        self._has_literal_mode = any(isinstance(each, ast.Constant) for each in (*given, *node.args[1:]))
        try:
            return super().call_node(node, scope)
        finally:
            self._has_literal_mode = outer

    @contextmanager
    def in_mode(self, trains: bool | None) -> Iterator[None]:
        """Inside, layers work in this mode; None is the usual one, in which `training` says nothing."""
        outer = self._assumes_training, self._mode
        self._assumes_training, self._mode = trains is None, trains
        try:
            yield
        finally:
            self._assumes_training, self._mode = outer

    def fixed_mode(
        self, function: Any, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> bool | None:
        """Whether the code says that a layer always trains, or never does; None if it says neither."""
        value = keywords.get("training")
        place = self._place_of_mode(function)
        if value is None and place is not None and len(positional) > place:
            value = positional[place]
        if isinstance(value, bool) and (self._has_literal_mode or not self._assumes_training):
            return value
        return self._mode

    def on_not_taken(self, test: ast.expr, nodes: Sequence[ast.AST], scope: Scope) -> None:
        if self._mode is None:
            super().on_not_taken(test, nodes, scope)

    def _place_of_mode(self, function: Any) -> int | None:
        """Which argument `training` is, without its name; None if it needs the name."""
        if not isinstance(function, Instance):
            return 1 if isinstance(function, Call | Model) else None
        call = self.attribute(function, "call")
        names = parameter_names(call.node)[1:] if isinstance(call, Function) else []
        return names.index("training") if "training" in names else None

    @property
    def is_in_call(self) -> bool:
        """Whether the method `call` of a class is being interpreted."""
        return self._assumes_training or self._mode is not None

    def note_mode(self, calls: Iterable[Call], trains: bool, line: int) -> None:
        """Notes the layers that work in one mode in the code and in both in a design."""
        for call in calls:
            name = call.name if call.line == line else f"{call.name} of line {call.line}"
            if call.name == _NORMALIZATION and trains:
                uses = "always uses the statistics of the batch; here only in training"
                self.notes.add(line, f"in the code {name} {uses}")
            elif call.name == _NORMALIZATION:
                # A locked layer does so here as well, and what is locked may be said later.
                self._keeping.append((call, name, line))
            elif self.is_off(call):
                there = "on outside of" if trains else "off in"
                self.notes.add(line, f"in the code {name} is also {there} training; here it is not")

    def is_off(self, call: Call) -> bool:
        """Whether a layer that is not training passes on what it gets."""
        return call.name in _DROPOUT or is_augmentation_layer(call)


def _named(calls: Sequence[Call]) -> str:
    """`Conv2D of line 3 and Dense of line 7`."""
    names = [f"{call.name} of line {call.line}" for call in calls[:_MAXIMUM_NAMED]]
    if len(calls) > _MAXIMUM_NAMED:
        names.append(f"{len(calls) - _MAXIMUM_NAMED:,} more")
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
