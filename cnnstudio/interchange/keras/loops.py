"""Loops and named blocks of Keras code, which become groups of a design.

Loops need care. A listing that adds five equal blocks in a loop should become a Repeat of five, not five
blocks, so each iteration is interpreted separately and its effect recorded: either one model grew, or one
tensor was carried on to a new one. If the loop only counts and an iteration leaves no other state behind, the
remaining iterations would do the same and are not interpreted at all; a loop of a billion iterations costs
one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.graph import (
    Items,
    Join,
    LoopBody,
    SubModel,
    SymbolicTensor,
    UnsupportedTopology,
    items_between,
    iter_calls,
)
from cnnstudio.interchange.interpreter.interpreter import Interpreter
from cnnstudio.interchange.interpreter.syntax import (
    assigned_names,
    bare_string,
    read_before_assignment,
    uses_loop_variable,
)
from cnnstudio.interchange.interpreter.values import Exit, Jump, ReturnValue, Scope
from cnnstudio.interchange.keras.models import WEIGHTED_LAYERS, Model
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.code import Call, Unknown, is_same_value


class LoopReader(Interpreter):
    """Records loops and named blocks in which one model or one tensor grows."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.models: list[Model] = []
        self.created: dict[int, tuple[Call, int]] = {}
        """id of a layer -> the layer and how many were created before it."""

    def on_with(self, value: Any, node: ast.With, scope: Scope) -> Any:
        if not isinstance(value, Call) or not value.name.endswith("name_scope"):
            return self.execute(node.body, scope)
        # A name with characters that a scope cannot have is written as a string inside the block (see the
        # writer).
        texts = [bare_string(node.body[0]), *value.positional]
        name = next((each for each in texts if isinstance(each, str)), "")
        before = self._tensors(scope)
        returned = self.execute(node.body, scope)
        found = self._carried(before, scope, node.body)
        if found is not None:
            carried, items = found
            self._replace(carried, before, _named(items, name, node.lineno), scope)
        return returned

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Scope) -> Any:
        """Records a loop in which one model or one tensor grows as a LoopBody; unrolls any other loop."""
        counted = isinstance(values, range) and not uses_loop_variable(node.target, node.body)
        start = self._tensors(scope), {id(model): len(model.items) for model in self.models}
        iterations: list[tuple[Items, int]] = []
        grown: Any = None
        created = len(self.created)
        for index, value in enumerate(values):
            before, changes = dict(scope.names), self.changes
            ended, result = self._iteration(node, value, scope)
            if isinstance(ended, ReturnValue) or (isinstance(ended, Jump) and ended.kind == "raise"):
                return ended
            is_last = isinstance(ended, Jump) and ended.kind == "break"
            if is_last and result is None:
                break
            if result is None or (iterations and result[0] != grown):
                return ended if is_last else self.unroll(node, values[index + 1 :], scope)
            grown = result[0]
            # Then all further iterations do the same, so that the first one stands for all.
            is_repeated = counted and changes == self.changes and not _state_changed(before, scope.names)
            is_repeated = is_repeated and not is_last
            iterations.append((result[1], len(values) if is_repeated else 1))
            if is_repeated:
                self._note_shared(result[1], created, len(values), node.lineno)
            if is_repeated or is_last:
                break
        if iterations:
            self._replace(grown, start[0], LoopBody(tuple(iterations), node.lineno, counted), scope, start[1])
        return None

    def _note_shared(self, items: Items, created: int, times: int, line: int) -> None:
        """Notes layers with weights in a repeated body that were created before the loop."""
        for call in iter_calls(items) if times > 1 else ():
            _, before = self.created.get(id(call), (call, created))
            if before < created and call.name in WEIGHTED_LAYERS:
                self.notes.add(
                    line,
                    f"{call.name} of line {call.line} is used {times:,} times with the same weights; "
                    "in the design each copy has its own",
                )

    def _iteration(
        self, node: ast.For, value: Any, scope: Scope
    ) -> tuple[Exit | None, tuple[Any, Items] | None]:
        """Interprets one iteration: (how it ends, (the model or the name of a tensor that grew, the items)).

        The latter is None if not exactly one of them grew.
        """
        before = self._tensors(scope)
        lengths = {id(model): len(model.items) for model in self.models}
        self.assign(node.target, value, scope)
        ended = self.execute(node.body, scope)
        known = [model for model in self.models if id(model) in lengths]
        grown = [model for model in known if len(model.items) > lengths[id(model)]]
        if len(grown) == 1:
            return ended, (grown[0], tuple(grown[0].items[lengths[id(grown[0])] :]))
        return ended, self._carried(before, scope, node.body) if not grown else None

    def _tensors(self, scope: Scope) -> dict[str, SymbolicTensor]:
        return {name: value for name, value in scope.names.items() if isinstance(value, SymbolicTensor)}

    def _carried(
        self, before: Mapping[str, SymbolicTensor], scope: Scope, body: list[ast.stmt]
    ) -> tuple[str, Items] | None:
        """(name, items) of the only tensor that the statements read and reassign; None if there is no such.

        This is the `x` in `x = layer(x)`. A name that is assigned before it is read is only a temporary.
        """
        first = read_before_assignment(body)
        names = [
            name
            for name, tensor in before.items()
            if first.get(name)
            and isinstance(scope.names[name], SymbolicTensor)
            and name in assigned_names(body)
        ]
        if len(names) != 1:
            return None
        try:
            return names[0], items_between(before[names[0]], scope.names[names[0]])
        except UnsupportedTopology:
            return None

    def _replace(
        self,
        grown: Any,
        tensors: Mapping[str, SymbolicTensor],
        item: SubModel | LoopBody | Join,
        scope: Scope,
        lengths: Mapping[int, int] | None = None,
    ) -> None:
        """Replaces what the statements added by one item.

        Tensors inside that item no longer exist by themselves, so that all other names for them become
        unknown.
        """
        if isinstance(grown, Model):
            grown.items[(lengths or {})[id(grown)] :] = [item]
            return
        for name, tensor in scope.names.items():
            if isinstance(tensor, SymbolicTensor) and tensor is not tensors.get(name):
                scope.names[name] = Unknown(name)
        scope.names[grown] = tensors[grown].then(item)


def _named(items: Items, name: str, line: int) -> SubModel | Join:
    """The items as a named block.

    If they end with a join of a single branch that is empty, the block is a group with that one branch.
    """
    last = items[-1] if items else None
    if isinstance(last, Join) and last.branches == ((),):
        return Join(last.mode, (items[:-1],), line)
    return SubModel(items, line, name)


def _state_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether an iteration changed a plain value, such as a number, on which later ones may depend."""
    return any(
        name in before
        and not isinstance(value, SymbolicTensor | Unknown | Model | Call)
        and not (value is before[name] or is_same_value(value, before[name]))
        for name, value in now.items()
    )
