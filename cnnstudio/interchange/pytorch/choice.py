"""Chooses the network of a program that is read: the one that the program itself builds, uses or trains.

A program may create its networks when it is run, only in a function such as `test` or `main` that nobody
calls here, or not at all, in a file that defines functions and classes for others. These are tried in that
order. Functions are called with their defaults; what has none is an unknown value.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.effort import TOO_COMPLEX
from cnnstudio.interchange.interpreter import graph
from cnnstudio.interchange.interpreter.graph import Items
from cnnstudio.interchange.interpreter.syntax import has_required_arguments
from cnnstudio.interchange.interpreter.values import Class, Function, Instance
from cnnstudio.interchange.pytorch.content import ContentReader
from cnnstudio.interchange.pytorch.modules import is_module
from cnnstudio.interchange.source import Notes, unknown_network
from cnnstudio.layers.code import Call

_NO_NETWORK = "there is no PyTorch network: expected nn.Sequential(…) or a class with forward"
_MAXIMUM_NAMES = 50
"""The most names of networks that are offered."""


@dataclass(frozen=True)
class Chosen:
    """The network that is read."""

    module: Any
    items: Items
    line: int
    title: str
    networks: tuple[str, ...]
    """The names of the networks in the program, this one first; empty if it is the only one."""


@dataclass(frozen=True)
class _Candidate:
    module: Any
    name: str
    line: int
    notes: Notes
    """What was found while it was created."""


def choose(reader: ContentReader, tree: ast.Module, name: str) -> Chosen:
    """The network of that name, or the one that the program is about. Raises CodeError if there is none."""
    choice = _Choice(reader, tree)
    chosen = choice.choose(name)
    if chosen is None:
        reason = next((f"; line {note.line}: {note.text}" for note in choice.failed.all()), "")
        raise CodeError(f"{_NO_NETWORK}{reason}")
    return chosen


class _Choice:
    def __init__(self, reader: ContentReader, tree: ast.Module) -> None:
        self._reader = reader
        self.failed = Notes(reader.effort)
        """Why what was tried is no network."""
        self._definitions = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]

    def choose(self, name: str) -> Chosen | None:
        if name:
            return self._named(name)
        created = self._largest(self._created(self._reader.modules, Notes(self._reader.effort)))
        others = self._offered()
        if created is not None:
            return self._found(created, others)
        builders: list[_Candidate] = []
        users: list[_Candidate] = []
        for node in self._definitions:
            if isinstance(node, ast.FunctionDef) and not has_required_arguments(node):
                called = self._call(node)
                (builders if called and called[-1].name == node.name else users).extend(called)
        chosen = self._largest(users) or self._first(builders)
        if chosen is None:
            chosen = self._from_classes()
        return self._found(chosen, others) if chosen is not None else None

    def _named(self, name: str) -> Chosen:
        reader = self._reader
        value: Any = None
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            expression = ast.parse(name, mode="eval").body
            self._place(expression)
            value = reader.evaluate(expression, reader.module)
        if isinstance(value, Class | Function):
            value = reader.call(value, [], {}, value.node.lineno, False)
        items = reader.content(value) if is_module(value) else ()
        if not items:
            raise unknown_network(name, [each for each, _ in self._offered()])
        reader.report_shared_weights(items)
        reader.report_partial_locks(items)
        others = [each for each, _ in self._offered() if each != name]
        return Chosen(value, items, value.line, _title(value), (name, *others) if others else ())

    def _place(self, expression: ast.expr) -> None:
        """Gives an expression that is not in the code the line of what it calls."""
        defined = {each.name: each.lineno for each in self._definitions}
        names = [each.id for each in ast.walk(expression) if isinstance(each, ast.Name)]
        line = next((defined[each] for each in names if each in defined), 1)
        for each in ast.walk(expression):
            if hasattr(each, "lineno"):
                each.lineno = line

    # Candidates

    def _created(self, modules: Sequence[Any], notes: Notes, name: str = "") -> list[_Candidate]:
        names = {id(value): key for key, value in self._reader.module.names.items() if is_module(value)}
        return [
            _Candidate(module, name or names.get(id(module), "") or _title(module), module.line, notes)
            for module in modules
        ]

    def _call(self, node: ast.ClassDef | ast.FunctionDef) -> list[_Candidate]:
        """The networks that calling a definition creates: last the one that it returns, if it does."""
        reader = self._reader
        before, notes = len(reader.modules), reader.notes
        reader.notes = Notes(reader.effort)
        reader.tried = node.name
        try:
            value = reader.call(reader.module.names.get(node.name), [], {}, node.lineno, False)
            return self._created(
                [value] if is_module(value) else reader.modules[before:],
                reader.notes,
                node.name if is_module(value) else "",
            )
        except CodeError as error:
            if str(error) == TOO_COMPLEX:
                raise
            return []  # such as a function that calls itself without an end
        finally:
            reader.notes, reader.tried = notes, ""

    def _from_classes(self) -> _Candidate | None:
        """The largest network among the classes; if all need arguments, of what these then create."""
        # What is only a part of others is no network, as long as there are others.
        parts = self._part_classes()
        whole = [node for node in self._definitions if node.name not in parts]
        for required in (False, True):
            candidates: list[_Candidate] = []
            for node in whole:
                is_class = isinstance(self._reader.module.names.get(node.name), Class)
                if has_required_arguments(node) == required and (is_class or required):
                    candidates += self._call(node)
            found = self._largest(candidates)
            if found is not None:
                return found
        return None

    def _largest(self, candidates: Sequence[_Candidate]) -> _Candidate | None:
        """The network that the program uses, rather one that classifies images than one that makes them.

        Among equals the largest.
        """
        sizes: list[tuple[bool, bool, int, _Candidate]] = []
        # A module can only contain modules that were created before it. Going backwards, the containing
        # module comes first and marks its parts, so that they are skipped.
        for candidate in reversed(candidates):
            if id(candidate.module) in self._reader.submodules:
                continue
            notes = Notes(self._reader.effort)
            calls = list(graph.iter_calls(self._items(candidate, notes)))
            if not calls:
                self.failed.extend(notes)
            else:
                is_used = self._reader.used[id(candidate.module)] > 0
                sizes.append((is_used, not _makes_images(calls), len(calls), candidate))
        best = max(sizes, key=lambda each: each[:3], default=None)
        return best[3] if best else None

    def _first(self, candidates: Sequence[_Candidate]) -> _Candidate | None:
        for candidate in candidates:
            if self._items(candidate, Notes(self._reader.effort)):
                return candidate
        return None

    def _items(self, candidate: _Candidate, notes: Notes) -> Items:
        submodules, key = self._reader.submodules, id(candidate.module)
        is_part = key in submodules
        outer, self._reader.notes = self._reader.notes, notes
        try:
            return self._reader.content(candidate.module)
        finally:
            self._reader.notes = outer
            if not is_part:
                # To be looked into does not make it a part of another one.
                submodules.discard(key)

    # Results

    def _found(self, chosen: _Candidate, offered: Sequence[tuple[str, int]]) -> Chosen:
        reader = self._reader
        reader.notes.extend(chosen.notes)
        items = self._items(chosen, reader.notes)
        reader.report_shared_weights(items)
        reader.report_partial_locks(items)
        own = self._builder_of(chosen)
        title = _title(chosen.module)
        others = [(name, line) for name, line in offered if name not in (own, chosen.name, title)]
        for name, line in others:
            reader.notes.add(line, f"{name} is another network; {own or chosen.name or 'one'} is imported")
        names = (own or chosen.name, *(name for name, _ in others)) if others else ()
        return Chosen(chosen.module, items, chosen.line, title, names)

    def _builder_of(self, chosen: _Candidate) -> str:
        """The function of the program that created the network; empty if none did."""
        for node in self._definitions:
            inside = node.lineno <= chosen.line <= (node.end_lineno or node.lineno)
            if isinstance(node, ast.FunctionDef) and inside and self._is_builder(node):
                return node.name
        return ""

    def _offered(self) -> list[tuple[str, int]]:
        """(name, line) of the networks in the program: those in variables, and functions that make one."""
        names = self._reader.module.names
        found = [
            (name, value.line)
            for name, value in names.items()
            if is_module(value) and isinstance(value, Instance) and id(value) not in self._reader.submodules
        ]
        found += [
            (node.name, node.lineno)
            for node in self._definitions
            if isinstance(node, ast.FunctionDef) and self._is_builder(node)
        ]
        return found[:_MAXIMUM_NAMES]

    def _is_builder(self, node: ast.FunctionDef) -> bool:
        """Whether a function returns an object of a class that is a network, and no part of another."""
        parts = self._part_classes()
        for each in ast.walk(node):
            if isinstance(each, ast.Return) and isinstance(each.value, ast.Call):
                function = each.value.func
                made = self._reader.module.names.get(function.id) if isinstance(function, ast.Name) else None
                if (
                    isinstance(made, Class)
                    and made.find("forward")[1] is not None
                    and made.node.name not in parts
                ):
                    return True
        return False

    def _part_classes(self) -> set[str]:
        """The names of classes that other classes of the program use."""
        classes = {node.name for node in self._definitions if isinstance(node, ast.ClassDef)}
        return {
            each.id
            for node in self._definitions
            if isinstance(node, ast.ClassDef)
            for each in ast.walk(node)
            if isinstance(each, ast.Name) and each.id in classes and each.id != node.name
        }


def _makes_images(calls: Sequence[Call]) -> bool:
    """Whether a network makes images of numbers, as the generator of a GAN does."""
    weighted = [call for call in calls if call.name.startswith(("Conv", "Linear", "Lazy"))]
    is_from_numbers = bool(weighted) and "Linear" in weighted[0].name
    for call in calls:
        is_view = call.path in ("tensor.view", "tensor.reshape") and len(call.positional) == 4
        if call.name.startswith("ConvTranspose") or (
            is_from_numbers and (is_view or call.name == "Unflatten")
        ):
            return True
    return False


def _title(module: Any) -> str:
    return module.kind.node.name if isinstance(module, Instance) else ""
